use crate::{Error, ImageShape, Result, Subset};

/// Per-channel normalisation: (pixel / 255 - mean) / std.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalize {
    /// Mean of each channel, in units of pixel / 255.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in units of pixel / 255.
    pub std: Vec<f32>,
}

impl Normalize {
    /// Mean and population standard deviation of each channel over all pixels of `subset`, regardless of class. A
    /// constant channel gets standard deviation 1 and is normalised to 0.
    ///
    /// # Panics
    ///
    /// If the images are streamed.
    ///
    /// ```
    /// use nc_data::{Normalize, Subset, fashion_mnist_lt};
    ///
    /// let normalize = Normalize::of(&Subset::all(&fashion_mnist_lt()?.train));
    /// assert!((normalize.mean[0] - 0.2954).abs() < 1e-4);
    /// assert!((normalize.std[0] - 0.3523).abs() < 1e-4);
    /// # Ok::<(), nc_data::Error>(())
    /// ```
    pub fn of(subset: &Subset) -> Self {
        let ImageShape { channels, height, width } = subset.dataset().shape();
        // Integer sums are exact, hence independent of image order.
        let mut sums = vec![(0u64, 0u64); channels];
        for position in 0..subset.len() {
            let planes = subset.image(position).chunks_exact(height * width);
            for (plane, (sum, squares)) in planes.zip(&mut sums) {
                for &pixel in plane {
                    *sum += u64::from(pixel);
                    *squares += u64::from(pixel) * u64::from(pixel);
                }
            }
        }
        let count = (subset.len() * height * width).max(1);
        let mean = |&(sum, _): &(u64, u64)| (sum as f64 / count as f64 / 255.0) as f32;
        let std = |&(sum, squares): &(u64, u64)| {
            let variance = count as u128 * u128::from(squares) - u128::from(sum) * u128::from(sum);
            if variance == 0 { 1.0 } else { ((variance as f64).sqrt() / count as f64 / 255.0) as f32 }
        };
        Self { mean: sums.iter().map(mean).collect(), std: sums.iter().map(std).collect() }
    }

    /// Normalised value of each byte, per channel, in PyTorch's order of operations to match its bits.
    pub(crate) fn tables(&self, channels: usize) -> Result<Vec<[f32; 256]>> {
        let Self { mean, std } = self;
        if mean.len() != channels || std.len() != channels {
            return Err(Error::Config(format!(
                "expected {channels} means and standard deviations, one per channel, found {} and {}",
                mean.len(),
                std.len()
            )));
        }
        let table =
            |(mean, std): (&f32, &f32)| std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std);
        let tables: Vec<[f32; 256]> = mean.iter().zip(std).map(table).collect();
        let sensible = std.iter().all(|&std| std > 0.0 && std.is_finite());
        // Also catches a non-finite mean and a standard deviation so small that a pixel overflows.
        if !sensible || tables.iter().flatten().any(|value| !value.is_finite()) {
            return Err(Error::Config(format!(
                "expected finite means and positive standard deviations, found {mean:?} and {std:?}"
            )));
        }
        Ok(tables)
    }
}
