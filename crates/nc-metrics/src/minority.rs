//! Minority collapse: vectors of small classes that coincide.

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    linalg::{mean, norm, times_transposed},
};

/// Mean pairwise cosines and angles within thirds of the classes, ordered by number of training samples. On imbalanced
/// data the vectors of small classes turn towards each other, until beyond some imbalance they coincide with cosine 1:
/// minority collapse (Fang et al. 2021).
///
/// Head and tail are the floor(K/3) largest and smallest classes (on ties, the smaller label counts as larger), medium
/// the rest. Shot groups are unsuitable: CIFAR10-LT has no class with fewer than 20 images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MinorityCollapse {
    /// The largest classes.
    pub head: Option<PairMean>,
    /// The classes between.
    pub medium: Option<PairMean>,
    /// The smallest classes.
    pub tail: Option<PairMean>,
}

/// Means over the pairs of a group; replaced by None for fewer than two classes or vectors of norm zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairMean {
    /// Mean cosine: -1/(K-1) in a simplex ETF of all K classes, 1 when collapsed.
    pub cosine: f64,
    /// Mean angle in degrees.
    pub angle_degrees: f64,
}

impl MinorityCollapse {
    /// Minority collapse of vectors (K, P), row by row, with training counts (K); P = `dims`.
    ///
    /// ```
    /// use nc_metrics::MinorityCollapse;
    ///
    /// // Two classes per third: orthogonal, opposite, and collapsed.
    /// let rows = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0, -1.0, -1.0, 0.0, 3.0, 0.0, 2.0];
    /// let minority = MinorityCollapse::of(&rows, &[90, 80, 30, 20, 5, 4], 2)?;
    /// assert_eq!(minority.head.unwrap().angle_degrees, 90.0);
    /// assert!((minority.medium.unwrap().cosine + 1.0).abs() < 1e-15);
    /// assert_eq!(minority.tail.unwrap().cosine, 1.0);
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If lengths do not match, or a value is not finite.
    pub fn of(rows: &[f64], training_counts: &[usize], dims: usize) -> Result<Self> {
        crate::error::check_rows("vectors", rows, dims)?;
        crate::error::check_length("training_counts", training_counts, rows.len() / dims)?;
        let mut order: Vec<usize> = (0..training_counts.len()).collect();
        order.sort_by_key(|&class| std::cmp::Reverse(training_counts[class]));
        let third = order.len() / 3;
        let (head, rest) = order.split_at(third);
        let (medium, tail) = rest.split_at(rest.len() - third);
        let of = |classes: &[usize]| pair_mean(rows, classes, dims);
        Ok(Self { head: of(head), medium: of(medium), tail: of(tail) })
    }
}

fn pair_mean(rows: &[f64], classes: &[usize], dims: usize) -> Option<PairMean> {
    let row = |&class: &usize| &rows[class * dims..][..dims];
    if classes.len() < 2 || classes.iter().any(|class| norm(row(class)) == 0.0) {
        return None;
    }
    let unit: Vec<f64> = classes
        .iter()
        .flat_map(|class| {
            let norm = norm(row(class));
            row(class).iter().map(move |x| x / norm)
        })
        .collect();
    let products = times_transposed(&unit, &unit, dims);
    let n = classes.len();
    let cosines: Vec<f64> = (0..n)
        .flat_map(|i| products[i * n..i * n + i].iter().map(|cosine| cosine.clamp(-1.0, 1.0)))
        .collect();
    let angles: Vec<f64> = cosines.iter().map(|cosine| cosine.acos().to_degrees()).collect();
    Some(PairMean { cosine: mean(&cosines), angle_degrees: mean(&angles) })
}
