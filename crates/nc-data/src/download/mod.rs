//! Downloads the public data sets of a [`Manifest`], from the network with resumption or from local files. Nothing is
//! installed before its size and digests match the manifest; installed files are not checked again. (Feature
//! `download`.)

mod digest;
mod fetch;
mod install;
mod manifest;

pub use fetch::Fetcher;
pub use install::{install, is_installed};
pub use manifest::{Entry, File, Manifest};
