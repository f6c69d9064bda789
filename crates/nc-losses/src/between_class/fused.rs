//! The angle forms of L_B on the CPU, forward and backward in a few passes over the centres.
//!
//! With the centred mean m_k, u_k = m_k / ||m_k|| and c = u_k . u_j, the gradient of c with respect to m_k is
//! (u_j - c u_k) / ||m_k||, and likewise for m_j. The backward of centring subtracts the row mean from the gradient.

use std::cmp::Ordering;
use std::marker::PhantomData;

use candle_core::{
    CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Storage, Tensor, WithDType, bail,
};
use rayon::prelude::*;

use super::BetweenForm;
use super::arc_cosine::{angle, slope};
use super::limits::{BLOCK, TINY, rounding};
use super::rows::{column_means, map_rows, squared_norm, subtract};

/// Negative mean angle of the pairs of rows selected by `form`.
pub(super) fn smallest_angles<T: WithDType>(centers: &Tensor, form: BetweenForm) -> Result<Tensor> {
    let (directions, inverse_norms) = directions::<T>(centers)?;
    let mut pairs = nearest::<T>(&directions)?;
    if form == BetweenForm::GlobalMinAngle {
        // The sort is stable: among equal cosines the first stays first.
        pairs.sort_by(|a, b| b.cosine.total_cmp(&a.cosine));
        pairs.truncate(1);
    }
    centers.apply_op1(SmallestAngles { directions, inverse_norms, pairs, element: PhantomData::<T> })
}

/// A row, its nearest row, and the cosine between them.
struct Pair {
    row: usize,
    nearest: usize,
    cosine: f64,
}

/// Unit vectors (K, P) from the mean of the rows to each row, and their inverse lengths before normalisation; both
/// zero for a row at the mean.
fn directions<T: WithDType>(centers: &Tensor) -> Result<(Tensor, Vec<f64>)> {
    let mut rows = centers.flatten_all()?.to_vec1::<T>()?;
    let dimensions = centers.dim(1)?;
    let mean = column_means(&rows, dimensions);
    let floor = squared_norm(&mean) * rounding(centers.dtype()).powi(2) + TINY;
    let inverse_norms = map_rows(&mut rows, dimensions, |_, row| {
        subtract(row, &mean);
        let squared = squared_norm(row);
        let inverse = if squared > floor { squared.sqrt().recip() } else { 0.0 };
        let factor = T::from_f64(inverse);
        for x in row {
            *x *= factor;
        }
        inverse
    });
    Ok((Tensor::from_vec(rows, centers.shape(), &Device::Cpu)?, inverse_norms))
}

/// Each row with the row of largest cosine; ties go to the first.
fn nearest<T: WithDType>(directions: &Tensor) -> Result<Vec<Pair>> {
    let classes = directions.dim(0)?;
    let starts: Vec<usize> = (0..classes).step_by(BLOCK).collect();
    let blocks = starts
        .par_iter()
        .map(|&start| nearest_in_block::<T>(directions, start))
        .collect::<Result<Vec<_>>>()?;
    let mut best = vec![Nearest::NONE; classes];
    for (start, block) in starts.into_iter().zip(blocks) {
        for (best, candidate) in best[start..].iter_mut().zip(block) {
            best.improve(candidate);
        }
    }
    let pair = |(row, Nearest { cosine, index })| Pair { row, nearest: index, cosine };
    Ok(best.into_iter().enumerate().map(pair).collect())
}

/// The nearest row found so far.
#[derive(Clone, Copy)]
struct Nearest {
    cosine: f64,
    index: usize,
}

impl Nearest {
    const NONE: Self = Self { cosine: -2.0, index: 0 };

    /// NaN replaces any neighbour, so that broken centres show in the loss.
    fn improve(&mut self, candidate: Self) {
        if candidate.cosine.partial_cmp(&self.cosine).is_none_or(Ordering::is_gt) {
            *self = candidate;
        }
    }
}

/// Nearest rows for the rows from `start` on, among all pairs with a row of the block that starts there.
///
/// Pairs with earlier rows were covered by earlier blocks: each cosine serves both its rows.
fn nearest_in_block<T: WithDType>(directions: &Tensor, start: usize) -> Result<Vec<Nearest>> {
    let rows = directions.dim(0)? - start;
    let width = rows.min(BLOCK);
    let block = directions.narrow(0, start, width)?;
    let cosines = directions.narrow(0, start, rows)?.matmul(&block.t()?)?.flatten_all()?.to_vec1::<T>()?;
    let mut best = vec![Nearest::NONE; rows];
    for (k, row) in cosines.chunks_exact(width).enumerate() {
        let (before, from_k) = best.split_at_mut(k);
        for (j, (cosine, other)) in row.iter().zip(before).enumerate() {
            let cosine = cosine.to_f64();
            from_k[0].improve(Nearest { cosine, index: start + j });
            other.improve(Nearest { cosine, index: start + k });
        }
    }
    Ok(best)
}

/// The scalar -mean(angle) as a function of the centres, as a Candle operation.
struct SmallestAngles<T> {
    directions: Tensor,
    inverse_norms: Vec<f64>,
    pairs: Vec<Pair>,
    element: PhantomData<T>,
}

impl<T: WithDType> SmallestAngles<T> {
    /// Gradient with respect to the centres, multiplied by `upstream`.
    fn gradient(&self, directions: &[T], upstream: f64) -> Vec<T> {
        let classes = self.inverse_norms.len();
        let dimensions = directions.len() / classes;
        // Contributions to each row's gradient: the other row of a pair, slope and cosine.
        let mut pulls = vec![Vec::new(); classes];
        for &Pair { row, nearest, cosine } in &self.pairs {
            let slope = -upstream * slope(cosine) / self.pairs.len() as f64;
            if slope != 0.0 {
                pulls[row].push((nearest, slope, cosine));
                pulls[nearest].push((row, slope, cosine));
            }
        }
        let mut gradient = vec![T::zero(); directions.len()];
        map_rows(&mut gradient, dimensions, |k, row| {
            let direction = |k: usize| &directions[k * dimensions..(k + 1) * dimensions];
            for &(other, slope, cosine) in &pulls[k] {
                let towards = T::from_f64(slope * self.inverse_norms[k]);
                let radial = T::from_f64(slope * self.inverse_norms[k] * cosine);
                for (g, (&u, &v)) in row.iter_mut().zip(direction(k).iter().zip(direction(other))) {
                    *g += towards * v - radial * u;
                }
            }
        });
        let mean = column_means(&gradient, dimensions);
        map_rows(&mut gradient, dimensions, |_, row| subtract(row, &mean));
        gradient
    }
}

impl<T: WithDType> CustomOp1 for SmallestAngles<T> {
    fn name(&self) -> &'static str {
        "smallest-angles"
    }

    fn cpu_fwd(&self, _centers: &CpuStorage, _layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let sum: f64 = self.pairs.iter().map(|pair| angle(pair.cosine)).sum();
        let loss = T::from_f64(-sum / self.pairs.len() as f64);
        Ok((T::to_cpu_storage_owned(vec![loss]), Shape::from(())))
    }

    fn bwd(&self, centers: &Tensor, _loss: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        let upstream = upstream.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        let (storage, _) = self.directions.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else {
            bail!("fused L_B requires the CPU");
        };
        let gradient = self.gradient(storage.as_slice::<T>()?, upstream);
        Tensor::from_vec(gradient, centers.shape(), &Device::Cpu).map(Some)
    }
}
