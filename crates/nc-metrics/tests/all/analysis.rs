//! The complete analysis against its single metrics, and on any number of threads.

use nc_metrics::{
    Accuracy, Calibration, ClassMeans, Classifier, FeatureSet, NearestMeanAccumulator, NeuralCollapse,
    Projection, Samples,
};
use serde_json::Value;

use crate::{normal, refusals::Refusals};

const P: usize = 12;
const K: usize = 5;

struct Case {
    features: Vec<f32>,
    labels: Vec<u32>,
    test_features: Vec<f32>,
    test_labels: Vec<u32>,
    classifier: Classifier,
}

impl Case {
    fn draw() -> Self {
        let labels: Vec<u32> =
            [600, 150, 90, 30, 5].iter().zip(0..).flat_map(|(&count, class)| vec![class; count]).collect();
        let test_labels: Vec<u32> = (0..40 * K as u32).map(|sample| sample % K as u32).collect();
        let means = normal(5, K * P);
        let features = |labels: &[u32], seed| -> Vec<f32> {
            let noise = normal(seed, labels.len() * P);
            let means = labels.iter().flat_map(|&class| &means[class as usize * P..][..P]);
            means.zip(noise).map(|(mean, noise)| (mean + noise) as f32).collect()
        };
        let (features, test_features) = (features(&labels, 6), features(&test_labels, 7));
        let weight: Vec<f32> = means.iter().map(|&x| x as f32).collect();
        let classifier = Classifier::new(&weight, Some(&[0.5, 0.0, 0.0, -0.5, 0.25]), K, P).unwrap();
        Self { features, labels, test_features, test_labels, classifier }
    }

    fn set(&self) -> FeatureSet<'_> {
        FeatureSet {
            classes: K,
            dims: P,
            train: Samples { features: &self.features, labels: &self.labels },
            test: Some(Samples { features: &self.test_features, labels: &self.test_labels }),
            classifier: Some(&self.classifier),
            training_counts: None,
        }
    }

    fn logits(&self, features: &[f32]) -> Vec<f64> {
        let row = |h: &[f32]| -> Vec<f64> {
            let dot = |w: &[f64]| w.iter().zip(h).map(|(w, &h)| w * f64::from(h)).sum::<f64>();
            let rows = self.classifier.weight().chunks(P).zip(self.classifier.bias());
            rows.map(|(w, b)| dot(w) + b).collect()
        };
        features.chunks(P).flat_map(row).collect()
    }
}

#[test]
fn analysis_equals_the_single_metrics() {
    let case = Case::draw();
    let analysis = case.set().analyze().unwrap();
    let counts = [600, 150, 90, 30, 5];
    let of = |features: &[f32], labels: &[u32]| {
        let nc = NeuralCollapse::of(features, labels, K, P, Some(&case.classifier)).unwrap();
        let logits = case.logits(features);
        (nc, Accuracy::of(&logits, labels, &counts).unwrap(), Calibration::of(&logits, labels, K).unwrap())
    };
    let (nc, accuracy, calibration) = of(&case.features, &case.labels);
    assert_eq!(analysis.train.nc, nc);
    assert_eq!(analysis.train.accuracy, Some(accuracy));
    let ece = |calibration: &Calibration| calibration.ece15.unwrap();
    assert!((ece(analysis.train.calibration.as_ref().unwrap()) - ece(&calibration)).abs() < 1e-6);

    let test = analysis.test.as_ref().unwrap();
    let (nc, accuracy, _) = of(&case.test_features, &case.test_labels);
    assert_eq!(test.nc.nc1, nc.nc1);
    assert_eq!(test.nc.nc2, nc.nc2);
    assert_eq!(test.nc.mse, nc.mse);
    assert_eq!(test.accuracy, Some(accuracy));
    // SELI uses the training counts, not those of the test set.
    assert_ne!(test.nc.seli, nc.seli);
    let means = ClassMeans::of(&case.features, &case.labels, K, P).unwrap();
    let mut nearest = NearestMeanAccumulator::new(&means, &case.classifier);
    nearest.update(&case.test_features, &case.test_labels).unwrap();
    assert_eq!(test.nc.nc4, Some(nearest.finish(&counts).unwrap()));
    let geometry = case.set().geometry().unwrap();
    assert_eq!((geometry.train, geometry.test), (analysis.train.nc, analysis.test.unwrap().nc));
}

#[test]
fn accuracy_agrees_with_the_predictions() {
    // Logits that are equal in f32, then logits that are infinite in f32.
    let step = f32::EPSILON;
    let classifier = Classifier::new(&[1.0, 1.0 + step], Some(&[1024.0; 2]), 2, 1).unwrap();
    let decide = |classifier: &Classifier, features: &[f32]| {
        let train = Samples { features, labels: &[1, 0] };
        let set = FeatureSet {
            classes: 2,
            dims: 1,
            train,
            test: None,
            classifier: Some(classifier),
            training_counts: None,
        };
        let measured = set.analyze().unwrap().train;
        (classifier.predictions(features).unwrap(), measured.accuracy.unwrap(), measured.calibration.unwrap())
    };
    let (predicted, accuracy, _) = decide(&classifier, &[1.0, -1.0]);
    assert_eq!((predicted, accuracy.top1), (vec![1, 0], 1.0));
    let large = Classifier::new(&[1e30, 2e30], None, 2, 1).unwrap();
    let (predicted, accuracy, calibration) = decide(&large, &[1e30, -1e30]);
    assert_eq!((predicted, accuracy.top1, calibration.ece15), (vec![1, 0], 1.0, Some(0.0)));
}

