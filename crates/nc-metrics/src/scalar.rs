//! Element types of features.

use sealed::Width;

/// Element type of stored features and weights: `f32` or `f64`. All metrics are computed in `f64`.
pub trait Scalar: Copy + Into<f64> + Send + Sync + Width {}

impl Scalar for f32 {}
impl Scalar for f64 {}

mod sealed {
    pub trait Width {
        /// Machine epsilon: a stored vector x is accurate to `EPSILON * ||x||`.
        const EPSILON: f64;
    }

    impl Width for f32 {
        const EPSILON: f64 = f32::EPSILON as f64;
    }

    impl Width for f64 {
        const EPSILON: f64 = f64::EPSILON;
    }
}
