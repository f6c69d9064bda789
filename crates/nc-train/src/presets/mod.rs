//! The experiments that come with the program: a data set, a method and what is added to it, named
//! `data/method+part+part`.

mod data_sets;
mod find;
mod recipe;
mod recipes;
mod second_phases;

pub use find::{DEFAULT, data_sets, find, methods, parts};
