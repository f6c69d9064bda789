use candle_core::{DType, Tensor};

use super::{BetweenForm, composed, fused};
use crate::{Result, check};

/// Between-class regulariser L_B: spreads the class means to the largest possible angles (NC2).
///
/// Used together with [`within_class`](crate::within_class), which ties the features to the same centres. It also works
/// on the class means of a batch, see [`class_means`](crate::class_means).
///
/// With m_k = c_k - (1/K) sum_j c_j and cos_kj the cosine between m_k and m_j:
///
/// ```text
/// MeanMinAngle     L_B = -(1/K) sum_k min_{j != k} arccos(cos_kj)
/// GlobalMinAngle   L_B = -min_{k, j != k} arccos(cos_kj)
/// EtfGap           L_B = sqrt( sum_{k, j != k} (cos_kj + 1/(K-1))^2 )
/// ```
///
/// The angle forms are negative and in radians, with cosines clamped to +-0.99999; a simplex ETF reaches
/// -arccos(-1/(K-1)). All forms are invariant to shifts, scalings and rotations of the centres.
///
/// Edge cases, none of which gives NaN or an infinite gradient for finite centres:
///
/// - Where the clamp is active, as for coinciding means, the gradient is 0.
/// - A centre at the mean of all centres (within rounding) has no direction: it counts as orthogonal to every other
///   and receives no gradient through its own direction.
/// - Among equally near neighbours, only one receives the gradient.
/// - A single centre gives loss 0 without gradient.
///
/// Shapes: `centers` c (K, P); returns a scalar. For the backward pass the angle forms store O(K P) values, `EtfGap` a
/// K x K matrix.
///
/// # Errors
///
/// [`Error`](crate::Error) if K or P is zero or the centres are neither `f32` nor `f64`.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use nc_losses::{BetweenForm, between_class};
///
/// // An equilateral triangle is a simplex ETF of three classes: every angle is 120 degrees.
/// let centers = Tensor::new(&[[1f64, 0.0], [-0.5, 0.75f64.sqrt()], [-0.5, -0.75f64.sqrt()]], &Device::Cpu)?;
/// let loss = between_class(&centers, BetweenForm::MeanMinAngle)?.to_scalar::<f64>()?;
/// assert!((loss.to_degrees() + 120.0).abs() < 1e-9);
/// let gap = between_class(&centers, BetweenForm::EtfGap)?.to_scalar::<f64>()?;
/// assert!(gap.abs() < 1e-9);
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Liu et al., "Inducing Neural Collapse in Deep Long-tailed Learning", AISTATS 2023, eq. 15.
pub fn between_class(centers: &Tensor, form: BetweenForm) -> Result<Tensor> {
    let (classes, _) = check::matrix("centers", centers)?;
    if classes == 1 {
        return Ok(Tensor::zeros((), centers.dtype(), centers.device())?);
    }
    let loss = match form {
        BetweenForm::EtfGap => composed::etf_gap(centers),
        form if !centers.device().is_cpu() => composed::smallest_angles(centers, form),
        form if centers.dtype() == DType::F64 => fused::smallest_angles::<f64>(centers, form),
        form => fused::smallest_angles::<f32>(centers, form),
    };
    Ok(loss?)
}
