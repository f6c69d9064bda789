//! Fetching the public data sets of a [`Manifest`]: from the network with resumption, or from files at hand; nothing is
//! installed before its size and digests are those of the manifest; what is installed is not looked at again. (Feature `download`.)

mod digest;
mod fetch;
mod install;
mod manifest;

pub use fetch::Fetcher;
pub use install::{install, is_installed};
pub use manifest::{Entry, File, Manifest};
