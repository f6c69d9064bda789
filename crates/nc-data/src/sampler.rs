use rand::{Rng, seq::SliceRandom};

use crate::{
    Error, Result, Subset,
    rng::{Purpose, stream},
};

/// Selects the images of an epoch, always as many as the subset has.
///
/// [`Sampler::Uniform`] takes each image once. All others draw with replacement: a class k with probability P(k), then
/// one of its n_k images uniformly.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields))]
pub enum Sampler {
    /// Each image once, in random order.
    Uniform,
    /// Every class equally likely, with replacement: P(k) = 1/K
    /// ([Kang et al. 2020](https://arxiv.org/abs/1910.09217)).
    ClassBalanced,
    /// Images weighted by the inverse effective number of their class
    /// ([Cui et al. 2019](https://arxiv.org/abs/1901.05555)), with replacement:
    /// P(k) ~ n_k (1 - beta) / (1 - beta^n_k), as in LDAM's re-sampling (CE-RS).
    EffectiveNumber {
        /// The beta of effective numbers (1 - beta^n) / (1 - beta), from 0 (P(k) ~ n_k) towards 1 (class-balanced);
        /// commonly 0.9999.
        #[cfg_attr(feature = "serde", schemars(range(min = 0), extend("exclusiveMaximum" = 1)))]
        beta: f64,
    },
    /// Classes weighted by the square root of their size, with replacement: P(k) ~ sqrt(n_k)
    /// ([Mahajan et al. 2018](https://arxiv.org/abs/1805.00932)).
    SquareRoot,
    /// Classes weighted by the inverse of their size, with replacement: P(k) ~ n_max / n_k
    /// ([BBN](https://arxiv.org/abs/1912.02413), Zhou et al. 2020).
    Reverse,
    /// Interpolates from uniform over images in the first epoch to uniform over classes in the last, with replacement:
    /// P(k) = (1 - t) n_k / n + t / K with t = e / (E - 1) in epoch e of E
    /// ([Kang et al. 2020](https://arxiv.org/abs/1910.09217)).
    Progressive,
}

impl Sampler {
    /// The probability P(k) of each class in `epoch` of `epochs`, given `counts[k]` images of class k. Empty classes
    /// have probability 0 and do not count towards K. Only [`Sampler::Progressive`] needs `epochs`; its later epochs
    /// equal the last.
    ///
    /// ```
    /// use nc_data::Sampler;
    ///
    /// assert_eq!(Sampler::Uniform.class_probabilities(&[12, 4], 0, None)?, [0.75, 0.25]);
    /// assert_eq!(Sampler::ClassBalanced.class_probabilities(&[12, 4], 0, None)?, [0.5, 0.5]);
    /// assert_eq!(Sampler::SquareRoot.class_probabilities(&[9, 1], 0, None)?, [0.75, 0.25]);
    /// assert_eq!(Sampler::Progressive.class_probabilities(&[12, 4], 1, Some(3))?, [0.625, 0.375]);
    /// # Ok::<(), nc_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if beta is not from 0 to 1, or for [`Sampler::Progressive`] without `epochs`.
    pub fn class_probabilities(
        &self,
        counts: &[usize],
        epoch: usize,
        epochs: Option<usize>,
    ) -> Result<Vec<f64>> {
        self.check(epochs)?;
        Ok(self.probabilities(counts, epoch, epochs))
    }

    fn probabilities(self, counts: &[usize], epoch: usize, epochs: Option<usize>) -> Vec<f64> {
        let images = counts.iter().sum::<usize>() as f64;
        let classes = counts.iter().filter(|&&n| n > 0).count() as f64;
        let weight = |n: f64| match self {
            Self::Uniform => n,
            // -expm1(n ln beta) would avoid cancellation for beta^n near 1, but changes the last bits and thus recorded
            // plans: postponed to the next format version.
            Self::EffectiveNumber { beta } if beta < 1.0 => n * (1.0 - beta) / (1.0 - beta.powf(n)),
            // The limit for beta = 1.
            Self::ClassBalanced | Self::EffectiveNumber { .. } => 1.0,
            Self::SquareRoot => n.sqrt(),
            Self::Reverse => 1.0 / n,
            Self::Progressive => {
                let last = epochs.map_or(1, |epochs| epochs.max(2) - 1); // `check` refuses `None`
                let t = (epoch as f64 / last as f64).min(1.0);
                (1.0 - t) * n / images + t / classes
            }
        };
        let weights: Vec<f64> = counts.iter().map(|&n| if n == 0 { 0.0 } else { weight(n as f64) }).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| if total > 0.0 { weight / total } else { 0.0 }).collect()
    }

    /// The images of `epoch` of `epochs`, in order, as positions in `subset`. Depends only on the class counts of the
    /// subset, `seed`, `epoch` and, for [`Sampler::Progressive`], `epochs`. These are the images of view 0 of a
    /// [`Loader`](crate::Loader).
    ///
    /// ```
    /// use nc_data::{Sampler, Subset, fashion_mnist_lt};
    ///
    /// let subset = Subset::all(&fashion_mnist_lt()?.train);
    /// let plan = Sampler::Reverse.plan(&subset, 0, 0, None)?;
    /// assert_eq!(plan.len(), 2478);
    /// let rarest = plan.iter().filter(|&&position| subset.labels()[position as usize] == 9).count();
    /// assert!(rarest > 800); // 10 of 2478 images, drawn with probability 0.37
    /// # Ok::<(), nc_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Sampler::class_probabilities`].
    pub fn plan(&self, subset: &Subset, seed: u64, epoch: usize, epochs: Option<usize>) -> Result<Vec<u32>> {
        self.check(epochs)?;
        Ok(self.checked_plan(subset, epoch, epochs, stream(seed, Purpose::Plan, epoch as u64, 0)))
    }

    /// The plan of a validated sampler, drawn from `rng`.
    pub(crate) fn checked_plan(
        self,
        subset: &Subset,
        epoch: usize,
        epochs: Option<usize>,
        mut rng: impl Rng,
    ) -> Vec<u32> {
        let images = 0..subset.len() as u32;
        if self == Self::Uniform {
            let mut plan: Vec<u32> = images.collect();
            plan.shuffle(&mut rng);
            return plan;
        }
        // A subset is sorted by class. Empty classes are left out so that rounding cannot draw one.
        let counts = subset.class_counts();
        let (mut classes, mut start, mut cumulated) = (Vec::new(), 0, 0.0);
        for (&count, probability) in counts.iter().zip(self.probabilities(counts, epoch, epochs)) {
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

    /// Refuses a sampler without valid probabilities.
    pub(crate) fn check(self, epochs: Option<usize>) -> Result<()> {
        match self {
            Self::EffectiveNumber { beta } if !(0.0..=1.0).contains(&beta) => Err(Error::Config(format!(
                "expected a beta from 0 to 1 for the effective-number sampler, found {beta}"
            ))),
            Self::Progressive if epochs.is_none() => {
                Err(Error::Config("the progressive sampler needs the number of epochs, found none".into()))
            }
            _ => Ok(()),
        }
    }
}
