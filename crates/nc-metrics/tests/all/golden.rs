//! All metrics of the golden file against PyTorch in double precision, in one piece and in ragged pieces.

use nc_metrics::{
    Accuracy, AccuracyAccumulator, Calibration, CalibrationAccumulator, ClassMeans, ClassMeansAccumulator,
    Classifier, NeuralCollapse, NeuralCollapseAccumulator, predictions,
};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

struct Golden(Vec<u8>);

impl Golden {
    fn load() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics.safetensors");
        Self(std::fs::read(path).unwrap())
    }

    fn get(&self, name: &str) -> Vec<f64> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).unwrap();
        match view.dtype() {
            Dtype::F32 => bytes(view.data()).map(|b| f64::from(f32::from_le_bytes(b))).collect(),
            Dtype::F64 => bytes(view.data()).map(f64::from_le_bytes).collect(),
            Dtype::I64 => bytes(view.data()).map(|b| i64::from_le_bytes(b) as f64).collect(),
            other => panic!("{name} has dtype {other:?}"),
        }
    }

    fn f32(&self, name: &str) -> Vec<f32> {
        self.get(name).into_iter().map(|x| x as f32).collect()
    }

    fn names(&self) -> Vec<String> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        file.names().into_iter().map(str::to_owned).collect()
    }
}

fn bytes<const N: usize>(data: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    data.chunks_exact(N).map(|chunk| chunk.try_into().unwrap())
}

struct Case {
    features: Vec<f32>,
    labels: Vec<u32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    counts: Vec<usize>,
}

const P: usize = 32;
const K: usize = 10;

impl Case {
    fn of(golden: &Golden) -> Self {
        Self {
            features: golden.f32("in.features"),
            labels: golden.get("in.labels").into_iter().map(|x| x as u32).collect(),
            weight: golden.f32("in.weight"),
            bias: golden.f32("in.bias"),
            counts: golden.get("in.class_counts").into_iter().map(|x| x as usize).collect(),
        }
    }

    fn classifier(&self) -> Classifier {
        Classifier::new(&self.weight, Some(&self.bias), K, P).unwrap()
    }

    /// z = W h + b.
    fn logits(&self) -> Vec<f32> {
        let dot =
            |w: &[f32], h: &[f32]| w.iter().zip(h).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let row = |h: &[f32]| -> Vec<f32> {
            self.weight.chunks(P).zip(&self.bias).map(|(w, &b)| (dot(w, h) + f64::from(b)) as f32).collect()
        };
        self.features.chunks(P).flat_map(row).collect()
    }
}

fn assert_close(name: &str, ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut ours.iter().zip(theirs).map(|(a, b)| a - b));
    let error = difference / norm(&mut theirs.iter().copied()).max(f64::MIN_POSITIVE);
    assert!(error < 1e-6, "{name}: relative error {error:.2e}");
}

/// The numbers at `path` (field names joined by dots), flattened.
fn numbers(report: &Value, path: &str) -> Vec<f64> {
    fn flatten(value: &Value, out: &mut Vec<f64>) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| flatten(value, out)),
            value => out.push(value.as_f64().unwrap()),
        }
    }
    let value = path.split('.').fold(report, |value, key| &value[key]);
    let mut out = vec![];
    flatten(value, &mut out);
    out
}

fn compare(
    golden: &Golden,
    means: &ClassMeans,
    nc: &NeuralCollapse,
    accuracy: &Accuracy,
    calibration: &Calibration,
) {
    assert_close("class_means", means.means(), &golden.get("out.class_means"));
    assert_close("mean_of_class_means", means.mean_of_class_means(), &golden.get("out.mean_of_class_means"));
    assert_close("global_mean", means.global_mean(), &golden.get("out.global_mean"));
    let mut report = serde_json::to_value(nc).unwrap();
    report["accuracy"] = serde_json::to_value(accuracy).unwrap();
    report["calibration"] = serde_json::to_value(calibration).unwrap();
    let elsewhere = ["class_means", "mean_of_class_means", "global_mean", "predictions"];
    let mut compared = 0;
    for name in golden.names() {
        if let Some(path) = name.strip_prefix("out.").filter(|path| !elsewhere.contains(path)) {
            assert_close(path, &numbers(&report, path), &golden.get(&name));
            compared += 1;
        }
    }
    assert_eq!(compared, 26);
}

#[test]
fn metrics_in_one_piece_match_pytorch() {
    let golden = Golden::load();
    let case = Case::of(&golden);
    let means = ClassMeans::of(&case.features, &case.labels, K, P).unwrap();
    let nc = NeuralCollapse::of(&case.features, &case.labels, K, P, Some(&case.classifier())).unwrap();
    let accuracy = Accuracy::of(&case.logits(), &case.labels, &case.counts).unwrap();
    let calibration = Calibration::of(&case.logits(), &case.labels, K).unwrap();
    compare(&golden, &means, &nc, &accuracy, &calibration);

    let predicted = predictions(&case.logits(), K).unwrap();
    assert_eq!(predicted.iter().map(|&k| f64::from(k)).collect::<Vec<_>>(), golden.get("out.predictions"));
    let mut confusion = vec![vec![0; K]; K];
    for (&label, prediction) in case.labels.iter().zip(predicted) {
        confusion[label as usize][prediction as usize] += 1;
    }
    assert_eq!(accuracy.confusion, confusion);
}

#[test]
fn metrics_in_ragged_pieces_match_pytorch() {
    let golden = Golden::load();
    let case = Case::of(&golden);
    let (classifier, logits) = (case.classifier(), case.logits());
    for size in [1, 7, 100, 464] {
        let pieces = || case.features.chunks(size * P).zip(case.labels.chunks(size));
        let mut means = ClassMeansAccumulator::new(K, P);
        pieces().for_each(|(features, labels)| means.update(features, labels).unwrap());
        let means = means.finish().unwrap();
        let mut nc = NeuralCollapseAccumulator::new(&means, Some(&classifier)).unwrap();
        pieces().for_each(|(features, labels)| nc.update(features, labels).unwrap());
        let nc = nc.finish().unwrap();
        let mut accuracy = AccuracyAccumulator::new(K);
        let mut calibration = CalibrationAccumulator::new(K);
        for (logits, labels) in logits.chunks(size * K).zip(case.labels.chunks(size)) {
            accuracy.update(logits, labels).unwrap();
            calibration.update(logits, labels).unwrap();
        }
        compare(&golden, &means, &nc, &accuracy.finish(&case.counts).unwrap(), &calibration.finish());
    }
}
