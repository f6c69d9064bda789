//! Hold-out of images, see [`Subset::hold_out`](crate::Subset::hold_out).

use rand::seq::SliceRandom;

use crate::rng::{Purpose, stream};

/// The images of each class kept and held out.
pub(crate) fn split_images(
    mut classes: Vec<Vec<Image>>,
    fraction: f64,
    seed: u64,
    purpose: Purpose,
) -> (Vec<Vec<Image>>, Vec<Vec<Image>>) {
    let mut held_out = Vec::with_capacity(classes.len());
    for (class, images) in classes.iter_mut().enumerate() {
        let count = held_out_count(images.len(), fraction);
        images.shuffle(&mut stream(seed, purpose, 0, class as u64));
        let mut part = images.split_off(images.len() - count);
        part.sort_unstable();
        images.sort_unstable();
        held_out.push(part);
    }
    (classes, held_out)
}

/// The number of images that [`Subset::hold_out`](crate::Subset::hold_out) takes of a class of `images` images in no groups.
pub fn held_out_count(images: usize, fraction: f64) -> usize {
    let wanted = (images as f64 * fraction).round() as usize;
    wanted.max(1).min(images.saturating_sub(1))
}

pub(crate) type Digest256 = [u8; 32];

/// Index of an image in the data set, ordered by the SHA-256 of its pixels, or of its file if it is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Image {
    pub(crate) digest: Digest256,
    pub(crate) index: usize,
}
