//! Tests of the public interface, in one binary.

#[cfg(feature = "download")]
mod archives;
mod cifar_files;
mod crops;
#[cfg(feature = "download")]
mod downloads;
mod embedded;
mod hold_outs;
mod idx_files;
mod image_checks;
mod image_files;
mod image_lists;
mod image_sets;
mod list_labels;
mod loader;
mod profiles;
mod refusals;
mod relabelled;
mod samplers;
#[cfg(feature = "serde")]
mod serialized;
#[cfg(feature = "download")]
mod server;
mod skip_lists;
mod streamed;
mod streams;
mod subsets;
mod support;
mod transforms;
mod views;
