use candle_core::{D, Tensor};

use crate::class_weights::of_classes;
use crate::{Result, check};

/// Angular margins inversely proportional to the class sizes.
///
/// ```text
/// m_k = max_margin n_min / n_k
/// ```
///
/// n_min is the size of the smallest class with samples; an empty class has margin 0. In radians, for
/// [`with_angular_margins`].
///
/// # Example
///
/// ```
/// assert_eq!(nc_losses::angular_margins(&[40, 10], 0.2), [0.05, 0.2]);
/// ```
///
/// # Source
///
/// Son et al., "Difficulty-aware Balancing Margin Loss for Long-tailed Recognition", AAAI 2025, in the form of the
/// authors' code (quotation2520/dbm_ltr).
pub fn angular_margins(counts: &[usize], max_margin: f64) -> Vec<f64> {
    let smallest = counts.iter().copied().filter(|&count| count > 0).min().unwrap_or(0) as f64;
    let margin = |&count: &usize| if count == 0 { 0.0 } else { max_margin * smallest / count as f64 };
    counts.iter().map(margin).collect()
}

// schemars copies these comments into the configuration reference.
/// Samples whose margin grows with the angle to their class direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema),
    serde(rename_all = "kebab-case")
)]
pub enum DifficultSamples {
    /// None: every sample has the margin of its class.
    None,
    /// All samples.
    All,
    /// Samples whose nearest class direction is not that of their label.
    #[default]
    Wrong,
}

/// Cosines with a margin on the angle to each sample's own class, for a cross entropy of scaled cosines.
///
/// ```text
/// cos(theta_y + m_y + m_y d_i),   d_i = (1 - cos theta_y) / 2 for difficult samples, else 0
/// cos(theta_k)                    for the other classes
/// ```
///
/// theta_k is the angle between the feature and the direction of class k. The difficulty d_i is 0 at the class direction and
/// 1 opposite to it; its gradient is part of the loss. Cosines of the own class are limited to 1 - 1e-6 in size, where the
/// arc cosine has no derivative.
///
/// Shapes: `cosines` (B, K) in [-1, 1]; `labels` y (B) of `u32`; `margins` m (K) in radians, see [`angular_margins`];
/// returns (B, K).
///
/// # Errors
///
/// As [`cross_entropy`](crate::cross_entropy), and if `margins` does not have length K.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use nc_losses::{DifficultSamples, with_angular_margins};
///
/// let cosines = Tensor::new(&[[0f64, 0.5]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32], &Device::Cpu)?;
/// let lowered = with_angular_margins(&cosines, &labels, &[0.2, 0.1], DifficultSamples::Wrong)?;
/// let lowered = lowered.to_vec2::<f64>()?;
/// assert!((lowered[0][0] + 0.3f64.sin()).abs() < 1e-12); // cos(pi/2 + 0.2 + 0.2/2)
/// assert_eq!(lowered[0][1], 0.5);
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// As [`angular_margins`]; the formula is DBM's.
pub fn with_angular_margins(
    cosines: &Tensor,
    labels: &Tensor,
    margins: &[f64],
    difficult: DifficultSamples,
) -> Result<Tensor> {
    /// Distance of the cosine of the own class from 1 and -1.
    const GAP: f64 = 1e-6;
    let (samples, classes) = check::matrix("cosines", cosines)?;
    check::labels(labels, samples, classes)?;
    let margins = of_classes(margins.to_vec(), cosines)?;
    check::shape("margins", &margins, &[classes])?;
    let column = labels.unsqueeze(1)?.contiguous()?;
    let own = cosines.gather(&column, 1)?;
    let limited = own.clamp(GAP - 1.0, 1.0 - GAP)?;
    let class_margin = margins.index_select(&labels.contiguous()?, 0)?.unsqueeze(1)?;
    let margin = match difficult {
        DifficultSamples::None => class_margin,
        DifficultSamples::All => grown(&class_margin, &limited, None)?,
        DifficultSamples::Wrong => {
            let wrong = cosines.detach().argmax_keepdim(D::Minus1)?.ne(&column)?;
            grown(&class_margin, &limited, Some(&wrong.to_dtype(cosines.dtype())?))?
        }
    };
    // cos(theta + m) without the arc cosine.
    let sine = (1.0 - limited.sqr()?)?.sqrt()?;
    let lowered = ((&limited * margin.cos()?)? - (sine * margin.sin()?)?)?;
    let one_hot = check::one_hot(labels, classes, cosines.dtype())?;
    Ok((cosines + one_hot.broadcast_mul(&(lowered - own)?)?)?)
}

/// m (1 + d), with d = (1 - cosine) / 2 where `mask` is 1, or everywhere.
fn grown(margin: &Tensor, cosine: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let difficulty = cosine.affine(-0.5, 0.5)?;
    let difficulty = match mask {
        Some(mask) => (difficulty * mask)?,
        None => difficulty,
    };
    Ok((margin * (difficulty + 1.0)?)?)
}
