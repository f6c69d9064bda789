//! Built-in experiments, named `data/method+part+part`: a data set, a method and optional parts.

mod base;
mod contrastive;
mod data_sets;
mod ddc;
mod find;
mod own_images;
mod part;
mod parts;
mod recipe;
mod recipes;
mod second_phases;
mod single_network;

pub use find::{BEST, COMPARED, DEFAULT, data_sets, find, methods, parts};
pub use own_images::{ImageDirectory, OwnImages, data_set_of, default_of};
pub(crate) use own_images::{Reduction, fits_images};
