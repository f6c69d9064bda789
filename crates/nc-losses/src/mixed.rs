use candle_core::Tensor;

use crate::{Result, check};

/// Mix-up: any label-based loss on a batch whose samples were mixed in pairs.
///
/// The image is `lambda * x + (1 - lambda) * x_partner`, and the loss is mixed the same way. It is linear in the
/// *loss*, not in the labels: a [weighted cross entropy](crate::weighted_cross_entropy) is normalised separately for
/// each set of labels, and [`within_class`](crate::within_class) counts classes separately.
///
/// ```text
/// L = lambda * loss(y) + (1 - lambda) * loss(y_partner)
/// ```
///
/// A term with factor 0 is not evaluated, so lambda = 1 costs as much as an unmixed batch.
///
/// Shapes: `labels` (B) and `partner` (B) of `u32`, the labels of the two samples of each mix; `lambda` in [0, 1];
/// returns the result shape of `loss`.
///
/// # Errors
///
/// [`Error::Range`](crate::Error::Range) if `lambda` is outside [0, 1], [`Error::Shape`](crate::Error::Shape) if the
/// two sets of labels differ in shape, and any error of `loss`.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use nc_losses::{cross_entropy, mixed};
///
/// let logits = Tensor::new(&[[2f32, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32], &Device::Cpu)?;
/// let partner = Tensor::new(&[1u32], &Device::Cpu)?;
/// let loss = mixed(&labels, &partner, 0.7, |labels| cross_entropy(&logits, labels))?;
/// assert!((loss.to_scalar::<f32>()? - 0.726_928).abs() < 1e-6); // ln(1 + e^-2) + 0.3 * 2
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
pub fn mixed(
    labels: &Tensor,
    partner: &Tensor,
    lambda: f64,
    loss: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    check::fraction("lambda", lambda)?;
    check::shape("partner", partner, labels.dims())?;
    if lambda == 1.0 {
        return loss(labels);
    }
    if lambda == 0.0 {
        return loss(partner);
    }
    Ok(((loss(labels)? * lambda)? + (loss(partner)? * (1.0 - lambda))?)?)
}
