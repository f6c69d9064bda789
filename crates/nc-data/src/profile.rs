use crate::{Error, Result};

/// Long-tail profile: the number of training images n_k of each class, in label order k = 0..K-1.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields))]
pub enum Profile {
    /// All images.
    Full,
    /// The same number of images for each class.
    Balanced {
        /// Images per class; defaults to the size of the smallest class.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 1, max = 1_000_000_000)))]
        per_class: Option<usize>,
    },
    /// n_k = floor(n_max ratio^(-k/(K-1))): CIFAR-LT of [Cao et al. 2019](https://arxiv.org/abs/1906.07413) (LDAM).
    Exponential {
        /// Imbalance ratio n_max / n_min, at least 1.
        #[cfg_attr(feature = "serde", schemars(range(min = 1, max = 1e6)))]
        ratio: f64,
        /// n_max; defaults to the size of the smallest class.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 1, max = 1_000_000_000)))]
        largest: Option<usize>,
    },
    /// n_max for the first floor(K/2) classes, floor(n_max / ratio) for the others
    /// ([Buda et al. 2018](https://arxiv.org/abs/1710.05381)).
    Step {
        /// Imbalance ratio n_max / n_min, at least 1.
        #[cfg_attr(feature = "serde", schemars(range(min = 1, max = 1e6)))]
        ratio: f64,
        /// n_max; defaults to the size of the smallest class.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 1, max = 1_000_000_000)))]
        largest: Option<usize>,
    },
    /// An explicit number of images for each class.
    Counts {
        /// One number per class, in label order.
        #[cfg_attr(feature = "serde", schemars(inner(range(max = 1_000_000_000))))]
        counts: Vec<usize>,
    },
}

impl Profile {
    /// The number of images n_k of each class, given the numbers `available`.
    ///
    /// ```
    /// use nc_data::Profile;
    ///
    /// let profile = Profile::Exponential { ratio: 100.0, largest: None };
    /// let counts = profile.counts(&[5000; 10])?; // CIFAR10-LT
    /// assert_eq!(counts, [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]);
    ///
    /// let profile = Profile::Step { ratio: 10.0, largest: Some(40) };
    /// assert_eq!(profile.counts(&[50; 5])?, [40, 40, 4, 4, 4]);
    /// # Ok::<(), nc_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::TooFewImages`] if a class has fewer images than it should keep. [`Error::Profile`] for a ratio that is
    /// below 1 or not finite, a wrong number of counts, a profile that keeps no images, a class left empty by any
    /// profile but [`Profile::Full`] and [`Profile::Counts`], or a class without images if the size defaults to that of
    /// the smallest class.
    pub fn counts(&self, available: &[usize]) -> Result<Vec<usize>> {
        self.counts_of(available, &|class| class.to_string())
    }

    /// [`Profile::counts`] with the class names `name(k)` in errors.
    pub(crate) fn counts_of(
        &self,
        available: &[usize],
        name: &dyn Fn(usize) -> String,
    ) -> Result<Vec<usize>> {
        let classes = available.len();
        // Defaults to the size of the smallest class.
        let size = |given: Option<usize>| match (given, available.iter().position(|&there| there == 0)) {
            (Some(size), _) => Ok(size),
            (None, Some(class)) => Err(Error::Profile(format!(
                "class {} has no images; set the size, which defaults to that of the smallest class",
                name(class)
            ))),
            (None, None) => Ok(available.iter().min().copied().unwrap_or(0)),
        };
        let counts = match self {
            Self::Full => available.to_vec(),
            Self::Balanced { per_class } => vec![size(*per_class)?; classes],
            Self::Exponential { ratio, largest } => {
                let (ratio, largest) = (checked(*ratio)?, size(*largest)?);
                let last = classes.saturating_sub(1).max(1) as f64;
                (0..classes).map(|class| share(largest, ratio.powf(class as f64 / last))).collect()
            }
            Self::Step { ratio, largest } => {
                let (ratio, largest) = (checked(*ratio)?, size(*largest)?);
                let few = share(largest, ratio);
                (0..classes).map(|class| if class < classes / 2 { largest } else { few }).collect()
            }
            Self::Counts { counts } if counts.len() != classes => {
                let found = counts.len();
                return Err(Error::Profile(format!(
                    "expected {classes} counts, one per class, found {found}"
                )));
            }
            Self::Counts { counts } => counts.clone(),
        };
        self.check(&counts, available, name)?;
        Ok(counts)
    }

    fn check(&self, counts: &[usize], available: &[usize], name: &dyn Fn(usize) -> String) -> Result<()> {
        for (class, (&wanted, &available)) in counts.iter().zip(available).enumerate() {
            if wanted > available {
                return Err(Error::TooFewImages { class: name(class), wanted, available });
            }
        }
        if counts.iter().all(|&count| count == 0) {
            return Err(Error::Profile("the profile keeps no images".into()));
        }
        let says_so = matches!(self, Self::Full | Self::Counts { .. });
        if let (false, Some(class)) = (says_so, counts.iter().position(|&count| count == 0)) {
            let largest = counts.iter().max().copied().unwrap_or(0);
            return Err(Error::Profile(format!(
                "class {} would keep no images: {largest} in the largest class are too few for this imbalance ratio",
                name(class)
            )));
        }
        Ok(())
    }
}

fn checked(ratio: f64) -> Result<f64> {
    if ratio >= 1.0 && ratio.is_finite() {
        return Ok(ratio);
    }
    Err(Error::Profile(format!(
        "expected an imbalance ratio (largest / smallest class) of at least 1, found {ratio}"
    )))
}

/// floor(`largest` / `divisor`), where a quotient that is whole up to rounding counts as whole: `powf` has a relative
/// error of about 1e-16.
fn share(largest: usize, divisor: f64) -> usize {
    (largest as f64 / divisor * (1.0 + 1e-13)).floor() as usize
}
