//! Minority collapse: vectors of small classes that fall together.

use serde::{Deserialize, Serialize};

use crate::{
    error::Result,
    linalg::{mean, norm, times_transposed},
};

/// Mean cosines and angles between the vectors of each two classes of a third of the classes, ordered by their number
/// of training samples. On imbalanced data the vectors of small classes turn towards each other, until beyond some
/// imbalance they coincide and their cosine is 1 (Fang et al. 2021): minority collapse.
///
/// Head and tail are the floor(K/3) largest and smallest classes (of equal ones the one with the smaller label counts as
/// larger), medium those between. Shot groups would not do: CIFAR10-LT has no class with fewer than 20 images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MinorityCollapse {
    /// Of the largest classes.
    pub head: Option<PairMean>,
    /// Of those between.
    pub medium: Option<PairMean>,
    /// Of the smallest.
    pub tail: Option<PairMean>,
}

/// Means over the pairs of a group. None in place of this for fewer than two classes, or vectors of norm zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairMean {
    /// Mean cosine: -1/(K-1) in a simplex ETF of all K classes, 1 when collapsed.
    pub cosine: f64,
    /// Mean angle in degrees.
    pub angle_degrees: f64,
}

impl MinorityCollapse {
    /// Measures vectors (K, P), row after row, of classes with these numbers of training samples (K); P = `dims`.
    ///
    /// ```
    /// use nc_metrics::MinorityCollapse;
    ///
    /// // Two classes a third: at right angles, opposite, and collapsed.
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
    /// If the lengths do not fit, or a value is not finite.
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
