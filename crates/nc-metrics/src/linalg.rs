//! Small dense linear algebra on row-major slices. Each product runs on one thread, in an order fixed by the shapes.

use faer::{
    Accum, Mat, MatMut, MatRef, Par, Side,
    diag::Diag,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{
        matmul::{
            matmul,
            triangular::{self, BlockStructure},
        },
        solvers::Solve,
        svd::{ComputeSvdVectors, svd, svd_scratch},
    },
};

pub(crate) fn widened<T: Copy + Into<f64>>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&x| x.into()).collect()
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    sum_of_pairs(a, b, |a, b| a * b)
}

pub(crate) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    sum_of_pairs(a, b, |a, b| (a - b) * (a - b))
}

/// Sum of f(a_i, b_i) as eight interleaved partial sums, which the compiler vectorises.
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

/// Largest power of two up to `x`, or 1 for 0; division by it is exact.
pub(crate) fn power_of_two(x: f64) -> f64 {
    let power = f64::from_bits(x.to_bits() & f64::INFINITY.to_bits());
    if x == 0.0 { 1.0 } else { power.max(f64::MIN_POSITIVE) }
}

/// Power of two that scales the largest |value| into 1..2.
pub(crate) fn unit_of(values: &[f64]) -> f64 {
    power_of_two(values.iter().fold(0.0, |largest, x| largest.max(x.abs())))
}

/// Values in units of `unit`.
pub(crate) fn scaled(values: &[f64], unit: f64) -> Vec<f64> {
    values.iter().map(|x| x / unit).collect()
}

/// A value times a power of the unit; None on overflow or underflow.
pub(crate) fn rescaled(figure: f64, factor: f64) -> Option<f64> {
    let rescaled = figure * factor;
    (rescaled.is_finite() && (rescaled != 0.0 || figure == 0.0)).then_some(rescaled)
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Population standard deviation.
pub(crate) fn std(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// Mean of rows of width `dims`.
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

/// A B^T for A (n, p) and B (m, p), both row-major; the result (n, m) is row-major.
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

/// Adds X^T X to the lower triangle of the symmetric (p, p) matrix `sum`, for row-major X (n, p).
pub(crate) fn add_gram(sum: &mut Mat<f64>, rows: &[f64]) {
    let p = sum.nrows();
    let x = MatRef::from_row_major_slice(rows, rows.len() / p, p);
    let (lower, full) = (BlockStructure::TriangularLower, BlockStructure::Rectangular);
    triangular::matmul(sum.as_mut(), lower, Accum::Add, x.transpose(), full, x, full, 1.0, Par::Seq);
}

/// Copies the lower triangle of a symmetric matrix to the upper one.
pub(crate) fn mirror(symmetric: &mut Mat<f64>) {
    for column in 1..symmetric.ncols() {
        for row in 0..column {
            symmetric[(row, column)] = symmetric[(column, row)];
        }
    }
}

/// X with X A = B, for symmetric positive definite A (p, p), of which the lower triangle is read, and B (m, p). `None`
/// if A is not positive definite up to rounding, that is, if a pivot has lost all digits of its diagonal entry.
pub(crate) fn solve_right(a: &Mat<f64>, b: &Mat<f64>) -> Option<Mat<f64>> {
    let factor = a.llt(Side::Lower).ok()?;
    let (n, pivots) = (a.nrows(), factor.L());
    let rounding = n as f64 * f64::EPSILON;
    let definite = (0..n).all(|i| pivots[(i, i)].powi(2) > rounding * a[(i, i)]);
    // A is symmetric: A X^T = B^T.
    definite.then(|| factor.solve(b.transpose()).transpose().to_owned())
}

/// S^(1/2) and pinv(S)^(1/2) of a symmetric positive semidefinite S (k, k). Eigenvalues up to k times the machine
/// epsilon of the largest count as zero. `None` if the decomposition does not converge or S is zero.
pub(crate) fn square_roots(s: &Mat<f64>) -> Option<(Mat<f64>, Mat<f64>)> {
    let eigen = s.self_adjoint_eigen(Side::Lower).ok()?;
    let (vectors, values) = (eigen.U(), eigen.S().column_vector());
    let largest = values.iter().copied().fold(0.0, f64::max);
    let tolerance = s.nrows() as f64 * f64::EPSILON * largest;
    let scaled = |power: f64| {
        let scale = |value: f64| if value > tolerance { value.powf(power) } else { 0.0 };
        Mat::from_fn(s.nrows(), s.nrows(), |row, column| vectors[(row, column)] * scale(values[column]))
    };
    (largest > 0.0).then(|| (scaled(0.5) * vectors.transpose(), scaled(-0.5) * vectors.transpose()))
}

/// I - J/K: subtracts the mean of K rows.
pub(crate) fn centering(classes: usize) -> Mat<f64> {
    Mat::from_fn(classes, classes, |i, j| f64::from(i == j) - 1.0 / classes as f64)
}

/// || A/||A||_F - B/||B||_F ||_F, from 0 (equal up to a positive factor) to 2. `None` if either is zero.
pub(crate) fn normalized_distance(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Option<f64> {
    let (a_norm, b_norm) = (a.norm_l2(), b.norm_l2());
    let both = a_norm > 0.0 && b_norm > 0.0;
    both.then(|| {
        let square = |(row, column)| {
            let gap: f64 = a[(row, column)] / a_norm - b[(row, column)] / b_norm;
            gap * gap
        };
        let entries = (0..a.ncols()).flat_map(|column| (0..a.nrows()).map(move |row| (row, column)));
        entries.map(square).sum::<f64>().sqrt()
    })
}

/// A matrix view of rows of width `p`.
pub(crate) fn matrix(rows: &[f64], p: usize) -> MatRef<'_, f64> {
    MatRef::from_row_major_slice(rows, rows.len() / p, p)
}

/// Singular values of the row-major matrix, descending, and its right singular vectors as rows. `None` if the
/// decomposition does not converge.
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

/// Index of the first largest value.
pub(crate) fn argmax(values: impl Iterator<Item = f64>) -> usize {
    let (mut best, mut largest) = (0, f64::NEG_INFINITY);
    for (index, value) in values.enumerate() {
        if value > largest {
            (best, largest) = (index, value);
        }
    }
    best
}
