//! The angle forms of L_B on the CPU, forward and backward in a few passes over the centres.
//!
//! With m_k the centred mean, u_k = m_k / ||m_k|| and c = u_k . u_j, the gradient of c is
//! (u_j - c u_k) / ||m_k|| with respect to m_k, and likewise for m_j; centring takes the mean of the rows
//! off the gradient.

use std::marker::PhantomData;

use candle_core::{
    CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Storage, Tensor, WithDType, bail,
};

use super::arc_cosine::{angle, slope};
use super::{BLOCK, BetweenForm, TINY, rounding};

/// Minus the mean angle of the pairs of rows that `form` selects.
pub(super) fn smallest_angles<T: WithDType>(centers: &Tensor, form: BetweenForm) -> Result<Tensor> {
    let (directions, inverse_norms) = directions::<T>(centers)?;
    let mut pairs = nearest::<T>(&directions)?;
    if form == BetweenForm::GlobalMinAngle {
        // The sort is stable: of several largest cosines the first stays.
        pairs.sort_by(|a, b| b.cosine.total_cmp(&a.cosine));
        pairs.truncate(1);
    }
    centers.apply_op1(SmallestAngles { directions, inverse_norms, pairs, element: PhantomData::<T> })
}

/// A row, the row nearest to it, and the cosine between them.
#[derive(Clone, Copy)]
struct Pair {
    row: usize,
    nearest: usize,
    cosine: f64,
}

/// Unit vectors (K, P) from the mean of the rows to each row, and the inverse of their lengths before
/// normalisation; both zero for a row at the mean.
fn directions<T: WithDType>(centers: &Tensor) -> Result<(Tensor, Vec<f64>)> {
    let mut rows = centers.flatten_all()?.to_vec1::<T>()?;
    let mean = column_means(&rows, centers.dim(1)?);
    let floor = squared_norm(&mean) * rounding(centers.dtype()).powi(2) + TINY;
    subtract(&mut rows, &mean);
    let mut inverse_norms = Vec::with_capacity(centers.dim(0)?);
    for row in rows.chunks_exact_mut(mean.len()) {
        let squared = squared_norm(row);
        let inverse = if squared > floor { squared.sqrt().recip() } else { 0.0 };
        let factor = T::from_f64(inverse);
        for x in row {
            *x *= factor;
        }
        inverse_norms.push(inverse);
    }
    Ok((Tensor::from_vec(rows, centers.shape(), &Device::Cpu)?, inverse_norms))
}

/// Each row with the row of the largest cosine to it; of equals the first.
///
/// Blocks of rows meet only the rows from their own on, for a cosine serves both its rows.
fn nearest<T: WithDType>(directions: &Tensor) -> Result<Vec<Pair>> {
    let classes = directions.dim(0)?;
    let mut best: Vec<(T, u32)> = vec![(T::from_f64(-2.0), 0); classes];
    for start in (0..classes).step_by(BLOCK) {
        let block = directions.narrow(0, start, BLOCK.min(classes - start))?;
        let rest = directions.narrow(0, start, classes - start)?;
        let cosines = block.matmul(&rest.t()?)?.flatten_all()?.to_vec1::<T>()?;
        for (offset, row) in cosines.chunks_exact(classes - start).enumerate() {
            let k = start + offset;
            let (until_k, after_k) = best.split_at_mut(k + 1);
            let own = &mut until_k[k];
            for (j, (&cosine, other)) in (k + 1..).zip(row[offset + 1..].iter().zip(after_k)) {
                if cosine > own.0 {
                    *own = (cosine, j as u32);
                }
                if cosine > other.0 {
                    *other = (cosine, k as u32);
                }
            }
        }
    }
    let pair = |(row, (cosine, nearest)): (usize, (T, u32))| Pair {
        row,
        nearest: nearest as usize,
        cosine: cosine.to_f64(),
    };
    Ok(best.into_iter().enumerate().map(pair).collect())
}

/// The scalar -mean(angle) as a function of the centres.
struct SmallestAngles<T> {
    directions: Tensor,
    inverse_norms: Vec<f64>,
    pairs: Vec<Pair>,
    element: PhantomData<T>,
}

impl<T: WithDType> SmallestAngles<T> {
    /// Gradient with respect to the centres, times `upstream`.
    fn gradient(&self, directions: &[T], upstream: f64) -> Vec<T> {
        let dimensions = directions.len() / self.inverse_norms.len();
        let row = |k: usize| k * dimensions..(k + 1) * dimensions;
        let mut gradient = vec![T::zero(); directions.len()];
        for &Pair { row: k, nearest: j, cosine } in &self.pairs {
            let factor = -upstream * slope(cosine) / self.pairs.len() as f64;
            if factor == 0.0 {
                continue;
            }
            for (k, j) in [(k, j), (j, k)] {
                let towards = T::from_f64(factor * self.inverse_norms[k]);
                let radial = T::from_f64(factor * self.inverse_norms[k] * cosine);
                let (own, other) = (&directions[row(k)], &directions[row(j)]);
                for (g, (&u, &v)) in gradient[row(k)].iter_mut().zip(own.iter().zip(other)) {
                    *g += towards * v - radial * u;
                }
            }
        }
        let mean = column_means(&gradient, dimensions);
        subtract(&mut gradient, &mean);
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
            bail!("the fused L_B runs on the CPU");
        };
        let gradient = self.gradient(storage.as_slice::<T>()?, upstream);
        Tensor::from_vec(gradient, centers.shape(), &Device::Cpu).map(Some)
    }
}

/// The mean of the rows of a matrix, summed in f64.
fn column_means<T: WithDType>(matrix: &[T], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    for row in matrix.chunks_exact(columns) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x.to_f64());
    }
    let rows = (matrix.len() / columns) as f64;
    sums.into_iter().map(|sum| sum / rows).collect()
}

/// Takes `vector` off each row of a matrix.
fn subtract<T: WithDType>(matrix: &mut [T], vector: &[f64]) {
    let vector: Vec<T> = vector.iter().map(|&x| T::from_f64(x)).collect();
    for row in matrix.chunks_exact_mut(vector.len()) {
        row.iter_mut().zip(&vector).for_each(|(x, &mean)| *x -= mean);
    }
}

/// Sum of squares in f64, over independent lanes that the compiler can keep in registers.
fn squared_norm<T: WithDType>(vector: &[T]) -> f64 {
    let mut lanes = [0.0; 8];
    for chunk in vector.chunks(lanes.len()) {
        lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane += x.to_f64() * x.to_f64());
    }
    lanes.iter().sum()
}
