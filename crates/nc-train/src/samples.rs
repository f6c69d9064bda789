use nc_data::{Loader, Subset, encode_thumbnail};
use nc_record::{ImageSample, Samples};

use crate::Result;

/// Classes shown: the largest and the smallest.
const CLASSES: usize = 8;
/// Images shown of each class.
const IMAGES: usize = 3;
/// Images of the epoch that are searched for those of the classes shown.
const SEARCHED: usize = 2048;
/// Longest side of a stored image, in pixels. Larger ones are scaled down: a page has up to 144 of them, 3 MB at most.
pub(crate) const LONGEST_SIDE: usize = 72;

/// A few training images as the network sees them in the first epoch of `loader`, for the largest and the smallest
/// classes.
pub(crate) fn training_samples(loader: &Loader, subset: &Subset) -> Result<Samples> {
    let counts = subset.class_counts();
    let mut classes: Vec<usize> = (0..counts.len()).collect();
    classes.sort_by_key(|&class| std::cmp::Reverse(counts[class]));
    if classes.len() > CLASSES {
        classes.drain(CLASSES / 2..classes.len() - CLASSES / 2);
    }
    let mut found: Vec<Vec<ImageSample>> = vec![vec![]; classes.len()];
    for (place, position) in loader.positions(0, 0).into_iter().enumerate().take(SEARCHED) {
        let class = subset.labels()[position as usize] as usize;
        if let Some(row) = classes.iter().position(|&shown| shown == class)
            && found[row].len() < IMAGES
        {
            for sample in loader.samples(0, 0, place..place + 1)? {
                let png = encode_thumbnail(&sample.pixels, loader.image_shape(0), LONGEST_SIDE)?;
                found[row].push(ImageSample::new(class, &png));
            }
        }
    }
    Ok(Samples { training: found.concat() })
}
