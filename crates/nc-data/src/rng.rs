//! Random streams keyed by purpose.
//!
//! Every random number comes from the stream of (seed, purpose, epoch, index); no generator is shared. Draws of one
//! component therefore never shift those of another, any number of threads can share the work, and a run can resume in
//! the middle of an epoch.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Purpose of a random stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Purpose {
    /// Images that a subset keeps; index is the class.
    Subset = 1,
    /// Images of an epoch and their order; index is the view.
    Plan = 2,
    /// Crop and flip of one image; index is view * 2^48 + position in the epoch.
    Augment = 3,
    /// Mix-up of one batch; index is view * 2^48 + batch number.
    Mix = 4,
    /// Training images held out for testing; index is the class.
    Test = 5,
    /// Training images held out for validation; index is the class.
    Validation = 6,
    /// Noise on one image; epoch holds the bits of its standard deviation, index is the position of the image in its
    /// set.
    Noise = 7,
    /// Any other transform of one image; index as for [`Purpose::Augment`]. See [`transform_stream`].
    Transform = 8,
    /// Positives of a contrastive loss; index is the position in the subset of the batch's first image.
    Positives = 9,
}

/// The stream of (`seed`, `purpose`, `epoch`, `index`).
///
/// The four values, 8 bytes each in little-endian order, *are* the 256-bit key of ChaCha8, so streams of different
/// values never coincide. ChaCha8 gives the same numbers on every machine.
///
/// ```
/// use nc_data::rng::{Purpose, stream};
/// use rand::Rng;
///
/// let draw = |epoch| stream(7, Purpose::Plan, epoch, 0).random::<u32>();
/// assert_eq!(draw(3), draw(3));
/// assert_ne!(draw(3), draw(4));
/// ```
pub fn stream(seed: u64, purpose: Purpose, epoch: u64, index: u64) -> ChaCha8Rng {
    keyed([seed, purpose as u64, epoch, index])
}

/// The stream of one transform in a list, for one image: `kind` is its
/// [`Transform::stream_kind`](crate::Transform::stream_kind), `occurrence` the number of earlier transforms of the same
/// kind in the list. Removing a transform therefore moves no draws of other kinds.
///
/// The second value of the key is [`Purpose::Transform`] + 2^8 kind + 2^32 occurrence; the others are as in [`stream`].
/// Kinds start at 1, so no key coincides with one of [`stream`].
pub fn transform_stream(seed: u64, kind: u8, occurrence: u32, epoch: u64, index: u64) -> ChaCha8Rng {
    let purpose = Purpose::Transform as u64 | u64::from(kind) << 8 | u64::from(occurrence) << 32;
    keyed([seed, purpose, epoch, index])
}

fn keyed(values: [u64; 4]) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, value) in key.chunks_exact_mut(8).zip(values) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// The streams of one image in one view.
#[derive(Clone, Copy)]
pub(crate) struct ImageStreams {
    pub(crate) seed: u64,
    pub(crate) epoch: u64,
    /// [`view_index`] of the position in the epoch.
    pub(crate) index: u64,
}

impl ImageStreams {
    pub(crate) fn augment(self) -> ChaCha8Rng {
        stream(self.seed, Purpose::Augment, self.epoch, self.index)
    }

    pub(crate) fn transform(self, kind: u8, occurrence: u32) -> ChaCha8Rng {
        transform_stream(self.seed, kind, occurrence, self.epoch, self.index)
    }
}

/// Maximum number of views per batch: [`view_index`] has 16 bits for the view.
pub(crate) const MOST_VIEWS: usize = 1 << 16;

/// The stream index of `index` within a view; for view 0, `index` itself. An epoch has fewer than 2^32 images, so views
/// never share an index.
pub(crate) fn view_index(view: usize, index: usize) -> u64 {
    (view as u64) << 48 | index as u64
}
