//! Edge cases: undefined metrics are absent, never NaN; invalid input is an error.

use nc_metrics::{
    AccuracyAccumulator, CalibrationAccumulator, ClassMeans, ClassMeansAccumulator, Classifier, Directions,
    Nc3, NeuralCollapse, NeuralCollapseAccumulator,
};

fn measure(features: &[f32], labels: &[u32], classes: usize, dims: usize) -> NeuralCollapse {
    let weight: Vec<f32> = (0..classes * dims).map(|i| (i as f32).sin()).collect();
    let classifier = Classifier::new(&weight, None, classes, dims).unwrap();
    let nc = NeuralCollapse::of(features, labels, classes, dims, Some(&classifier)).unwrap();
    let shown = format!("{nc:?}");
    assert!(!shown.contains("NaN") && !shown.contains("inf"), "{shown}");
    let nulls = |nc: &NeuralCollapse| serde_json::to_string(nc).unwrap().matches("null").count();
    let back: NeuralCollapse = serde_json::from_str(&serde_json::to_string(&nc).unwrap()).unwrap();
    assert_eq!((nulls(&back), back.classes), (nulls(&nc), nc.classes.clone()));
    nc
}

#[test]
fn a_single_class_has_no_directions() {
    let nc = measure(&[1.0, 2.0, 3.0, 4.0], &[0, 0], 1, 2);
    assert_eq!(nc.nc1.within_class_variance, [Some(2.0)]);
    assert_eq!((nc.nc1.trace.sample_weighted, nc.nc1.trace.class_weighted), (None, None));
    assert_eq!((nc.nc1.cdnv, nc.etf_angle_degrees), (None, None));
    assert_eq!(nc.nc2.centered_means.norms, [0.0]);
    assert_eq!(nc.nc2.centered_means.equinorm_cov, None);
    assert_eq!(nc.nc2.centered_means.min_angle_degrees, None);
    assert_eq!(nc.nc3.unwrap(), Nc3::default());
    assert_eq!(nc.nc4.unwrap().mismatch, Some(0.0));
}

#[test]
fn a_single_sample_is_measured() {
    let nc = measure(&[1.0, 2.0], &[2], 3, 2);
    assert_eq!((nc.samples, nc.classes, nc.absent_classes), (1, vec![2], vec![0, 1]));
    assert_eq!(nc.nc1.within_class_variance, [Some(0.0)]);
    assert_eq!(nc.nc1.trace.sample_weighted, None);
}

#[test]
fn coinciding_means_have_no_directions() {
    // Three classes of different sizes at about 0.1; their means are equal up to rounding.
    let features: Vec<f32> = (0..33).map(|i| if i < 30 { 0.1 } else { 0.3 - 0.1 * (i % 3) as f32 }).collect();
    let labels: Vec<u32> = (0..33)
        .map(|i| {
            if i < 10 {
                0
            } else if i < 30 {
                1
            } else {
                2
            }
        })
        .collect();
    let same: Vec<f32> = features.iter().map(|_| 0.1).collect();
    let nc = measure(&same, &labels, 3, 1);
    assert_eq!(nc.nc2.centered_means.norms, [0.0; 3]);
    assert_eq!((nc.nc1.trace.sample_weighted, nc.nc1.cdnv), (None, None));
    assert_eq!((nc.nc2.centered_means.coherence, nc.nc2.centered_means.equinorm_cov), (None, None));
    assert!(nc.nc2.centered_means.cosines.is_empty());
    // Only two means coincide: the trace is defined, the pairwise distances are not.
    let nc = measure(&features, &labels, 3, 1);
    assert!(nc.nc1.trace.sample_weighted.is_some());
    assert_eq!(nc.nc1.cdnv, None);
}

#[test]
fn a_mean_at_the_centre_has_no_direction() {
    let nc = measure(&[-1.0, 0.0, 1.0], &[0, 1, 2], 3, 1);
    assert_eq!(nc.nc2.centered_means.norms, [1.0, 0.0, 1.0]);
    assert_eq!(nc.nc2.centered_means.min_angle_degrees, None);
    assert!(nc.nc2.centered_means.equinorm_cov.is_some());
    let nc3 = nc.nc3.unwrap();
    assert!(nc3.duality_gap_squared.is_some());
    assert_eq!(nc3.mean_alignment_cosine, None);
}

