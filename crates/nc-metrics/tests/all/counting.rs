//! Accuracy, shot groups and calibration against hand-computed values.

use nc_metrics::{Accuracy, Calibration, Directions, ShotClasses, predictions};

/// Logits (N, K) that predict the given classes.
fn predicting(predicted: &[usize], classes: usize) -> Vec<f32> {
    predicted.iter().flat_map(|&p| (0..classes).map(move |k| f32::from(k == p))).collect()
}

#[test]
fn groups_are_by_training_counts_and_weigh_samples() {
    // Classes 0 and 1 are many-shot, with 1 of 1 and 1 of 3 correct; 2 and 3 are medium; 4 is few-shot, never correct.
    let labels = [0, 1, 1, 1, 2, 3, 4];
    let logits = predicting(&[0, 1, 0, 0, 2, 3, 0], 5);
    let accuracy = Accuracy::of(&logits, &labels, &[5000, 101, 100, 20, 19]).unwrap();
    assert_eq!(accuracy.many, Some(2.0 / 4.0)); // over samples; over classes it would be 2/3
    assert_eq!((accuracy.medium, accuracy.few), (Some(1.0), Some(0.0)));
    assert_eq!(accuracy.shot_classes, ShotClasses { many: 2, medium: 2, few: 1 });
    assert_eq!(accuracy.top1, 4.0 / 7.0);
    assert_eq!(accuracy.top5, 1.0);
    let third = 1.0 / 3.0;
    assert_eq!(accuracy.per_class, [Some(1.0), Some(third), Some(1.0), Some(1.0), Some(0.0)]);
    assert!((accuracy.balanced - (3.0 + third) / 5.0).abs() < 1e-15);
    assert_eq!(accuracy.confusion[1], [2, 1, 0, 0, 0]);
}

#[test]
fn empty_groups_and_classes_have_no_accuracy() {
    let accuracy = Accuracy::of(&predicting(&[0, 0], 3), &[0, 0], &[500, 500, 500]).unwrap();
    assert_eq!(accuracy.per_class, [Some(1.0), None, None]);
    assert_eq!((accuracy.balanced, accuracy.many), (1.0, Some(1.0)));
    assert_eq!((accuracy.medium, accuracy.few), (None, None));
    let json = serde_json::to_string(&accuracy).unwrap();
    assert!(json.contains(r#""few":null"#), "{json}");
    assert_eq!(serde_json::from_str::<Accuracy>(&json).unwrap(), accuracy);
}

#[test]
fn ties_between_logits_go_to_the_first_class() {
    let equal = [1.0; 7];
    assert_eq!(predictions(&equal, 7).unwrap(), [0]);
    let top5 = |label| Accuracy::of(&equal, &[label], &[1; 7]).unwrap().top5;
    assert_eq!([0, 4, 5, 6].map(top5), [1.0, 1.0, 0.0, 0.0]);
    // Negative zero equals zero.
    assert_eq!(predictions(&[-0.0, 0.0], 2).unwrap(), [0]);
}

#[test]
fn matrices_are_omitted_for_many_classes() {
    let classes = 1001;
    let accuracy = Accuracy::of(&predicting(&[7, 8], classes), &[7, 9], &vec![1; classes]).unwrap();
    assert_eq!((accuracy.top1, accuracy.confusion), (0.5, vec![]));
    // Points evenly spaced on a circle.
    let step = 360.0 / classes as f64;
    let at = |place: usize| (place as f64 * step).to_radians().sin_cos();
    let rows: Vec<f64> = (0..classes).flat_map(|place| [at(place).0, at(place).1]).collect();
    let all = Directions::of(&rows, 2).unwrap();
    assert!((all.mean_nearest_angle_degrees.unwrap() - step).abs() < 1e-6);
    let kept = |vectors: usize| Directions::of(&rows[..2 * vectors], 2).unwrap().cosines.len();
    assert_eq!((kept(256), kept(257)), (256, 0));
}

#[test]
fn logits_are_compared_in_f64() {
    // In f32 the first is infinite and the last two are equal.
    let logits = [1e60, 0.0, 1.0, 1.0 + f64::EPSILON];
    assert_eq!(predictions(&logits, 2).unwrap(), [0, 1]);
    assert_eq!(Accuracy::of(&logits, &[0, 1], &[1; 2]).unwrap().top1, 1.0);
    let calibration = Calibration::of(&logits, &[0, 1], 2).unwrap();
    assert_eq!(calibration.bins.iter().filter_map(|bin| bin.accuracy).collect::<Vec<_>>(), [1.0, 1.0]);
}

#[test]
fn bins_are_closed_on_the_right() {
    // Equal logits of 5 classes: confidence 1/5 = 3/15, the right end of the third bin. A second sample with one
    // slightly larger logit falls into the fourth; if bins were closed on the left, both would fall into the fourth.
    let bins = |logit: f32| {
        let mut logits = vec![0.0; 10];
        logits[5] = logit;
        Calibration::of(&logits, &[0, 1], 5).unwrap().ece15.unwrap()
    };
    // One correct, one wrong. In one bin: |1 - 0.4| / 2. In two bins: (|1 - 0.2| + |0 - 0.2|) / 2.
    assert!((bins(0.0) - 0.3).abs() < 1e-6);
    assert!((bins(1e-3) - 0.5).abs() < 1e-3);
}

#[test]
fn confidence_is_finite_for_large_logits() {
    let ece = |logits: &[f32]| Calibration::of(logits, &[0], 2).unwrap().ece15;
    assert_eq!(ece(&[3e38, -3e38]), Some(0.0));
    assert_eq!(ece(&[-3e38, 3e38]), Some(1.0));
}
