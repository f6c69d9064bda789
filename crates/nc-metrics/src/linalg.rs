//! Small dense algebra on row-major slices, on one thread.

use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

pub(crate) fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Population standard deviation.
pub(crate) fn std(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// The mean of rows of width `dims`.
pub(crate) fn mean_row(rows: &[f64], dims: usize) -> Vec<f64> {
    let count = (rows.len() / dims) as f64;
    let mut mean = vec![0.0; dims];
    for row in rows.chunks_exact(dims) {
        mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x / count);
    }
    mean
}

/// Rows minus `center`.
pub(crate) fn centered(rows: &[f64], center: &[f64]) -> Vec<f64> {
    rows.chunks_exact(center.len()).flat_map(|row| row.iter().zip(center).map(|(x, c)| x - c)).collect()
}

/// A (n, p) times B^T (p, m), where B is given by rows (m, p); the result (n, m) by rows.
pub(crate) fn times_transposed(a: &[f64], b: &[f64], p: usize) -> Vec<f64> {
    let (n, m) = (a.len() / p, b.len() / p);
    let mut product = vec![0.0; n * m];
    // A row-major (n, m) matrix is a column-major (m, n) one: B A^T.
    let a = MatRef::from_column_major_slice(a, p, n);
    let b = MatRef::from_row_major_slice(b, m, p);
    let out = faer::MatMut::from_column_major_slice_mut(&mut product, m, n);
    matmul(out, Accum::Replace, b, a, 1.0, Par::Seq);
    product
}

/// The singular values of the matrix with these rows, descending, and its right singular vectors by rows. `None` if
/// the decomposition does not converge.
pub(crate) fn right_singular(rows: &[f64], p: usize) -> Option<(Vec<f64>, Vec<Vec<f64>>)> {
    let matrix: Mat<f64> = MatRef::from_row_major_slice(rows, rows.len() / p, p).to_owned();
    let svd = matrix.thin_svd().ok()?;
    let values: Vec<f64> = svd.S().column_vector().iter().copied().collect();
    let vectors = (0..values.len()).map(|j| svd.V().col(j).iter().copied().collect()).collect();
    Some((values, vectors))
}
