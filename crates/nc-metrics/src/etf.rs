//! What angles K vectors can have in P dimensions.

/// Whether a simplex equiangular tight frame of `classes` vectors exists in `dims` dimensions: K - 1 <= P.
///
/// ```
/// assert!(nc_metrics::etf_exists(10, 64));
/// assert!(!nc_metrics::etf_exists(100, 64)); // CIFAR-100 on a CIFAR ResNet-32
/// ```
pub fn etf_exists(classes: usize, dims: usize) -> bool {
    classes <= dims.saturating_add(1)
}

/// arccos(-1/(K-1)) in degrees, the angle between any two vectors of a simplex ETF; None for fewer than two.
///
/// ```
/// assert_eq!(nc_metrics::etf_angle_degrees(2), Some(180.0));
/// assert_eq!(nc_metrics::etf_angle_degrees(10).map(f64::round), Some(96.0));
/// ```
pub fn etf_angle_degrees(classes: usize) -> Option<f64> {
    (classes >= 2).then(|| (-1.0 / (classes - 1) as f64).acos().to_degrees())
}

/// The largest angle in degrees that the smallest angle between `classes` vectors (K) can have in `dims` dimensions (P).
///
/// That of a simplex ETF for K <= P + 1; 90 degrees for P + 1 < K <= 2P (Rankin 1955), where vectors sharing out the
/// dimensions into simplices reach it; 360/K in the plane. None where K > 2P > 4: below 90 degrees, but in general
/// unknown.
///
/// ```
/// use nc_metrics::largest_min_angle_degrees;
///
/// assert_eq!(largest_min_angle_degrees(3, 2).map(f64::round), Some(120.0));
/// assert_eq!(largest_min_angle_degrees(100, 64), Some(90.0));
/// assert_eq!(largest_min_angle_degrees(8, 2), Some(45.0));
/// assert_eq!(largest_min_angle_degrees(100, 3), None);
/// ```
pub fn largest_min_angle_degrees(classes: usize, dims: usize) -> Option<f64> {
    match dims {
        _ if etf_exists(classes, dims) => etf_angle_degrees(classes),
        0 => None,
        // Two directions, and a third vector has to share one.
        1 => Some(0.0),
        2 => Some(360.0 / classes as f64),
        _ => (classes <= dims.saturating_mul(2)).then_some(90.0),
    }
}
