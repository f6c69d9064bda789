//! Offsets and scales cost no precision, and a metric that is only rounding is absent.

use nc_metrics::{Classifier, NeuralCollapse, Scalar};

use crate::normal;

const K: usize = 3;
const P: usize = 8;
const LABELS: [u32; 12] = [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2];

/// Class means of length 3 with noise of standard deviation `noise`.
fn features(noise: f64) -> Vec<f64> {
    let (means, noises) = (normal(1, K * P), normal(2, LABELS.len() * P));
    let means = LABELS.iter().flat_map(|&class| &means[class as usize * P..][..P]);
    means.zip(noises).map(|(mean, x)| 3.0 * mean + noise * x).collect()
}

fn measure<T: Scalar>(features: &[T]) -> NeuralCollapse {
    let classifier = Classifier::new(&normal(3, K * P), None, K, P).unwrap();
    let nc = NeuralCollapse::of(features, &LABELS, K, P, Some(&classifier)).unwrap();
    let shown = format!("{nc:?}");
    assert!(!shown.contains("NaN") && !shown.contains("inf"), "{shown}");
    nc
}

fn narrow(features: &[f64]) -> Vec<f32> {
    features.iter().map(|&x| x as f32).collect()
}

#[test]
fn scaling_by_a_power_of_two_keeps_invariant_metrics_bit_identical() {
    let features = features(1.0);
    let one = measure(&features);
    for power in [-1000, -500, -200, 200, 500, 900] {
        let scale = 2f64.powi(power);
        let scaled = measure(&features.iter().map(|x| x * scale).collect::<Vec<_>>());
        assert_eq!((scaled.nc1.trace, scaled.nc1.quotient), (one.nc1.trace, one.nc1.quotient));
        assert_eq!((scaled.nc1.normalized, scaled.nc1.cdnv), (one.nc1.normalized, one.nc1.cdnv));
        assert_eq!((&scaled.nc3, scaled.nc4), (&one.nc3, one.nc4));
        assert_eq!((scaled.seli, scaled.orthogonal_frame), (one.seli, one.orthogonal_frame));
        let (directions, ours) = (&one.nc2.centered_means, &scaled.nc2.centered_means);
        assert_eq!((&ours.cosines, ours.etf_error), (&directions.cosines, directions.etf_error));
        assert_eq!(ours.norms, directions.norms.iter().map(|norm| norm * scale).collect::<Vec<_>>());
        // Squares outside the range of f64 are absent.
        let variance = |nc: &NeuralCollapse| nc.nc1.within_class_variance[0];
        let expected = (power.abs() <= 500).then(|| variance(&one).unwrap() * scale * scale);
        assert_eq!(variance(&scaled), expected, "2^{power}");
    }
}

#[test]
fn an_offset_of_64_bit_features_costs_no_precision() {
    // Multiples of 2^-20, which an offset of 2^30 does not round.
    let features: Vec<f64> = features(1.0).iter().map(|x| (x * 1024.0).round() / 1024f64.powi(2)).collect();
    let (one, moved) =
        (measure(&features), measure(&features.iter().map(|x| x + 1024f64.powi(3)).collect::<Vec<_>>()));
    let figures = |nc: &NeuralCollapse| {
        let (nc1, nc2) = (&nc.nc1, &nc.nc2.centered_means);
        [nc1.trace.class_weighted, nc1.quotient.sample_weighted, nc1.cdnv, nc2.coherence, nc2.log_energy]
            .map(Option::unwrap)
    };
    for (a, b) in figures(&one).into_iter().zip(figures(&moved)) {
        assert!((a - b).abs() < 1e-12 * a.abs(), "{a} {b}");
    }
}

#[test]
fn within_class_variance_below_rounding_is_absent() {
    // At an offset of 1e4, adjacent f32 values are 1e-3 apart.
    let offset: Vec<f64> = features(1e-1).iter().map(|x| 1e4 + 3e-3 * x).collect();
    let [narrow, wide] = [measure(&narrow(&offset)), measure(&offset)].map(|nc| nc.nc1);
    assert!(wide.trace.sample_weighted.is_some_and(|trace| trace > 1e-4));
    assert_eq!(
        (narrow.trace.sample_weighted, narrow.quotient.class_weighted, narrow.cdnv),
        (None, None, None)
    );
    assert_eq!(narrow.within_class_variance, [None; K]);
}

#[test]
fn collapse_to_the_last_bit_is_measured() {
    let [rounded, exact] = [1e-8, 0.0].map(|noise| measure(&narrow(&features(noise))).nc1);
    let trace = rounded.trace.sample_weighted.unwrap();
    assert!(trace > 0.0 && trace < 1e-13, "{trace}");
    assert_eq!((exact.trace.sample_weighted, exact.cdnv), (Some(0.0), Some(0.0)));
    assert_eq!(exact.within_class_variance, [Some(0.0); K]);
}

#[test]
fn means_that_differ_by_rounding_have_no_geometry() {
    // Values equal in f32 up to the last bit.
    let features: Vec<f64> = LABELS
        .iter()
        .flat_map(|&class| [100.0 + f64::from(class) * f64::from(f32::EPSILON) * 16.0; P])
        .collect();
    let nc = measure(&narrow(&features));
    assert_eq!((nc.nc1.trace.sample_weighted, nc.nc1.cdnv), (None, None));
    assert_eq!(nc.nc2.centered_means.norms, [0.0; K]);
    assert_eq!(nc.nc2.centered_means.min_angle_degrees, None);
    assert_eq!(nc.nc3.unwrap().mean_alignment_cosine, None);
    assert_eq!(nc.nc4.unwrap().mismatch, None);
    // f64 represents the difference.
    assert!(measure(&features).nc2.centered_means.equinorm_cov.is_some());
}
