//! The crate from outside, in one binary.

mod crops;
mod embedded;
mod idx_files;
mod loader;
mod profiles;
mod samplers;
mod streams;
mod subsets;
mod support;
