use rand::{Rng, seq::SliceRandom};

use crate::{
    Subset,
    rng::{Purpose, stream},
};

/// Which images an epoch is made of. Every plan is as long as the subset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampler {
    /// Each image once, in random order. All others draw a class, then one of its images, with replacement.
    Uniform,
    /// Every class equally likely.
    ClassBalanced,
    /// Classes by their effective-number weight, P(k) ~ (1 - beta) / (1 - beta^n_k) *for each image of the class*, as
    /// the weights of LDAM's re-sampling (Cui et al. 2019, Cao et al. 2019): P(k) ~ n_k times that.
    EffectiveNumber {
        /// From 0 (as the images are) towards 1 (class-balanced).
        beta: f64,
    },
    /// P(k) ~ sqrt(n_k) (Mahajan et al. 2018).
    SquareRoot,
    /// P(k) ~ n_max / n_k: the rarer, the likelier (BBN, Zhou et al. 2020).
    Reverse,
    /// In epoch e of E, with t = e / (E - 1): P(k) = (1 - t) n_k / n + t / K (Kang et al. 2020).
    Progressive {
        /// E.
        epochs: usize,
    },
}

impl Sampler {
    /// The probability of each class in `epoch`; 0 for classes without images.
    ///
    /// ```
    /// use nc_data::Sampler;
    ///
    /// assert_eq!(Sampler::Uniform.class_probabilities(&[90, 10], 0), [0.9, 0.1]);
    /// assert_eq!(Sampler::ClassBalanced.class_probabilities(&[90, 10], 0), [0.5, 0.5]);
    /// assert_eq!(Sampler::Reverse.class_probabilities(&[90, 10], 0), [0.1, 0.9]);
    /// ```
    pub fn class_probabilities(&self, counts: &[usize], epoch: usize) -> Vec<f64> {
        let images: f64 = counts.iter().map(|&n| n as f64).sum();
        let classes = counts.iter().filter(|&&n| n > 0).count() as f64;
        let weights: Vec<f64> = counts
            .iter()
            .map(|&n| if n == 0 { 0.0 } else { self.weight(n as f64, images, classes, epoch) })
            .collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| if total > 0.0 { weight / total } else { 0.0 }).collect()
    }

    /// The weight of a class of `n` images.
    fn weight(&self, n: f64, images: f64, classes: f64, epoch: usize) -> f64 {
        match *self {
            Self::Uniform => n,
            Self::ClassBalanced => 1.0,
            Self::EffectiveNumber { beta } => n * (1.0 - beta) / (1.0 - beta.powf(n)),
            Self::SquareRoot => n.sqrt(),
            Self::Reverse => 1.0 / n,
            Self::Progressive { epochs } => {
                let t = (epoch as f64 / (epochs.max(2) - 1) as f64).min(1.0);
                (1.0 - t) * n / images + t / classes
            }
        }
    }

    /// The positions in `subset` of the images of `epoch`, in order; depends on nothing but the subset, `seed` and
    /// `epoch`.
    pub fn plan(&self, subset: &Subset, seed: u64, epoch: usize) -> Vec<usize> {
        let mut rng = stream(seed, Purpose::Plan, epoch as u64, 0);
        if *self == Self::Uniform {
            let mut plan: Vec<usize> = (0..subset.len()).collect();
            plan.shuffle(&mut rng);
            return plan;
        }
        // Images stand by class: class k from starts[k] on. Classes without images are left out, so that rounding
        // can never draw one.
        let counts = subset.class_counts();
        let probabilities = self.class_probabilities(counts, epoch);
        let (mut ranges, mut start, mut cumulated) = (Vec::new(), 0, 0.0);
        for (&count, probability) in counts.iter().zip(probabilities) {
            if count > 0 {
                cumulated += probability;
                ranges.push((cumulated, start..start + count));
            }
            start += count;
        }
        let mut draw = || {
            let u: f64 = rng.random();
            let class = ranges.partition_point(|(cumulated, _)| *cumulated <= u).min(ranges.len() - 1);
            rng.random_range(ranges[class].1.clone())
        };
        (0..subset.len()).map(|_| draw()).collect()
    }
}
