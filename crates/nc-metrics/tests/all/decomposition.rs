//! The parts of the squared error against the error itself and a trained classifier.

use nc_metrics::{ClassMeans, Classifier, MseAccumulator, MseDecomposition};

use crate::normal;

const P: usize = 6;
const K: usize = 3;
const RIDGE: f64 = 0.01;

/// Long-tailed features, and a classifier (K, P) and bias (K).
struct Case {
    features: Vec<f32>,
    labels: Vec<u32>,
    weight: Vec<f64>,
    bias: Vec<f64>,
}

impl Case {
    fn draw() -> Self {
        let labels: Vec<u32> =
            [30, 12, 4].iter().zip(0..).flat_map(|(&count, class)| vec![class; count]).collect();
        let (noise, means) = (normal(1, labels.len() * P), normal(2, K * P));
        let features = labels
            .iter()
            .flat_map(|&class| &means[class as usize * P..][..P])
            .zip(&noise)
            .map(|(mean, noise)| (2.0 * mean + noise) as f32)
            .collect();
        Self { features, labels, weight: normal(3, K * P), bias: normal(4, K) }
    }

    /// p_i of each sample.
    fn weights(&self, by_class: bool) -> Vec<f64> {
        let count = |class| self.labels.iter().filter(|&&label| label == class).count() as f64;
        let of = |&label: &u32| {
            if by_class { 1.0 / (K as f64 * count(label)) } else { 1.0 / self.labels.len() as f64 }
        };
        self.labels.iter().map(of).collect()
    }

    /// L and its gradient with respect to weight and bias, sample by sample.
    fn loss(&self, by_class: bool) -> (f64, Vec<f64>, Vec<f64>) {
        let square = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>();
        let mut loss = RIDGE / 2.0 * (square(&self.weight) + square(&self.bias));
        let mut dw: Vec<f64> = self.weight.iter().map(|w| RIDGE * w).collect();
        let mut db: Vec<f64> = self.bias.iter().map(|b| RIDGE * b).collect();
        let samples = self.features.chunks(P).zip(&self.labels).zip(self.weights(by_class));
        for ((h, &label), p) in samples {
            for class in 0..K {
                let w = &self.weight[class * P..][..P];
                let z: f64 = w.iter().zip(h).map(|(w, &h)| w * f64::from(h)).sum();
                let error = z + self.bias[class] - f64::from(class == label as usize);
                loss += p / 2.0 * error * error;
                db[class] += p * error;
                for (dw, &h) in dw[class * P..][..P].iter_mut().zip(h) {
                    *dw += p * error * f64::from(h);
                }
            }
        }
        (loss, dw, db)
    }

    fn decompose(&self) -> MseDecomposition {
        let narrow = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<_>>();
        let classifier = Classifier::new(&narrow(&self.weight), Some(&narrow(&self.bias)), K, P).unwrap();
        let means = ClassMeans::of(&self.features, &self.labels, K, P).unwrap();
        let mut accumulator = MseAccumulator::new(&means, &classifier, RIDGE);
        for (features, labels) in self.features.chunks(7 * P).zip(self.labels.chunks(7)) {
            accumulator.update(features, labels).unwrap();
        }
        accumulator.finish().unwrap()
    }
}

#[test]
fn parts_add_up_to_the_error() {
    let case = Case::draw();
    let parts = case.decompose();
    for (parts, by_class) in [(parts.sample_weighted, false), (parts.class_weighted, true)] {
        let (parts, (loss, ..)) = (parts.unwrap(), case.loss(by_class));
        assert!((parts.total - loss).abs() < 1e-6 * loss, "{parts:?} and {loss}");
        assert!(parts.nc1 > 0.0 && parts.nc23 > 0.0 && parts.perpendicular > 0.0, "{parts:?}");
    }
}

#[test]
fn a_trained_classifier_has_no_perpendicular_part() {
    for by_class in [false, true] {
        let mut case = Case::draw();
        for _ in 0..20_000 {
            let (_, dw, db) = case.loss(by_class);
            case.weight.iter_mut().zip(dw).for_each(|(w, dw)| *w -= 0.05 * dw);
            case.bias.iter_mut().zip(db).for_each(|(b, db)| *b -= 0.05 * db);
        }
        let parts = case.decompose();
        let (own, other) = (parts.sample_weighted.unwrap(), parts.class_weighted.unwrap());
        let (own, other) = if by_class { (other, own) } else { (own, other) };
        assert!(own.perpendicular < 1e-9, "{own:?}");
        assert!((own.total - case.loss(by_class).0).abs() < 1e-6, "{own:?}");
        // The optimal classifiers of the two weightings differ.
        assert!(other.perpendicular > 1e-4, "{other:?}");
    }
}

#[test]
fn samples_not_behind_the_means_have_no_decomposition() {
    let case = Case::draw();
    let means = ClassMeans::of(&case.features, &case.labels, K, P).unwrap();
    let weight: Vec<f32> = case.weight.iter().map(|&x| x as f32).collect();
    let classifier = Classifier::new(&weight, None, K, P).unwrap();
    let mut accumulator = MseAccumulator::new(&means, &classifier, RIDGE);
    accumulator.update(&case.features[..P], &case.labels[..1]).unwrap();
    assert_eq!(accumulator.finish(), None);
    // The same number of samples per class, but different ones.
    let means = ClassMeans::of(&[-2.0, 2.0], &[0, 1], 2, 1).unwrap();
    let classifier = Classifier::new(&[-1.0, 1.0], None, 2, 1).unwrap();
    let mut accumulator = MseAccumulator::new(&means, &classifier, RIDGE);
    accumulator.update(&[10.0, -7.0], &[0, 1]).unwrap();
    assert_eq!(accumulator.finish(), None);
}

#[test]
fn samples_behind_the_means_are_recognised_in_any_order() {
    let case = Case::draw();
    let classifier = Classifier::new(&[1.0; K * P], None, K, P).unwrap();
    // Sums are rounded more far from the origin.
    for offset in [0.0, 1e3, 1e7] {
        let features: Vec<f32> = case.features.iter().map(|x| x + offset).collect();
        let means = ClassMeans::of(&features, &case.labels, K, P).unwrap();
        let mut accumulator = MseAccumulator::new(&means, &classifier, RIDGE);
        for (feature, &label) in features.chunks(P).zip(&case.labels).rev() {
            accumulator.update(feature, &[label]).unwrap();
        }
        assert!(accumulator.finish().is_some(), "{offset}");
    }
}
