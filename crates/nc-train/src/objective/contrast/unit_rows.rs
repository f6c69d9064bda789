use candle_core::Tensor;

/// Divides rows by their Euclidean norm; a zero row stays zero.
pub(super) fn unit_rows(rows: &Tensor) -> candle_core::Result<Tensor> {
    let norms = (rows.sqr()?.sum_keepdim(1)? + 1e-24)?.sqrt()?;
    rows.broadcast_div(&norms)
}
