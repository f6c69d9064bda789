use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::{Error, Result};

/// Temperature of the minimised energy.
const TEMPERATURE: f64 = 0.07;

/// Class targets spread uniformly on the unit sphere, as in targeted supervised contrastive learning (TSC).
///
/// For K <= D + 1 the targets are the vertices of a regular simplex, t_i . t_j = -1/(K-1), in the first K - 1
/// coordinates. Otherwise they are a local minimum, from a random start, of
///
/// ```text
/// (1/K) sum_i log sum_j exp(t_i . t_j / 0.07),   |t_i| = 1
/// ```
///
/// by projected gradient descent with Barzilai-Borwein steps. The same arguments give the same targets on one machine.
/// The seed determines the start and does not affect a simplex. On two CPU cores the descent takes under a second for 100
/// classes and about a minute for 1000 classes in 128 dimensions. [`assign_targets`](crate::assign_targets) assigns the
/// classes to the targets.
///
/// Returns (K, D) of `f32` on the CPU for K = `classes` and D = `dimensions`, rows of norm 1.
///
/// # Errors
///
/// [`Error::Range`] if K or D is zero, or D = 1 for more than two classes.
///
/// # Example
///
/// ```
/// let targets = nc_losses::uniform_targets(3, 2, 0)?;
/// let cosines = targets.matmul(&targets.t()?)?.to_vec2::<f32>()?;
/// assert!((cosines[0][0] - 1.0).abs() < 1e-6);
/// assert!((cosines[0][1] + 0.5).abs() < 1e-6); // an equilateral triangle: -1 / (3 - 1)
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Li et al., "Targeted Supervised Contrastive Learning for Long-Tailed Recognition", CVPR 2022.
pub fn uniform_targets(classes: usize, dimensions: usize, seed: u64) -> Result<Tensor> {
    if classes == 0 {
        return Err(Error::Range { argument: "classes", expected: "at least 1", found: 0.0 });
    }
    let (least, expected) =
        if classes > 2 { (2, "at least 2 for 3 or more classes") } else { (1, "at least 1") };
    if dimensions < least {
        return Err(Error::Range { argument: "dimensions", expected, found: dimensions as f64 });
    }
    let targets = if classes <= dimensions + 1 {
        Tensor::from_vec(simplex(classes, dimensions), (classes, dimensions), &Device::Cpu)?
    } else {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let start: Vec<f64> = StandardNormal.sample_iter(rng).take(classes * dimensions).collect();
        spread(&Tensor::from_vec(start, (classes, dimensions), &Device::Cpu)?)?
    };
    Ok(targets.to_dtype(DType::F32)?)
}

/// Vertices of a regular simplex by rows: the scaled columns of Helmert's matrix without its constant row.
fn simplex(classes: usize, dimensions: usize) -> Vec<f64> {
    if classes == 1 {
        return (0..dimensions).map(|coordinate| f64::from(u8::from(coordinate == 0))).collect();
    }
    let scale = (classes as f64 / (classes - 1) as f64).sqrt();
    let mut rows = vec![0.0; classes * dimensions];
    for coordinate in 0..classes - 1 {
        // In this coordinate the vertices before number `ahead` are equal, it balances them, and later ones are 0.
        let ahead = coordinate + 1;
        let value = scale / ((ahead * (ahead + 1)) as f64).sqrt();
        for vertex in 0..ahead {
            rows[vertex * dimensions + coordinate] = value;
        }
        rows[ahead * dimensions + coordinate] = -(ahead as f64) * value;
    }
    rows
}

/// Minimises the energy from these directions.
fn spread(start: &Tensor) -> Result<Tensor> {
    /// Steps whose largest energy bounds that of the next one; single Barzilai-Borwein steps may increase it.
    const WINDOW: usize = 10;
    const MAXIMAL_STEPS: usize = 2000;
    /// Relative decrease of the energy within a window that counts as converged.
    const NEGLIGIBLE: f64 = 1e-5;
    /// Length of a step that leaves the targets unchanged.
    const SMALLEST_MOVE: f64 = 1e-14;

    let mut targets = unit_rows(start)?;
    let (energy, mut gradient) = energy_and_gradient(&targets)?;
    let mut energies = vec![energy];
    let mut step = 0.1 / number(&gradient.abs()?.max_all()?)?;
    for _ in 0..MAXIMAL_STEPS {
        let bound = energies.iter().rev().take(WINDOW).copied().fold(f64::MIN, f64::max);
        let length = number(&gradient.sqr()?.sum_all()?)?.sqrt();
        let (next, energy, next_gradient) = loop {
            let next = unit_rows(&(&targets - (&gradient * step)?)?)?;
            let (energy, gradient) = energy_and_gradient(&next)?;
            if energy <= bound {
                break (next, energy, gradient);
            }
            if step * length > SMALLEST_MOVE {
                step *= 0.25;
            } else {
                // Also on NaN, from a gradient of 0.
                return Ok(targets);
            }
        };
        let moved = (&next - &targets)?;
        let turned = number(&(&moved * (&next_gradient - &gradient)?)?.sum_all()?)?.abs();
        step = number(&moved.sqr()?.sum_all()?)? / turned.max(f64::MIN_POSITIVE);
        (targets, gradient) = (next, next_gradient);
        energies.push(energy);
        if energies.len() > 2 * WINDOW {
            let least = |energies: &[f64]| energies.iter().copied().fold(f64::MAX, f64::min);
            let (before, recent) = energies.split_at(energies.len() - WINDOW);
            if least(before) - least(recent) <= NEGLIGIBLE * least(recent) {
                break;
            }
        }
    }
    Ok(targets)
}

/// The energy less its constant 1/0.07, and its gradient along the sphere up to a constant factor.
fn energy_and_gradient(targets: &Tensor) -> Result<(f64, Tensor)> {
    let classes = targets.dim(0)?;
    let others = (1.0 - Tensor::eye(classes, DType::F64, &Device::Cpu)?)?;
    let near = (((targets.matmul(&targets.t()?)? - 1.0)? / TEMPERATURE)?.exp()? * others)?;
    // The term of the target itself is exp(0) = 1.
    let sum = (near.sum_keepdim(1)? + 1.0)?;
    let energy = number(&sum.log()?.mean_all()?)?;
    let share = near.broadcast_div(&sum)?;
    let gradient = (&share + share.t()?)?.matmul(targets)?;
    let outwards = (&gradient * targets)?.sum_keepdim(1)?;
    Ok((energy, (gradient - targets.broadcast_mul(&outwards)?)?))
}

/// The rows divided by their norms.
fn unit_rows(rows: &Tensor) -> Result<Tensor> {
    Ok(rows.broadcast_div(&rows.sqr()?.sum_keepdim(1)?.sqrt()?)?)
}

fn number(tensor: &Tensor) -> Result<f64> {
    Ok(tensor.to_scalar::<f64>()?)
}
