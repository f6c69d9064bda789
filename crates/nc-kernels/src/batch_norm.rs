//! Per-channel arithmetic of batch norm, in f64.

use crate::kernels::{BlockSums, GradientSums, NormCoefficients};
use crate::lanes::LANES;

/// Count, mean and sum of squared deviations per channel.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    count: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    /// Moments of zero values.
    pub(crate) fn empty(channels: usize) -> Self {
        Self { count: 0.0, mean: vec![0.0; channels], squares: vec![0.0; channels] }
    }

    /// Moments of `count` values, from the sums of a convolution kernel.
    pub(crate) fn from_sums(sums: &[BlockSums], count: usize) -> Self {
        let mut moments = Self::empty(sums.len() * LANES);
        moments.count = count as f64;
        for (index, (mean, squares)) in moments.mean.iter_mut().zip(&mut moments.squares).enumerate() {
            let (block, lane) = (&sums[index / LANES], index % LANES);
            let (sum, square) = (f64::from(block.sum[lane]), f64::from(block.square[lane]));
            let offset = sum / moments.count;
            *mean = f64::from(block.shift[lane]) + offset;
            // Rounding can make it negative; `max` would turn NaN into 0.
            let difference = square - sum * offset;
            *squares = if difference < 0.0 { 0.0 } else { difference };
        }
        moments
    }

    /// Merges the moments of two sets of values (Chan, Golub and LeVeque 1979), stable for a large mean.
    pub(crate) fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        let share = other.count / count;
        for (channel, mean) in self.mean.iter_mut().enumerate() {
            let difference = other.mean[channel] - *mean;
            *mean += difference * share;
            self.squares[channel] += other.squares[channel] + difference * difference * self.count * share;
        }
        self.count = count;
    }

    /// Mean and biased variance, for normalisation.
    pub(crate) fn statistics(&self) -> Statistics {
        let variance = self.squares.iter().map(|squares| squares / self.count).collect();
        Statistics { mean: self.mean.clone(), variance, batch: Some(self.count) }
    }

    /// Running statistics after the batch: (1 - momentum) * running + momentum * batch, the variance unbiased.
    pub(crate) fn update_running(&self, momentum: f64, mean: &mut [f32], variance: &mut [f32]) {
        for (channel, (mean, variance)) in mean.iter_mut().zip(variance).enumerate() {
            let unbiased = self.squares[channel] / (self.count - 1.0);
            *mean = running(momentum, *mean, self.mean[channel]);
            *variance = running(momentum, *variance, unbiased);
        }
    }
}

/// A running statistic after a batch: (1 - momentum) * running + momentum * batch.
pub(crate) fn running(momentum: f64, running: f32, batch: f64) -> f32 {
    ((1.0 - momentum) * f64::from(running) + momentum * batch) as f32
}

/// Mean and variance that a batch norm normalises with.
#[derive(Clone, Debug)]
pub(crate) struct Statistics {
    mean: Vec<f64>,
    variance: Vec<f64>,
    /// Number of values per channel for batch statistics, which depend on the input.
    batch: Option<f64>,
}

impl Statistics {
    /// Running statistics, independent of the input.
    pub(crate) fn fixed(mean: &[f32], variance: &[f32]) -> Self {
        let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect();
        Self { mean: wide(mean), variance: wide(variance), batch: None }
    }
}

/// A batch norm with known statistics: y -> y * scale + shift, channels zero-padded to whole blocks.
#[derive(Clone, Debug)]
pub(crate) struct Affine {
    pub(crate) scale: Vec<f32>,
    pub(crate) shift: Vec<f32>,
    /// Mean of y.
    pub(crate) mean: Vec<f32>,
    /// gamma / sqrt(variance + eps), and 1 / sqrt(variance + eps).
    precise_scale: Vec<f64>,
    inverse_deviation: Vec<f64>,
    batch: Option<f64>,
}

