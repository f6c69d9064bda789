//! Everything the crate refuses, and the message it gives.

#[path = "../../../../tests/refusals.rs"]
mod kept;

pub(crate) use kept::Refusals;
use nc_metrics::{
    Accuracy, AccuracyAccumulator, ClassMeans, ClassMeansAccumulator, Classifier, Directions, MseAccumulator,
    Nc3, NearestMeanAccumulator, NeuralCollapse, NeuralCollapseAccumulator, predictions,
};

/// `UPDATE_SNAPSHOTS=1` rewrites the file.
#[test]
fn refusals_have_the_messages_kept() {
    let mut told = Refusals::default();
    let of = |features: &[f32], labels: &[u32], classes, dims| {
        NeuralCollapse::of(features, labels, classes, dims, None)
    };
    told.add("no samples", of(&[], &[], 3, 2));
    told.add("features of no dimensions", of(&[], &[0, 1], 3, 0));
    told.add("no classes", of(&[], &[], 0, 2));
    told.add("features too few", of(&[0.0; 5], &[0, 1], 2, 3));
    told.add("a label beyond the classes", of(&[0.0; 6], &[0, 2], 2, 3));
    let infinite = [0.0, 0.0, 0.0, 0.0, f32::NEG_INFINITY, 0.0];
    told.add("a feature that is not finite", of(&infinite, &[0, 1], 2, 3));
    told.add("a feature too large to sum", NeuralCollapse::of(&[0.0, 1e290], &[0, 1], 2, 1, None));
    let mut pieces = ClassMeansAccumulator::new(2, 3);
    pieces.update(&[1.0; 6], &[0, 1]).unwrap();
    told.add("the same in the second piece", pieces.update(&infinite, &[0, 1]));
    let first = ClassMeans::of(&[1.0], &[0], 2, 1).unwrap();
    let mut second = NeuralCollapseAccumulator::new(&first, None).unwrap();
    second.update(&[1.0], &[1]).unwrap();
    told.add("no samples of classes with a mean", second.finish());

    let means = ClassMeans::of(&[1.0, 2.0, 3.0, 4.0], &[0, 1], 2, 2).unwrap();
    let wide = Classifier::new(&[1.0; 6], None, 2, 3).unwrap();
    told.add("a classifier of other dimensions", NeuralCollapseAccumulator::new(&means, Some(&wide)));
    let nearest = NearestMeanAccumulator::new(&means, &wide).update(&[1.0, 2.0], &[0]);
    told.add("the same for the nearest mean", nearest);
    let mse = MseAccumulator::new(&means, &wide, MseAccumulator::RIDGE).update(&[1.0, 2.0], &[0]);
    told.add("the same for the squared error", mse);
    told.add("a bias too short", Classifier::new(&[1.0; 4], Some(&[0.0]), 2, 2));
    told.add("a weight too short", Classifier::new(&[1.0; 3], None, 2, 2));
    told.add("a weight that is not finite", Classifier::new(&[1.0, 1.0, 1.0, f32::NAN], None, 2, 2));
    told.add("a classifier of no classes", Classifier::new(&[0.0; 0], None, 0, 2));
    told.add("vectors cut off", Directions::of(&[1.0; 3], 2));
    told.add("vectors of no dimensions", Directions::of(&[], 0));
    told.add("weights for other means", Nc3::of(&[1.0; 4], &[1.0; 2], 2));
    told.add("means that are not finite", Nc3::of(&[1.0, f64::NAN], &[1.0; 2], 2));

    told.add("accuracy of no samples", AccuracyAccumulator::new(3).finish(&[1; 3]));
    told.add("training counts of other classes", AccuracyAccumulator::new(3).finish(&[1; 2]));
    told.add("logits too few", Accuracy::of(&[0.0; 5], &[0, 1], &[1; 3]));
    told.add("logits for a label beyond the classes", Accuracy::of(&[0.0; 6], &[0, 3], &[1; 3]));
    told.add("a logit that is not finite", Accuracy::of(&[0.0, 0.0, 0.0, f32::NAN], &[0, 1], &[1; 2]));
    let mut accuracy = AccuracyAccumulator::new(2);
    accuracy.update(&[0.0; 6], &[0, 1, 0]).unwrap();
    let second = accuracy.update(&[0.0, 1.0, f32::INFINITY, 0.0], &[0, 1]);
    told.add("the same in the second piece", second);
    told.add("predictions of logits cut off", predictions(&[0.0; 5], 3));
    crate::analysis::refused(&mut told);
    told.assert_kept();
}
