//! Error messages of invalid calls.

#[path = "../../../../tests/refusals.rs"]
mod kept;

pub(crate) use kept::Refusals;
use nc_metrics::{
    Accuracy, AccuracyAccumulator, ClassMeans, ClassMeansAccumulator, Classifier, Directions, MseAccumulator,
    Nc3, NearestMeanAccumulator, NeuralCollapse, NeuralCollapseAccumulator, predictions,
};

/// `UPDATE_SNAPSHOTS=1` rewrites the file.
#[test]
fn error_messages_match_the_snapshot() {
    let mut told = Refusals::default();
    let of = |features: &[f32], labels: &[u32], classes, dims| {
        NeuralCollapse::of(features, labels, classes, dims, None)
    };
    told.add("no samples", of(&[], &[], 3, 2));
    told.add("features of dimension 0", of(&[], &[0, 1], 3, 0));
    told.add("no classes", of(&[], &[], 0, 2));
    told.add("too few features", of(&[0.0; 5], &[0, 1], 2, 3));
    told.add("a label out of range", of(&[0.0; 6], &[0, 2], 2, 3));
    let infinite = [0.0, 0.0, 0.0, 0.0, f32::NEG_INFINITY, 0.0];
    told.add("a non-finite feature", of(&infinite, &[0, 1], 2, 3));
    told.add("a feature too large to sum", NeuralCollapse::of(&[0.0, 1e290], &[0, 1], 2, 1, None));
    let mut pieces = ClassMeansAccumulator::new(2, 3);
    pieces.update(&[1.0; 6], &[0, 1]).unwrap();
    told.add("a non-finite feature in the second piece", pieces.update(&infinite, &[0, 1]));
    let first = ClassMeans::of(&[1.0], &[0], 2, 1).unwrap();
    let mut second = NeuralCollapseAccumulator::new(&first, None).unwrap();
    second.update(&[1.0], &[1]).unwrap();
    told.add("no samples of classes with a mean", second.finish());

    let means = ClassMeans::of(&[1.0, 2.0, 3.0, 4.0], &[0, 1], 2, 2).unwrap();
    let wide = Classifier::new(&[1.0; 6], None, 2, 3).unwrap();
    told.add("a classifier of the wrong dimension", NeuralCollapseAccumulator::new(&means, Some(&wide)));
    let nearest = NearestMeanAccumulator::new(&means, &wide).update(&[1.0, 2.0], &[0]);
    told.add("the same classifier for the nearest mean", nearest);
    let mse = MseAccumulator::new(&means, &wide, MseAccumulator::RIDGE).update(&[1.0, 2.0], &[0]);
    told.add("the same classifier for the squared error", mse);
    told.add("a bias too short", Classifier::new(&[1.0; 4], Some(&[0.0]), 2, 2));
    told.add("a weight too short", Classifier::new(&[1.0; 3], None, 2, 2));
    told.add("a non-finite weight", Classifier::new(&[1.0, 1.0, 1.0, f32::NAN], None, 2, 2));
    told.add("a classifier without classes", Classifier::new(&[0.0; 0], None, 0, 2));
    told.add("an incomplete row of vectors", Directions::of(&[1.0; 3], 2));
    told.add("vectors of dimension 0", Directions::of(&[], 0));
    told.add("too few class means for the weights", Nc3::of(&[1.0; 4], &[1.0; 2], 2));
    told.add("a non-finite vector", Nc3::of(&[1.0, f64::NAN], &[1.0; 2], 2));

    told.add("accuracy without samples", AccuracyAccumulator::new(3).finish(&[1; 3]));
    told.add("too few training counts", AccuracyAccumulator::new(3).finish(&[1; 2]));
    told.add("too few logits", Accuracy::of(&[0.0; 5], &[0, 1], &[1; 3]));
    told.add("logits with a label out of range", Accuracy::of(&[0.0; 6], &[0, 3], &[1; 3]));
    told.add("a non-finite logit", Accuracy::of(&[0.0, 0.0, 0.0, f32::NAN], &[0, 1], &[1; 2]));
    let mut accuracy = AccuracyAccumulator::new(2);
    accuracy.update(&[0.0; 6], &[0, 1, 0]).unwrap();
    let second = accuracy.update(&[0.0, 1.0, f32::INFINITY, 0.0], &[0, 1]);
    told.add("a non-finite logit in the second piece", second);
    told.add("predictions of an incomplete row of logits", predictions(&[0.0; 5], 3));
    crate::analysis::refused(&mut told);
    told.assert_kept();
}
