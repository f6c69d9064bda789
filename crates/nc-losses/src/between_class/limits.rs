use candle_core::DType;

/// Bound on |cosine| before the arc cosine, whose slope diverges at +-1.
pub(super) const COSINE_LIMIT: f64 = 0.99999;

/// Rows compared with all others in one block; bounds the memory for any K.
pub(super) const BLOCK: usize = 128;

/// Squared distances below this count as zero, with ample margin to the range of f32.
pub(super) const TINY: f64 = 1e-30;

/// Relative distance from the mean below which a centre differs from it by rounding alone.
pub(super) fn rounding(dtype: DType) -> f64 {
    8.0 * if dtype == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) }
}