#[test]
fn a_classifier_of_zeros_has_no_directions() {
    let classifier = Classifier::new(&[0.0; 4], None, 2, 2).unwrap();
    let features = [1.0, 0.0, -1.0, 0.0];
    let nc = NeuralCollapse::of(&features, &[0, 1], 2, 2, Some(&classifier)).unwrap();
    let weights = nc.nc2.weights.unwrap();
    assert_eq!((weights.equinorm_cov, weights.coherence), (None, None));
    assert_eq!(nc.nc3.unwrap(), Nc3::default());
    assert_eq!(nc.nc4.unwrap().mismatch, Some(0.5)); // always predicts the first class
}

#[test]
fn absent_classes_are_excluded() {
    // Classes 1 and 3 of 5 have no samples: the result is that of three classes.
    let features = [0.0, 1.0, 2.0, 2.0, -1.0, 0.5, 3.0, -4.0];
    let sparse = NeuralCollapse::of(&features, &[0, 2, 2, 4], 5, 2, None).unwrap();
    let dense = NeuralCollapse::of(&features, &[0, 1, 1, 2], 3, 2, None).unwrap();
    assert_eq!((&sparse.classes[..], &sparse.absent_classes[..]), (&[0, 2, 4][..], &[1, 3][..]));
    assert_eq!((&sparse.nc1, &sparse.nc2), (&dense.nc1, &dense.nc2));
    assert_eq!(sparse.etf_angle_degrees, dense.etf_angle_degrees);
}

#[test]
fn the_second_pass_may_lack_a_class_or_have_one_more() {
    let means = ClassMeans::of(&[0.0, 4.0, 8.0], &[0, 1, 2], 4, 1).unwrap();
    let mut second = NeuralCollapseAccumulator::new(&means, None).unwrap();
    second.update(&[1.0, 6.0, 100.0], &[0, 1, 3]).unwrap(); // no class 2, and class 3 has no mean
    let nc = second.finish().unwrap();
    assert_eq!(nc.samples, 2);
    assert_eq!(nc.nc1.within_class_variance, [Some(1.0), Some(4.0), None]);
    assert_eq!(nc.nc1.cdnv, None);
    let between = 32.0 / 3.0;
    for weighted in [nc.nc1.trace.sample_weighted, nc.nc1.trace.class_weighted] {
        assert!((weighted.unwrap() - 2.5 / between / 3.0).abs() < 1e-15);
    }
}

#[test]
fn a_rejected_piece_changes_nothing() {
    let mut means = ClassMeansAccumulator::new(2, 3);
    means.update(&[1.0; 6], &[0, 1]).unwrap();
    assert!(means.update(&[0.0, 0.0, 0.0, 0.0, f32::NEG_INFINITY, 0.0], &[0, 1]).is_err());
    assert_eq!(means.finish().unwrap().counts(), [1, 1]);
    let mut accuracy = AccuracyAccumulator::new(2);
    accuracy.update(&[0.0; 6], &[0, 1, 0]).unwrap();
    assert!(accuracy.update(&[0.0, 1.0, f32::INFINITY, 0.0], &[0, 1]).is_err());
    assert_eq!(accuracy.finish(&[1; 2]).unwrap().samples, 3);
}

#[test]
fn no_vectors_have_no_norms() {
    assert_eq!(Directions::of(&[], 2).unwrap().norms, [0.0; 0]);
    assert_eq!(Nc3::of(&[], &[], 2).unwrap().mean_alignment_cosine, None);
    assert_eq!(CalibrationAccumulator::new(3).finish().ece15, None);
}

#[test]
fn extreme_magnitudes_are_measured() {
    for scale in [f32::MAX, f32::MIN_POSITIVE, 1e-45] {
        let nc = measure(&[scale, 0.0, 0.0, scale, -scale, 0.0], &[0, 1, 2], 3, 2);
        assert!(nc.nc2.centered_means.coherence.is_some());
        assert_eq!(nc.nc1.trace.sample_weighted, Some(0.0));
        assert_eq!(nc.nc1.cdnv, Some(0.0));
    }
}
