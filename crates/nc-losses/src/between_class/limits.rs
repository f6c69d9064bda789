use candle_core::DType;

/// Cosines are clamped to +-this before their angle is taken, where its slope would run to infinity.
pub(super) const COSINE_LIMIT: f64 = 0.99999;

/// Rows compared with all others at once; bounds the memory whatever K is.
pub(super) const BLOCK: usize = 128;

/// Squared distances below this count as zero, far from where f32 loses its range.
pub(super) const TINY: f64 = 1e-30;

/// Centres nearer to their mean than this, relative to its norm, differ from it by rounding alone.
pub(super) fn rounding(dtype: DType) -> f64 {
    8.0 * if dtype == DType::F64 { f64::EPSILON } else { f64::from(f32::EPSILON) }
}
