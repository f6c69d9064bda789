//! Tests of the public interface, in one binary.

#[cfg(feature = "download")]
mod archives;
mod cifar_files;
mod crops;
#[cfg(feature = "download")]
mod downloads;
mod embedded;
mod idx_files;
mod image_files;
mod image_lists;
mod loader;
mod profiles;
mod refusals;
mod relabelled;
mod samplers;
#[cfg(feature = "serde")]
mod serialized;
#[cfg(feature = "download")]
mod server;
mod streams;
mod subsets;
mod support;
mod transforms;
mod views;
