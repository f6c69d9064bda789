use candle_core::{DType, Device, Tensor};
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;

use crate::{Error, Result, check};

/// One-to-one assignment of classes to targets that maximises the sum of their cosines, as in targeted supervised
/// contrastive learning (TSC).
///
/// ```text
/// argmax over permutations pi of sum_k cos(c_k, t_{pi(k)})
/// ```
///
/// by the Hungarian method in O(K^3), on cosines rounded to 2^-32, which makes ties exact. Ties are
/// resolved deterministically. A centroid of norm 0 has cosine 0 with every target.
///
/// Shapes: `centroids` c and `targets` t (K, D); returns pi, the target of each class. The computation is on the CPU.
///
/// # Errors
///
/// [`Error`] if K or D is zero, shapes or dtypes disagree, the centroids are neither `f32` nor `f64`, or a number is not
/// finite.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let centroids = Tensor::new(&[[1f32, 0.2], [1.0, 0.0]], &Device::Cpu)?;
/// let targets = Tensor::new(&[[1f32, 0.0], [0.0, 1.0]], &Device::Cpu)?;
/// // Both are closest to target 0: 0.196 + 1 of (1, 0) exceeds 0.981 + 0 of (0, 1).
/// assert_eq!(nc_losses::assign_targets(&centroids, &targets)?, [1, 0]);
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Li et al., "Targeted Supervised Contrastive Learning for Long-Tailed Recognition", CVPR 2022, with
/// cosines as in the authors' code (LTH14/targeted-supcon).
pub fn assign_targets(centroids: &Tensor, targets: &Tensor) -> Result<Vec<usize>> {
    /// Unit of the integer cosines. The sums over all classes stay far from the limits of i64.
    const UNIT: f64 = (1u64 << 32) as f64;
    let (classes, dimensions) = check::matrix("centroids", centroids)?;
    check::shape("targets", targets, &[classes, dimensions])?;
    check::dtype("targets", targets, centroids.dtype())?;
    let centroids = unit_rows("centroids", centroids)?;
    let targets = unit_rows("targets", targets)?;
    let cosine = |class: usize, target: usize| {
        let products = centroids[class].iter().zip(&targets[target]).map(|(a, b)| a * b);
        (products.sum::<f64>() * UNIT).round() as i64
    };
    let weights = Matrix::from_fn(classes, classes, |(class, target)| cosine(class, target));
    Ok(kuhn_munkres(&weights).1)
}

/// The rows divided by their norms, in `f64` on the host; rows of norm 0 unchanged.
fn unit_rows(argument: &'static str, rows: &Tensor) -> Result<Vec<Vec<f64>>> {
    let mut rows = rows.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_vec2::<f64>()?;
    for row in &mut rows {
        if let Some(&found) = row.iter().find(|x| !x.is_finite()) {
            return Err(Error::Range { argument, expected: "finite numbers", found });
        }
        let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 0.0 {
            for x in row {
                *x /= norm;
            }
        }
    }
    Ok(rows)
}
