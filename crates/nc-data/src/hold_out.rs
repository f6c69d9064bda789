//! Hold-out of images, see [`Subset::hold_out`](crate::Subset::hold_out).

use rand::seq::SliceRandom;

use crate::{
    group_hold_out,
    rng::{Purpose, stream},
};

/// The images of each class kept and held out; `groups[i]` is the group of image i.
pub(crate) fn split(
    classes: Vec<Vec<Image>>,
    groups: Option<&[u32]>,
    fraction: f64,
    seed: u64,
    purpose: Purpose,
) -> (Vec<Vec<Image>>, Vec<Vec<Image>>) {
    let Some(groups) = groups else { return split_images(classes, fraction, seed, purpose) };
    let is_held_out = group_hold_out::choose(&classes, groups, fraction, seed, purpose);
    let is_kept = |image: &Image| !is_held_out[groups[image.index] as usize];
    classes.into_iter().map(|images| images.into_iter().partition(is_kept)).unzip()
}

fn split_images(
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

/// Index of an image in the data set, ordered by the SHA-256 of its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Image {
    pub(crate) digest: Digest256,
    pub(crate) index: usize,
}
