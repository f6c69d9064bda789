//! Random streams keyed by what they are for.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Purpose {
    /// Which images a subset keeps.
    Subset = 1,
    /// Which images an epoch is made of, and their order.
    Plan = 2,
    /// Crop and flip of one image.
    Augment = 3,
    /// Mix-up of one batch.
    Mix = 4,
}

/// The stream of (`seed`, `purpose`, `epoch`, `index`).
///
/// The key of ChaCha8 is made of all four values, 8 bytes each, so two streams differ wherever any of them differs
/// and nothing drawn from one can shift another.
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
    for (bytes, value) in key.chunks_mut(8).zip([seed, purpose as u64, epoch, index]) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
