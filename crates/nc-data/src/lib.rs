//! Long-tailed image data: sources, imbalance profiles, repeatable subsets, samplers, augmentation and a batch loader
//! for [Candle](candle_core).
//!
//! A [`Source`] has a training and a test [`Dataset`] of u8 images. A [`Profile`] says how many images each class
//! keeps, [`Subset::draw`] picks them, in a way that does not depend on the order of files. A [`Sampler`] plans each
//! epoch, and a [`Loader`] makes [`Batch`]es of it: cropped, mirrored, normalised and mixed by threads of its own.
//! All randomness comes from streams keyed by what they are for, see [`rng`].

mod dataset;
mod error;
pub mod idx;
mod loader;
mod profile;
pub mod rng;
mod sampler;
mod source;
mod subset;
mod transform;

pub use dataset::{Dataset, ImageShape};
pub use error::{Error, Result};
pub use loader::{Batch, Epoch, Loader, LoaderConfig, Mix};
pub use profile::Profile;
pub use sampler::Sampler;
pub use source::{Source, fashion_mnist_lt};
pub use subset::Subset;
pub use transform::{Augment, Normalize};
