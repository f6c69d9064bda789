//! Small dense algebra on row-major slices, on one thread, in an order that depends on nothing but the shapes.

use faer::{
    Accum, Mat, MatMut, MatRef, Par,
    diag::Diag,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{
        matmul::matmul,
        svd::{ComputeSvdVectors, svd, svd_scratch},
    },
};

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    sum_of_pairs(a, b, |a, b| a * b)
}

pub(crate) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    sum_of_pairs(a, b, |a, b| (a - b) * (a - b))
}

/// The sum of f(a_i, b_i) as eight interleaved sums, which the compiler turns into vector instructions.
fn sum_of_pairs(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += f(a[lane], b[lane]);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| f(a, b)).sum();
    sums.iter().sum::<f64>() + rest
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
    let mut sums = vec![0.0; dims];
    for row in rows.chunks_exact(dims) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    let count = (rows.len() / dims) as f64;
    sums.into_iter().map(|sum| sum / count).collect()
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
    let out = MatMut::from_column_major_slice_mut(&mut product, m, n);
    matmul(out, Accum::Replace, b, a, 1.0, Par::Seq);
    product
}

/// The singular values of the matrix with these rows, descending, and its right singular vectors by rows. `None` if
/// the decomposition does not converge.
pub(crate) fn right_singular(rows: &[f64], p: usize) -> Option<(Vec<f64>, Vec<f64>)> {
    let n = rows.len() / p;
    let rank = n.min(p);
    let mut values = Diag::zeros(rank);
    let mut vectors = Mat::zeros(p, rank);
    let (no, thin) = (ComputeSvdVectors::No, ComputeSvdVectors::Thin);
    let scratch = svd_scratch::<f64>(n, p, no, thin, Par::Seq, faer::prelude::default());
    svd(
        MatRef::from_row_major_slice(rows, n, p),
        values.as_mut(),
        None,
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        faer::prelude::default(),
    )
    .ok()?;
    let values = values.column_vector().iter().copied().collect();
    let vectors = vectors.col_iter().flat_map(|column| column.iter().copied()).collect();
    Some((values, vectors))
}
