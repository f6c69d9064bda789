use crate::{Error, Result};

/// How many training images each class keeps; classes in label order.
#[derive(Clone, Debug, PartialEq)]
pub enum Profile {
    /// All of them.
    Full,
    /// The same number for each class.
    Balanced {
        /// That number; `None` for the size of the smallest class.
        per_class: Option<usize>,
    },
    /// n_k = floor(n_max ratio^(-k/(K-1))), k = 0..K-1 (Cao et al. 2019).
    Exponential {
        /// Imbalance ratio n_max / n_min, at least 1.
        ratio: f64,
        /// n_max; `None` for the size of the smallest class, which every class can give.
        largest: Option<usize>,
    },
    /// n_max for the first half of the classes, floor(n_max / ratio) for the others.
    Step {
        /// Imbalance ratio n_max / n_min, at least 1.
        ratio: f64,
        /// n_max; `None` for the size of the smallest class.
        largest: Option<usize>,
    },
    /// These numbers.
    Counts(Vec<usize>),
}

impl Profile {
    /// The number of images of each class, where `available` are there.
    ///
    /// ```
    /// use nc_data::Profile;
    ///
    /// let profile = Profile::Exponential { ratio: 100.0, largest: None };
    /// let counts = profile.counts(&[5000; 10])?; // CIFAR10-LT
    /// assert_eq!(counts, [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]);
    /// # Ok::<(), nc_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::TooFewImages`] where a class has fewer than it should keep, [`Error::Profile`] for a ratio below 1, a
    /// wrong number of counts, or a profile that keeps nothing.
    pub fn counts(&self, available: &[usize]) -> Result<Vec<usize>> {
        let classes = available.len();
        let smallest = available.iter().min().copied().unwrap_or(0);
        let counts = match self {
            Self::Full => available.to_vec(),
            Self::Balanced { per_class } => vec![per_class.unwrap_or(smallest); classes],
            Self::Exponential { ratio, largest } => {
                let ratio = checked(*ratio)?;
                let last = classes.saturating_sub(1).max(1) as f64;
                let size = |class| share(largest.unwrap_or(smallest), ratio.powf(class as f64 / last));
                (0..classes).map(size).collect()
            }
            Self::Step { ratio, largest } => {
                let largest = largest.unwrap_or(smallest);
                let few = share(largest, checked(*ratio)?);
                (0..classes).map(|class| if class < classes / 2 { largest } else { few }).collect()
            }
            Self::Counts(counts) if counts.len() != classes => {
                let message = format!("{} counts were given for {classes} classes", counts.len());
                return Err(Error::Profile(message));
            }
            Self::Counts(counts) => counts.clone(),
        };
        for (class, (&wanted, &available)) in counts.iter().zip(available).enumerate() {
            if wanted > available {
                return Err(Error::TooFewImages { class, wanted, available });
            }
        }
        if counts.iter().all(|&count| count == 0) {
            return Err(Error::Profile("the profile keeps no image at all".into()));
        }
        Ok(counts)
    }
}

fn checked(ratio: f64) -> Result<f64> {
    if ratio >= 1.0 && ratio.is_finite() {
        return Ok(ratio);
    }
    Err(Error::Profile(format!(
        "the imbalance ratio is largest over smallest class, at least 1, not {ratio}"
    )))
}

/// floor(`largest` / `divisor`), with quotients that are whole but for rounding taken as whole.
fn share(largest: usize, divisor: f64) -> usize {
    (largest as f64 / divisor + 1e-9).floor() as usize
}