impl Affine {
    pub(crate) fn new(statistics: &Statistics, gamma: &[f32], beta: &[f32], eps: f64) -> Self {
        let channels = gamma.len().next_multiple_of(LANES);
        let mut affine = Self {
            scale: vec![0.0; channels],
            shift: vec![0.0; channels],
            mean: vec![0.0; channels],
            precise_scale: vec![0.0; channels],
            inverse_deviation: vec![0.0; channels],
            batch: statistics.batch,
        };
        for channel in 0..gamma.len() {
            let mean = statistics.mean[channel];
            let inverse = 1.0 / (statistics.variance[channel] + eps).sqrt();
            let scale = f64::from(gamma[channel]) * inverse;
            affine.scale[channel] = scale as f32;
            affine.shift[channel] = (f64::from(beta[channel]) - mean * scale) as f32;
            affine.mean[channel] = mean as f32;
            affine.precise_scale[channel] = scale;
            affine.inverse_deviation[channel] = inverse;
        }
        affine
    }

    /// Gradients from the sums over the output's gradient.
    pub(crate) fn gradients(&self, sums: &Sums, channels: usize) -> NormGradients {
        let padded = self.scale.len();
        let mut by = NormCoefficients {
            mean: self.mean.clone(),
            scale: self.scale.clone(),
            slope: vec![0.0; padded],
            offset: vec![0.0; padded],
        };
        let (mut gamma, mut beta) = (vec![0.0; channels], vec![0.0; channels]);
        for channel in 0..channels {
            let (sum, product) = (sums.gradient[channel], sums.product[channel]);
            let d_gamma = product * self.inverse_deviation[channel];
            gamma[channel] = d_gamma as f32;
            beta[channel] = sum as f32;
            if let Some(count) = self.batch {
                let scale = self.precise_scale[channel];
                by.slope[channel] = (-scale * self.inverse_deviation[channel] * d_gamma / count) as f32;
                by.offset[channel] = (-scale * sum / count) as f32;
            }
        }
        NormGradients { input: by, gamma, beta }
    }
}

/// Gradients of gamma and beta, and the coefficients of the input gradient.
pub(crate) struct NormGradients {
    pub(crate) input: NormCoefficients,
    pub(crate) gamma: Vec<f32>,
    pub(crate) beta: Vec<f32>,
}

/// Sums over images and pixels of gradient and gradient * (y - mean), per channel.
#[derive(Clone, Debug)]
pub(crate) struct Sums {
    gradient: Vec<f64>,
    product: Vec<f64>,
}

impl Sums {
    pub(crate) fn zeros(channels: usize) -> Self {
        Self { gradient: vec![0.0; channels], product: vec![0.0; channels] }
    }

    /// Adds the sums of a kernel and resets them to zero.
    pub(crate) fn collect(&mut self, sums: &mut [GradientSums]) {
        for (index, block) in sums.iter_mut().enumerate() {
            for lane in 0..LANES {
                self.gradient[index * LANES + lane] += f64::from(block.gradient[lane]);
                self.product[index * LANES + lane] += f64::from(block.product[lane]);
            }
            *block = GradientSums::ZERO;
        }
    }

    /// Sums all parts in order.
    pub(crate) fn total(parts: impl IntoIterator<Item = Self>, channels: usize) -> Self {
        let mut total = Self::zeros(channels);
        for part in parts {
            for (total, part) in total.gradient.iter_mut().zip(part.gradient) {
                *total += part;
            }
            for (total, part) in total.product.iter_mut().zip(part.product) {
                *total += part;
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_moments_equal_moments_of_all_values() {
        let values: Vec<f64> = (0..50).map(|i| 1e6 + f64::from(i * i % 17)).collect();
        let mut merged = Moments::empty(1);
        for part in values.chunks(7) {
            let mean = part.iter().sum::<f64>() / part.len() as f64;
            let squares = part.iter().map(|v| (v - mean).powi(2)).sum();
            merged.merge(&Moments { count: part.len() as f64, mean: vec![mean], squares: vec![squares] });
        }
        let mean = values.iter().sum::<f64>() / 50.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 50.0;
        let statistics = merged.statistics();
        assert!((statistics.mean[0] - mean).abs() < 1e-9 * mean);
        assert!((statistics.variance[0] - variance).abs() < 1e-9 * variance);
    }

    #[test]
    fn running_statistics_use_the_unbiased_variance() {
        let moments = Moments { count: 4.0, mean: vec![2.0], squares: vec![6.0] };
        let (mut mean, mut variance) = ([1.0], [1.0]);
        moments.update_running(0.5, &mut mean, &mut variance);
        assert_eq!((mean, variance), ([1.5], [1.5]));
    }
}
