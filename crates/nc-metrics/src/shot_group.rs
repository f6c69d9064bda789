//! Groups of classes by number of training samples.

use serde::{Deserialize, Serialize};

/// Shot group of a class by its number of *training* samples (Liu et al. 2019, OLTR), also for test metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShotGroup {
    /// More than 100 training samples.
    Many,
    /// 20 to 100 training samples.
    Medium,
    /// Fewer than 20 training samples.
    Few,
}

impl ShotGroup {
    /// Shot group of a class with `training_count` training samples.
    ///
    /// ```
    /// use nc_metrics::ShotGroup;
    ///
    /// let groups = [101, 100, 20, 19].map(ShotGroup::of);
    /// assert_eq!(groups, [ShotGroup::Many, ShotGroup::Medium, ShotGroup::Medium, ShotGroup::Few]);
    /// ```
    pub fn of(training_count: usize) -> Self {
        match training_count {
            101.. => Self::Many,
            20..=100 => Self::Medium,
            _ => Self::Few,
        }
    }
}

/// Number of classes per shot group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShotClasses {
    /// Classes of [`ShotGroup::Many`].
    pub many: usize,
    /// Classes of [`ShotGroup::Medium`].
    pub medium: usize,
    /// Classes of [`ShotGroup::Few`].
    pub few: usize,
}

impl ShotClasses {
    /// Counts the classes per group.
    pub fn of(training_counts: &[usize]) -> Self {
        let classes = |group| training_counts.iter().filter(|&&count| ShotGroup::of(count) == group).count();
        Self {
            many: classes(ShotGroup::Many),
            medium: classes(ShotGroup::Medium),
            few: classes(ShotGroup::Few),
        }
    }
}
