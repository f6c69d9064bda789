//! Long-tailed image data for [Candle](candle_core): sources, imbalance profiles, reproducible subsets, samplers, image
//! transforms and a batch loader.
//!
//! A [`Source`] has a training and a test [`Dataset`] of u8 images, and possibly one for validation. A [`Profile`] sets the number of images per class;
//! [`Subset::draw`] draws them independently of file order. A [`Sampler`] plans each epoch, and the worker threads of a
//! [`Loader`] transform, normalise and mix its [`Batch`]es. A batch has one or more [`View`]s, each with its own
//! sampler and list of [`Transform`]s. All randomness comes from streams keyed by purpose, see [`rng`].

mod ahead;
mod archive;
mod batch;
mod buffer;
mod check;
pub mod cifar;
mod counted;
mod dataset;
mod decode;
#[cfg(feature = "download")]
pub mod download;
mod embedded;
mod entries;
mod epoch;
mod error;
mod files;
pub mod folder;
mod group_hold_out;
mod groups;
mod hex;
mod hold_out;
#[cfg(feature = "hub")]
pub mod hub;
pub mod idx;
mod image_shape;
mod images;
mod index;
mod jpeg;
pub mod list;
mod loader;
mod mix;
mod names;
mod noise;
mod normalize;
mod open_stream;
mod png;
mod profile;
mod ring;
pub mod rng;
mod sampler;
mod skip;
mod source;
mod stream;
mod stream_options;
mod streamed;
mod subset;
mod transform;
mod tree;
mod units;
mod view;
mod walk;

pub use batch::{Batch, Sample};
pub use check::{ClassCheck, Copied, HeldOut, ImageCheck, Set, check_images};
pub use counted::counted;
pub use dataset::Dataset;
pub use decode::{DecodedFiles, LoadProgress, decode_files};
pub use embedded::fashion_mnist_lt;
pub use epoch::Epoch;
pub use error::{Error, Result};
pub use files::{ImageFiles, Survey};
pub use groups::Groups;
pub use hold_out::held_out_count;
pub use image_shape::ImageShape;
pub use images::ImageOptions;
pub use loader::{Loader, LoaderConfig};
pub use mix::Mix;
pub use noise::add_gaussian;
pub use normalize::Normalize;
pub use png::{encode_png, encode_thumbnail};
pub use profile::Profile;
pub use sampler::Sampler;
pub use skip::skip_list;
pub use source::Source;
pub use stream_options::StreamOptions;
pub use subset::Subset;
pub use transform::{Interpolation, Transform};
pub use view::{Plan, View, ViewConfig};