pub(crate) fn refused(told: &mut Refusals) {
    let case = Case::draw();
    for (tried, features, labels) in [
        ("too many test features", &[0.0; P + 1][..], [0]),
        ("a test label out of range", &[0.0; P], [5]),
        ("a non-finite test feature", &[f32::NAN; P], [0]),
    ] {
        let set = FeatureSet { test: Some(Samples { features, labels: &labels }), ..case.set() };
        assert!(set.geometry().is_err(), "{tried}");
        told.add(tried, set.analyze());
    }
    let train = Samples { features: &[0.0; P], labels: &[5] };
    told.add("a training label out of range", FeatureSet { train, ..case.set() }.analyze());
}

#[test]
fn metric_names_are_field_names_joined_by_dots() {
    let case = Case::draw();
    let analysis = case.set().analyze().unwrap();
    let json = serde_json::to_value(&analysis).unwrap();
    let at = |path: &str| path.split('.').fold(&json, |value, key| &value[key]).clone();
    for path in ["nc1.trace.sample_weighted", "nc2.centered_means.coherence", "nc3.duality_gap_squared"] {
        assert!(at(path).is_number(), "{path}");
        assert!(at(&format!("test.{path}")).is_number(), "test.{path}");
    }
    assert_eq!(at("nc4.mismatch"), Value::from(analysis.train.nc.nc4.unwrap().mismatch));
    assert_eq!(at("accuracy.top1"), Value::from(analysis.train.accuracy.as_ref().unwrap().top1));
    assert!(at("test.calibration.ece15").is_number());
    let back: nc_metrics::Analysis = serde_json::from_value(json).unwrap();
    assert_eq!(back.train.nc.nc1, analysis.train.nc.nc1);
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let case = Case::draw();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| case.set().analyze().unwrap())
    };
    let alone = on(1);
    assert_eq!(alone, on(2));
    assert_eq!(alone, on(5));
}

#[test]
fn projection_balances_the_classes() {
    let case = Case::draw();
    let samples = Samples { features: &case.features, labels: &case.labels };
    let means = ClassMeans::of(samples.features, samples.labels, K, P).unwrap();
    let plane = Projection::of(samples, &means, Some(&case.classifier), 200).unwrap().unwrap();
    let count = |class| plane.samples.iter().filter(|sample| sample.class == class).count();
    assert_eq!([0, 1, 2, 3, 4].map(count), [40, 40, 40, 30, 5]);
    let few = Projection::of(samples, &means, None, K - 1).unwrap().unwrap();
    assert_eq!(few.samples.iter().map(|sample| sample.class).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!((plane.means.len(), plane.weights.len()), (K, K));
    assert!(plane.explained[0] >= plane.explained[1] && plane.explained.iter().sum::<f64>() <= 1.0);
    // Projection shortens directions, and the plane has the largest variance.
    assert!(plane.weights.iter().all(|[x, y]| x * x + y * y <= 1.0 + 1e-12));
    let variance = |axis: usize| plane.samples.iter().map(|sample| sample.at[axis].powi(2)).sum::<f64>();
    let first_dims = |axis: usize| {
        let center = means.mean_of_class_means()[axis];
        let drawn = plane.samples.len() as f64;
        let all = samples.features.chunks(P).map(|row| (f64::from(row[axis]) - center).powi(2));
        all.sum::<f64>() / samples.labels.len() as f64 * drawn
    };
    assert!(variance(0) + variance(1) > first_dims(0) + first_dims(1));
}

#[test]
fn means_over_classes_match_hand_computation() {
    // Class 0: 3 of 4 correct, class 1: 1 of 2, class 2 never correct and predicted once.
    let labels = [0, 0, 0, 0, 1, 1, 2];
    let decisions = [0, 0, 0, 2, 1, 0, 1];
    let logits: Vec<f32> =
        decisions.iter().flat_map(|&k| (0..3).map(move |j| if j == k { 1.0 } else { 0.0 })).collect();
    let accuracy = Accuracy::of(&logits, &labels, &[4, 2, 1]).unwrap();
    assert_eq!((accuracy.harmonic_mean, accuracy.geometric_mean), (Some(0.0), Some(0.0)));
    assert_eq!(accuracy.worst_class, Some(0.0));
    let f1 = (2.0 * 3.0 / 8.0 + 2.0 * 1.0 / 4.0 + 0.0) / 3.0;
    assert!((accuracy.macro_f1.unwrap() - f1).abs() < 1e-15);
    let accuracy = Accuracy::of(&logits[..18], &labels[..6], &[4, 2, 1]).unwrap();
    assert!((accuracy.geometric_mean.unwrap() - (0.75f64 * 0.5).sqrt()).abs() < 1e-15);
    assert!((accuracy.harmonic_mean.unwrap() - 2.0 / (1.0 / 0.75 + 2.0)).abs() < 1e-15);
}
