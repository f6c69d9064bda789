use rand::{Rng, seq::SliceRandom};

use crate::{
    Error, Result, Subset,
    rng::{Purpose, stream},
};

/// Which images an epoch is made of.
///
/// [`Sampler::Uniform`] takes each image once. All others draw a class k with probability P(k), then one of its n_k
/// images, each with replacement, until there are as many as the subset has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampler {
    /// Each image once, in random order.
    Uniform,
    /// P(k) = 1/K: every class equally likely ([Kang et al. 2020](https://arxiv.org/abs/1910.09217)).
    ClassBalanced,
    /// P(k) ~ n_k (1 - beta) / (1 - beta^n_k): each *image* weighs what
    /// [Cui et al. 2019](https://arxiv.org/abs/1901.05555) give its class, as in LDAM's re-sampling (CE-RS).
    EffectiveNumber {
        /// From 0 (P(k) ~ n_k) to 1 (class-balanced); commonly 0.9999.
        beta: f64,
    },
    /// P(k) ~ sqrt(n_k) ([Mahajan et al. 2018](https://arxiv.org/abs/1805.00932)).
    SquareRoot,
    /// P(k) ~ n_max / n_k: the rarer, the likelier ([BBN](https://arxiv.org/abs/1912.02413), Zhou et al. 2020).
    Reverse,
    /// P(k) = (1 - t) n_k / n + t / K with t = e / (E - 1) in epoch e of E: from the images' own frequencies to
    /// class-balanced (Kang et al. 2020, progressively-balanced). Epochs after the last are like the last.
    Progressive {
        /// E.
        epochs: usize,
    },
}

impl Sampler {
    /// The probability P(k) of each class in `epoch`, where class k has `counts[k]` images; 0 for classes without
    /// images, which K does not count.
    ///
    /// ```
    /// use nc_data::Sampler;
    ///
    /// assert_eq!(Sampler::Uniform.class_probabilities(&[12, 4], 0)?, [0.75, 0.25]);
    /// assert_eq!(Sampler::ClassBalanced.class_probabilities(&[12, 4], 0)?, [0.5, 0.5]);
    /// assert_eq!(Sampler::SquareRoot.class_probabilities(&[9, 1], 0)?, [0.75, 0.25]);
    /// assert_eq!(Sampler::Progressive { epochs: 3 }.class_probabilities(&[12, 4], 1)?, [0.625, 0.375]);
    /// # Ok::<(), nc_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if beta is not from 0 to 1.
    pub fn class_probabilities(&self, counts: &[usize], epoch: usize) -> Result<Vec<f64>> {
        self.check()?;
        Ok(self.probabilities(counts, epoch))
    }

    fn probabilities(self, counts: &[usize], epoch: usize) -> Vec<f64> {
        let images = counts.iter().sum::<usize>() as f64;
        let classes = counts.iter().filter(|&&n| n > 0).count() as f64;
        let weight = |n: f64| match self {
            Self::Uniform => n,
            Self::EffectiveNumber { beta } if beta < 1.0 => n * (1.0 - beta) / (1.0 - beta.powf(n)),
            // Where beta is 1, the limit.
            Self::ClassBalanced | Self::EffectiveNumber { .. } => 1.0,
            Self::SquareRoot => n.sqrt(),
            Self::Reverse => 1.0 / n,
            Self::Progressive { epochs } => {
                let t = (epoch as f64 / (epochs.max(2) - 1) as f64).min(1.0);
                (1.0 - t) * n / images + t / classes
            }
        };
        let weights: Vec<f64> = counts.iter().map(|&n| if n == 0 { 0.0 } else { weight(n as f64) }).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| if total > 0.0 { weight / total } else { 0.0 }).collect()
    }

    /// The images of `epoch`, in order, as positions in `subset`: as many as it has. Depends on nothing but the
    /// subset's class counts, `seed` and `epoch`.
    ///
    /// ```
    /// use nc_data::{Sampler, Subset, fashion_mnist_lt};
    ///
    /// let subset = Subset::all(&fashion_mnist_lt()?.train);
    /// let plan = Sampler::Reverse.plan(&subset, 0, 0)?;
    /// assert_eq!(plan.len(), 2478);
    /// let rarest = plan.iter().filter(|&&position| subset.labels()[position as usize] == 9).count();
    /// assert!(rarest > 800); // 10 of 2478 images, drawn with probability 0.37
    /// # Ok::<(), nc_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if beta is not from 0 to 1.
    pub fn plan(&self, subset: &Subset, seed: u64, epoch: usize) -> Result<Vec<u32>> {
        self.check()?;
        Ok(self.checked_plan(subset, seed, epoch))
    }

    /// The plan of a sampler that was checked.
    pub(crate) fn checked_plan(self, subset: &Subset, seed: u64, epoch: usize) -> Vec<u32> {
        let mut rng = stream(seed, Purpose::Plan, epoch as u64, 0);
        let images = 0..subset.len() as u32;
        if self == Self::Uniform {
            let mut plan: Vec<u32> = images.collect();
            plan.shuffle(&mut rng);
            return plan;
        }
        // A subset's images stand by class. Classes without images are left out, so that rounding can draw none.
        let counts = subset.class_counts();
        let (mut classes, mut start, mut cumulated) = (Vec::new(), 0, 0.0);
        for (&count, probability) in counts.iter().zip(self.probabilities(counts, epoch)) {
            let positions = start..start + count as u32;
            start = positions.end;
            if count > 0 {
                cumulated += probability;
                classes.push((cumulated, positions));
            }
        }
        let mut draw = || {
            let u: f64 = rng.random();
            let class = classes.partition_point(|&(cumulated, _)| cumulated <= u).min(classes.len() - 1);
            rng.random_range(classes[class].1.clone())
        };
        images.map(|_| draw()).collect()
    }

    /// Refuses a beta for which there are no probabilities.
    pub(crate) fn check(self) -> Result<()> {
        match self {
            Self::EffectiveNumber { beta } if !(0.0..=1.0).contains(&beta) => Err(Error::Config(format!(
                "the effective-number sampler's beta should be from 0 to 1, found {beta}"
            ))),
            _ => Ok(()),
        }
    }
}
