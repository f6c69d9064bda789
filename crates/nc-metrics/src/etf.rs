//! Angles attainable by K vectors in P dimensions.

/// True if a simplex equiangular tight frame of `classes` vectors exists in `dims` dimensions: K - 1 <= P.
///
/// ```
/// assert!(nc_metrics::etf_exists(10, 64));
/// assert!(!nc_metrics::etf_exists(100, 64)); // CIFAR-100 on a CIFAR ResNet-32
/// ```
pub fn etf_exists(classes: usize, dims: usize) -> bool {
    classes <= dims.saturating_add(1)
}

/// arccos(-1/(K-1)) in degrees, the pairwise angle of a simplex ETF; None for fewer than two vectors.
///
/// ```
/// assert_eq!(nc_metrics::etf_angle_degrees(2), Some(180.0));
/// assert_eq!(nc_metrics::etf_angle_degrees(10).map(f64::round), Some(96.0));
/// ```
pub fn etf_angle_degrees(classes: usize) -> Option<f64> {
    (classes >= 2).then(|| (-1.0 / (classes - 1) as f64).acos().to_degrees())
}

/// Largest attainable smallest angle, in degrees, between `classes` vectors (K) in `dims` dimensions (P).
///
/// The angle of a simplex ETF for K <= P + 1; 90 degrees for P + 1 < K <= 2P (Rankin 1955), attained by splitting the
/// dimensions among several simplices; 360/K in the plane. None if K > 2P > 4, where it is below 90 degrees but
/// generally unknown.
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
        // There are only two directions, so a third vector must share one.
        1 => Some(0.0),
        2 => Some(360.0 / classes as f64),
        _ => (classes <= dims.saturating_mul(2)).then_some(90.0),
    }
}
