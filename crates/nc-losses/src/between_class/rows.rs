//! Passes over slices of matrix rows, on as many threads as are worthwhile.
//!
//! Results do not depend on the number of threads: each parallel output is written once, and each sum is computed by
//! one thread in a fixed order.

use candle_core::WithDType;
use rayon::prelude::*;

/// Number of elements below which another thread costs more than it saves.
const SHARE: usize = 1 << 15;

/// Columns summed by one thread.
const STRIP: usize = 256;

/// Applies `f` to the index and the slice of each row.
pub(super) fn map_rows<T: Send, R: Send>(
    matrix: &mut [T],
    columns: usize,
    f: impl Fn(usize, &mut [T]) -> R + Send + Sync,
) -> Vec<R> {
    let rows = matrix.par_chunks_exact_mut(columns).enumerate();
    rows.with_min_len(SHARE.div_ceil(columns)).map(|(index, row)| f(index, row)).collect()
}

/// Mean of the rows, summed in f64.
pub(super) fn column_means<T: WithDType>(matrix: &[T], columns: usize) -> Vec<f64> {
    let count = matrix.len() / columns;
    let mut means = vec![0.0; columns];
    let strips = means.par_chunks_mut(STRIP).enumerate().with_min_len(SHARE.div_ceil(STRIP * count));
    strips.for_each(|(index, means)| {
        let strip = index * STRIP..index * STRIP + means.len();
        for row in matrix.chunks_exact(columns) {
            for (sum, x) in means.iter_mut().zip(&row[strip.clone()]) {
                *sum += x.to_f64();
            }
        }
        for mean in means {
            *mean /= count as f64;
        }
    });
    means
}

/// Subtracts `vector` from a row.
pub(super) fn subtract<T: WithDType>(row: &mut [T], vector: &[f64]) {
    for (x, &y) in row.iter_mut().zip(vector) {
        *x -= T::from_f64(y);
    }
}

/// Sum of squares in f64, over independent lanes that the compiler keeps in registers.
pub(super) fn squared_norm<T: WithDType>(vector: &[T]) -> f64 {
    let mut lanes = [0.0; 8];
    for chunk in vector.chunks(lanes.len()) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += x.to_f64() * x.to_f64();
        }
    }
    lanes.iter().sum()
}
