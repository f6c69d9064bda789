use candle_core::Tensor;

use crate::{Result, adjusted_logits};

/// Logits for a cross entropy that trains an expert of rare classes: SADE's inverse softmax.
///
/// ```text
/// z_k + log pi_k - tau log pi'_k
/// ```
///
/// pi_k = n_k / sum_j n_j is the share of class k, and pi' gives the largest class the share of the smallest, the second
/// largest that of the second smallest, and so on. With tau = 1 the softmax is that of images distributed as pi'; SADE
/// uses tau = 2. Of classes of equal size, the first is the smaller one. A class without samples is excluded, as in
/// [`adjusted_logits`]; in pi' it counts as one sample.
///
/// Shapes: `logits` z (B, K); `counts` n (K); returns (B, K).
///
/// # Errors
///
/// As [`adjusted_logits`](crate::adjusted_logits).
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[0f32, 0.0]], &Device::Cpu)?;
/// let adjusted = nc_losses::inverse_softmax_logits(&logits, &[90, 10], 2.0)?.to_vec2::<f32>()?;
/// // The shares are (0.9, 0.1), their inverse (0.1, 0.9).
/// assert!((adjusted[0][0] - (0.9f32 / 0.01).ln()).abs() < 1e-5);
/// assert!((adjusted[0][1] - (0.1f32 / 0.81).ln()).abs() < 1e-5);
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Zhang et al., "Self-Supervised Aggregation of Diverse Experts for Test-Agnostic Long-Tailed Recognition", NeurIPS
/// 2022, eq. 4, with tau of the authors' code (Vanint/SADE-AgnosticLT).
pub fn inverse_softmax_logits(logits: &Tensor, counts: &[usize], tau: f64) -> Result<Tensor> {
    let adjusted = adjusted_logits(logits, counts, 1.0)?;
    adjusted_logits(&adjusted, &reversed(counts), -tau)
}

/// For each class, the count of the class at the opposite rank, at least 1.
fn reversed(counts: &[usize]) -> Vec<usize> {
    let mut ascending: Vec<usize> = (0..counts.len()).collect();
    ascending.sort_by_key(|&class| counts[class]);
    let mut reversed = vec![0; counts.len()];
    for (&class, &opposite) in ascending.iter().zip(ascending.iter().rev()) {
        reversed[class] = counts[opposite].max(1);
    }
    reversed
}

#[cfg(test)]
mod tests {
    use super::reversed;

    #[test]
    fn the_largest_class_gets_the_count_of_the_smallest() {
        assert_eq!(reversed(&[50, 3, 20, 7]), [3, 50, 7, 20]);
        assert_eq!(reversed(&[5, 5, 9]), [9, 5, 5]);
        assert_eq!(reversed(&[0, 8]), [8, 1]);
    }
}
