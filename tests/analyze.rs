//! `nclt analyze`, `nclt export-features` and `nclt report`.

use std::path::Path;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value;

use crate::run::{nclt, run_dir, small, stdout};

/// The numbers at `path` (names joined by dots), flattened.
fn numbers(report: &Value, path: &str) -> Vec<f64> {
    fn flatten(value: &Value, out: &mut Vec<f64>) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| flatten(value, out)),
            value => out.push(value.as_f64().unwrap()),
        }
    }
    let mut out = vec![];
    flatten(path.split('.').fold(report, |value, key| &value[key]), &mut out);
    out
}

fn doubles(view: &TensorView<'_>) -> Vec<f64> {
    let values = view.data().chunks_exact(8).map(|bytes| bytes.try_into().unwrap());
    match view.dtype() {
        Dtype::F64 => values.map(f64::from_le_bytes).collect(),
        Dtype::I64 => values.map(|bytes| i64::from_le_bytes(bytes) as f64).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn metrics_match_pytorch() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nc-metrics/tests/golden/metrics.safetensors");
    let golden = std::fs::read(golden).unwrap();
    let golden = SafeTensors::deserialize(&golden).unwrap();
    let inputs = golden.names().into_iter().filter_map(|name| {
        let input = name.strip_prefix("in.")?;
        Some((input.to_owned(), golden.tensor(name).unwrap()))
    });
    let dir = tempfile::tempdir().unwrap();
    let file = safetensors::serialize(inputs.collect::<Vec<_>>(), None).unwrap();
    std::fs::write(dir.path().join("features.safetensors"), file).unwrap();
    let args =
        ["analyze", "features.safetensors", "--json", "out.json", "--html", "out.html", "--threads", "2"];
    let table = stdout(&nclt(dir.path(), &args));
    assert!(table.contains("NC1 tr(S_W pinv(S_B))/K, each sample the same"), "{table}");
    let page = std::fs::read_to_string(dir.path().join("out.html")).unwrap();
    assert!(page.contains("Angles between class means") && page.contains("Reliability"));

    let report = std::fs::read(dir.path().join("out.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let mut compared = 0;
    for name in golden.names() {
        let Some(path) = name.strip_prefix("out.") else { continue };
        let (ours, theirs) = (numbers(&report, path), doubles(&golden.tensor(name).unwrap()));
        assert_eq!(ours.len(), theirs.len(), "{path}");
        let norm = theirs.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        let error = ours.iter().zip(&theirs).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() / norm;
        assert!(error < 1e-6, "{path}: relative error {error:.2e}");
        compared += 1;
    }
    assert_eq!(compared, 30);

    let again = nclt(dir.path(), &["analyze", "features.safetensors", "--json", "-", "--threads", "1"]);
    let again: Value = serde_json::from_str(&stdout(&again)).unwrap();
    assert_eq!(again, report, "the metrics depend on the number of threads");
}

/// 64-bit features near 1e2, 1e4, 1e6 and 1e8 that differ by 1e-3, and features near 0 of size 1e-60. The golden file
/// has inputs from NumPy and metrics by the definitions in nc-metrics' README, in 60-digit arithmetic with mpmath.
#[test]
fn large_offsets_and_tiny_values_keep_64_bit_precision() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nc-metrics/tests/golden/offsets.safetensors");
    let golden = std::fs::read(golden).unwrap();
    let golden = SafeTensors::deserialize(&golden).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut compared = 0;
    for case in ["e2", "e4", "e6", "e8", "tiny"] {
        let named = |kind: &str| {
            let start = format!("{case}.{kind}.");
            let names = golden.names().into_iter();
            let entry =
                |name: &str| Some((name.strip_prefix(&start)?.to_owned(), golden.tensor(name).unwrap()));
            names.filter_map(entry).collect::<Vec<_>>()
        };
        std::fs::write(dir.path().join("features"), safetensors::serialize(named("in"), None).unwrap())
            .unwrap();
        let report = stdout(&nclt(dir.path(), &["analyze", "features", "--json", "-", "--threads", "1"]));
        let report: Value = serde_json::from_str(&report).unwrap();
        for (path, theirs) in named("out") {
            let (ours, theirs) = (numbers(&report, &path), doubles(&theirs));
            assert_eq!(ours.len(), theirs.len(), "{path}");
            for (a, b) in ours.into_iter().zip(theirs) {
                assert!((a - b).abs() <= 1e-9 * b.abs(), "{case} {path}: {a:e}, expected {b:e}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 177);
}

#[test]
fn class_names_and_ignored_entries_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (features, labels) = ([0f64, 1.0].map(f64::to_le_bytes), [0i64, 2].map(i64::to_le_bytes));
    let (features, labels) = (features.concat(), labels.concat());
    let view = |dtype, shape, bytes| TensorView::new(dtype, shape, bytes).unwrap();
    let entries = [
        ("features", view(Dtype::F64, vec![2, 1], &features)),
        ("labels", view(Dtype::I64, vec![2], &labels)),
        ("logits", view(Dtype::U8, vec![1], &[0])),
        ("epoch", view(Dtype::U8, vec![1], &[0])),
    ];
    let names = [("class_names".to_owned(), r#"["ant","bee","cat"]"#.to_owned())];
    let file = safetensors::serialize(entries, Some(names.into())).unwrap();
    std::fs::write(dir.path().join("features"), file).unwrap();
    let output = nclt(dir.path(), &["analyze", "features", "--json", "figures.json"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "features: ignored entries: epoch, logits\n");
    assert!(stdout(&output).contains("classes without training features, left out: 1 (bee)\n"));
    let figures = std::fs::read(dir.path().join("figures.json")).unwrap();
    let figures: Value = serde_json::from_slice(&figures).unwrap();
    assert_eq!(figures["class_names"], serde_json::json!(["ant", "bee", "cat"]));
}

#[test]
fn exported_features_reproduce_the_run_and_reports_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let told = stdout(&nclt(dir.path(), &small(&["--epochs", "3", "--measure-every", "1"])));
    let run = run_dir(dir.path());
    assert!(told.trim_end().ends_with("report.html"), "{told}");
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    for title in
        ["Mean nearest angle (NC2)", "Principal components of the features", "Confusion", "[[phases]]"]
    {
        assert!(page.contains(title), "{title}");
    }
    let events = std::fs::read_to_string(run.join("events.jsonl")).unwrap();
    assert!(events.matches("\"event\":\"measured\"").count() >= 3, "{events}");
    assert!(std::fs::metadata(run.join("events.out.tfevents.0.nclt")).unwrap().len() > 1000);

    let run = run.to_str().unwrap();
    stdout(&nclt(dir.path(), &["export-features", run, "--out", "features.safetensors"]));
    let exported = nclt(dir.path(), &["export-features", run, "--out", "-"]);
    assert!(exported.stdout == std::fs::read(dir.path().join("features.safetensors")).unwrap());
    let analyzed = stdout(&nclt(dir.path(), &["analyze", "features.safetensors", "--html", "-"]));
    assert!(
        analyzed.starts_with("<!doctype html>") && analyzed.trim_end().ends_with("</html>"),
        "{analyzed}"
    );
    assert!(!dir.path().join("-").exists());
    let analysis = nclt(dir.path(), &["analyze", "features.safetensors", "--json", "-"]);
    let analysis: Value = serde_json::from_str(&stdout(&analysis)).unwrap();
    let result = std::fs::read_to_string(Path::new(run).join("result.json")).unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    assert_eq!(analysis["nc1"], result["nc"]["train"]["nc1"]);
    assert_eq!(analysis["nc4"], result["nc"]["train"]["nc4"]);
    assert_eq!(analysis["test"]["nc4"], result["nc"]["test"]["nc4"]);

    // The page of one run, and a comparison of the run with itself.
    stdout(&nclt(dir.path(), &["report", run, "--out", "alone.html"]));
    assert_eq!(std::fs::read_to_string(dir.path().join("alone.html")).unwrap(), page);
    assert_eq!(stdout(&nclt(dir.path(), &["report", run, "--out", "-"])), page);
    assert_eq!(stdout(&nclt(dir.path(), &["report", run, run])).trim_end(), "comparison.html");
    let page = std::fs::read_to_string(dir.path().join("comparison.html")).unwrap();
    assert!(page.contains("1 of the runs are copies of others"));
}

/// Writes two features of two dimensions and their labels.
pub(crate) fn write_two(path: &Path, features: [f32; 4], labels: [i64; 2]) {
    let (features, labels) = (features.map(f32::to_le_bytes).concat(), labels.map(i64::to_le_bytes).concat());
    let entries = [
        ("features", TensorView::new(Dtype::F32, vec![2, 2], &features).unwrap()),
        ("labels", TensorView::new(Dtype::I64, vec![2], &labels).unwrap()),
    ];
    std::fs::write(path, safetensors::serialize(entries, None).unwrap()).unwrap();
}
