use rand_distr::{Distribution, StandardNormal};

use crate::rng::{Purpose, stream};

/// Adds Gaussian noise of standard deviation `std` to normalised images of `size` values each: robustness as in Table 6
/// of the paper. Values are not clamped. `first` is the position of the first image in its set.
///
/// The noise of an image depends only on `seed`, `std` and the position of the image, not on the batches.
///
/// # Panics
///
/// If `size` is 0.
pub fn add_gaussian(images: &mut [f32], size: usize, std: f64, seed: u64, first: usize) {
    for (image, place) in images.chunks_mut(size).zip(first..) {
        let mut rng = stream(seed, Purpose::Noise, std.to_bits(), place as u64);
        for value in image {
            let noise: f64 = StandardNormal.sample(&mut rng);
            *value += (std * noise) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_the_given_std_and_ignores_batching() {
        let (size, images) = (1000, 20);
        let mut whole = vec![1f32; size * images];
        add_gaussian(&mut whole, size, 0.3, 7, 0);
        let n = whole.len() as f64;
        let mean = whole.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let std = (whole.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n).sqrt();
        // Five standard errors of 20,000 draws.
        assert!((mean - 1.0).abs() < 5.0 * 0.3 / n.sqrt(), "{mean}");
        assert!((std - 0.3).abs() < 5.0 * 0.3 / (2.0 * n).sqrt(), "{std}");

        let mut part = vec![1f32; size * 3];
        add_gaussian(&mut part, size, 0.3, 7, 5);
        assert_eq!(part, whole[5 * size..8 * size]);
        let mut other = vec![1f32; size];
        add_gaussian(&mut other, size, 0.3, 8, 0);
        assert_ne!(other, whole[..size]);
    }
}
