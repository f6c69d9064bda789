use candle_core::Tensor;

use crate::class_weights::of_classes;
use crate::{Result, check};

/// LDAM margins, larger for rarer classes.
///
/// ```text
/// m_k = C n_k^{-1/4},   C such that the largest is max_margin
/// ```
///
/// `counts` holds n_k, the training samples per class; an empty class has margin 0.
///
/// # Example
///
/// ```
/// assert_eq!(nc_losses::ldam_margins(&[16, 1], 0.5), [0.25, 0.5]);
/// ```
///
/// # Source
///
/// Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS 2019, eq. 13.
pub fn ldam_margins(counts: &[usize], max_margin: f64) -> Vec<f64> {
    let raw = counts.iter().map(|&count| if count == 0 { 0.0 } else { (count as f64).powf(-0.25) });
    let largest = raw.clone().fold(0.0, f64::max);
    raw.map(|margin| if largest > 0.0 { margin * max_margin / largest } else { 0.0 }).collect()
}

/// Logits with each true class's entry lowered by its margin, as input to a cross entropy in training.
///
/// ```text
/// z_{i,k} - m_k [k = y_i]
/// ```
///
/// In LDAM the logits are s times the cosines of features and class directions, with s = 30, and the margins are s
/// times [`ldam_margins`].
///
/// Shapes: `logits` z (B, K); `labels` y (B) of `u32`; `margins` m (K); returns (B, K).
///
/// # Errors
///
/// As [`cross_entropy`](crate::cross_entropy), and if `margins` does not have length K.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use nc_losses::{cross_entropy, with_margins};
///
/// let logits = Tensor::new(&[[1f32, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32], &Device::Cpu)?;
/// let lowered = with_margins(&logits, &labels, &[1.0, 5.0])?;
/// assert_eq!(lowered.to_vec2::<f32>()?, [[0.0, 0.0]]);
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// As [`ldam_margins`], eq. 12.
pub fn with_margins(logits: &Tensor, labels: &Tensor, margins: &[f64]) -> Result<Tensor> {
    let (samples, classes) = check::matrix("logits", logits)?;
    check::labels(labels, samples, classes)?;
    let margins = of_classes(margins.to_vec(), logits)?;
    check::shape("margins", &margins, &[classes])?;
    Ok((logits - check::one_hot(labels, classes, logits.dtype())?.broadcast_mul(&margins)?)?)
}
