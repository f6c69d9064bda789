//! Random streams keyed by what they are for.
//!
//! Everything random is drawn from the stream of (seed, purpose, epoch, index), never from one that goes on from use
//! to use. So what one part draws cannot shift what another sees, work can be shared among any number of threads, and
//! a run can go on in the middle of an epoch.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Purpose {
    /// Which images a subset keeps; index is the class.
    Subset = 1,
    /// Which images an epoch is made of, and their order; index is the view.
    Plan = 2,
    /// Crop and flip of one image; index is view * 2^48 + its place in the epoch.
    Augment = 3,
    /// Mix-up of one batch; index is view * 2^48 + the batch's number.
    Mix = 4,
    /// Which training images are held out to test on; index is the class.
    Test = 5,
    /// Which training images are held out to validate on; index is the class.
    Validation = 6,
    /// Noise on one image; the epoch is its strength, index the image's place in its set.
    Noise = 7,
}

/// The stream of (`seed`, `purpose`, `epoch`, `index`).
///
/// The four values, 8 bytes each in little-endian order, *are* the 256-bit key of ChaCha8. Two keys are equal only if
/// all four are, so no two streams collide. ChaCha8 gives the same numbers on every machine.
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
    let mut key = [0; 32];
    for (bytes, value) in key.chunks_exact_mut(8).zip([seed, purpose as u64, epoch, index]) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

/// The most views of a batch: [`view_index`] keeps 16 bits for them.
pub(crate) const MOST_VIEWS: usize = 1 << 16;

/// The stream index of `index` within a view; that of view 0 is `index` itself. An epoch has fewer than 2^32 images, so
/// no two views share an index.
pub(crate) fn view_index(view: usize, index: usize) -> u64 {
    (view as u64) << 48 | index as u64
}
