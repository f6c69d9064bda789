//! Built-in experiments, named `data/method+part+part`: a data set, a method and optional parts.

mod base;
mod contrastive;
mod data_sets;
mod find;
mod own_images;
mod part;
mod parts;
mod recipe;
mod recipes;
mod second_phases;

pub use find::{COMPARED, DEFAULT, data_sets, find, methods, parts};
pub(crate) use own_images::default_of;
pub use own_images::{ImageDirectory, OwnImages, data_set_of};
