use candle_core::{D, Tensor};

use crate::{Error, Result, check};

/// Closeness of directions on the unit sphere: minimising it spreads class directions or class means uniformly.
///
/// ```text
/// U = (1/t) log( 1/(K (K-1)) sum_{k != j} exp(t cos(v_k, v_j)) )
/// ```
///
/// A smooth form of the largest cosine, which it approaches as the sharpness t grows; as t falls to 0 it approaches the
/// mean cosine, with a rounding error of about 1e-6/t in `f32`. All pairs have a gradient, where [`between_class`](crate::between_class) attends to nearest neighbours. The
/// minimum for K <= P + 1 is a regular simplex, with U = -1/(K-1). A row of zeros has cosine 0 with all others.
///
/// Shapes: `vectors` v (K, P), of any lengths, K >= 2; returns a scalar in [-1, 1].
///
/// # Errors
///
/// [`Error`](crate::Error) if K < 2 or P is zero, the vectors are neither `f32` nor `f64`, or `sharpness` is not a finite
/// number above 0.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let vectors = Tensor::new(&[[2f64, 0.0], [0.0, 1.0], [-1.0, 0.0]], &Device::Cpu)?;
/// let closeness = nc_losses::uniformity(&vectors, 10.0)?.to_scalar::<f64>()?;
/// // Cosines 0, 0 and -1.
/// assert!((closeness - ((2.0 + (-10f64).exp()) / 3.0).ln() / 10.0).abs() < 1e-12);
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// The uniformity of Wang and Isola, "Understanding Contrastive Representation Learning through Alignment and Uniformity
/// on the Hypersphere", ICML 2020: on the unit sphere its Gaussian potential exp(-s |v_k - v_j|^2) is exp(t cos - t) with
/// t = 2 s.
pub fn uniformity(vectors: &Tensor, sharpness: f64) -> Result<Tensor> {
    /// Added to squared norms, so that a row of zeros has no infinite gradient.
    const TINY: f64 = 1e-24;
    let (classes, _) = check::matrix("vectors", vectors)?;
    if classes < 2 {
        return Err(Error::Range { argument: "classes", expected: "at least 2", found: classes as f64 });
    }
    if !(sharpness > 0.0 && sharpness.is_finite()) {
        let expected = "a finite number above 0";
        return Err(Error::Range { argument: "sharpness", expected, found: sharpness });
    }
    let norms = (vectors.sqr()?.sum_keepdim(D::Minus1)? + TINY)?.sqrt()?;
    let unit = vectors.broadcast_div(&norms)?;
    let cosines = unit.matmul(&unit.t()?)?;
    // Leaves out the pair of a row with itself.
    let own = Tensor::eye(classes, vectors.dtype(), vectors.device())?;
    let scaled = ((cosines * sharpness)? - (own * 1e30)?)?;
    let largest = scaled.detach().max_all()?;
    let sum = scaled.broadcast_sub(&largest)?.exp()?.sum_all()?;
    let pairs = (classes * (classes - 1)) as f64;
    Ok((((sum.log()? + largest)? - pairs.ln())? / sharpness)?)
}
