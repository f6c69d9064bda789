//! Files written by version 0.1.0, under `fixtures`.

use std::{fs, path::Path};

use nc_record::{Array, Checkpoint, RunDir};
use serde_json::Value;

use crate::{
    run::{failure, fixtures, last_line, nclt, stdout},
    weights::{pinned, processor, sha256},
};

/// Processor on which the fixtures were created.
const RECORDED: &str = "avx512 avx512";

/// A writable copy of the fixture `name`, a flat directory.
fn copy_of(name: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixtures(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
    }
    copy
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn an_interrupted_run_resumes_to_the_same_weights() {
    let run = copy_of("interrupted");
    let output = nclt(run.path(), &["train", "--resume", "."]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("representation 3/3, after 2 steps"), "{log}");
    stdout(&output);
    let found = sha256(&run.path().join("weights.safetensors"));
    if let Some(expected) = pinned(&fixtures("interrupted/pins.txt"), "interrupted") {
        assert_eq!(found, expected, "on \"{}\"", processor());
    }
}

#[test]
fn a_finished_run_is_printed_evaluated_and_reported() {
    let run = copy_of("finished");
    let result = json(&run.path().join("result.json"));
    assert_eq!(last_line(&nclt(run.path(), &["train", "--resume", ".", "--json"])), result);

    let evaluated = last_line(&nclt(run.path(), &["eval", ".", "--json"]));
    let top1 = |result: &Value| result["accuracy"]["top1"].as_f64().unwrap();
    assert!((top1(&evaluated) - top1(&result)).abs() < 2e-3, "{evaluated}");
    if processor() == RECORDED {
        for key in ["accuracy", "calibration", "nc"] {
            assert_eq!(evaluated[key], result[key], "{key}");
        }
    }

    let page = stdout(&nclt(run.path(), &["report", ".", "--out", "-"]));
    let accuracy = format!("{:.1}", 100.0 * top1(&result));
    assert!(
        page.contains(&accuracy) && page.contains("Principal components of the features"),
        "no {accuracy} in the page"
    );
}

#[test]
fn feature_files_reproduce_the_metrics_of_their_run() {
    let nc = json(&fixtures("finished/result.json"))["nc"]["train"].clone();
    let dir = tempfile::tempdir().unwrap();
    for file in ["features/features.safetensors", "features/features.npz"] {
        let path = fixtures(file);
        let analysis = stdout(&nclt(dir.path(), &["analyze", path.to_str().unwrap(), "--json", "-"]));
        let analysis: Value = serde_json::from_str(&analysis).unwrap();
        for key in ["nc1", "nc2", "nc3", "nc4"] {
            assert_eq!(analysis[key], nc[key], "{file}: {key}");
        }
    }
}

#[test]
fn records_fill_their_cells() {
    let dir = tempfile::tempdir().unwrap();
    // The warm-up of quick scale has changed since: its old records parse but match no cell.
    for (scale, filled) in [("paper", true), ("quick", false)] {
        fs::create_dir(dir.path().join(scale)).unwrap();
        let mut records = vec![];
        for entry in fs::read_dir(fixtures("records").join(scale)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            fs::copy(&path, dir.path().join(scale).join(&name)).unwrap();
            records.push((name, json(&path)));
        }
        stdout(&nclt(
            dir.path(),
            &["reproduce-tables", "--scale", scale, "--results", ".", "--max-runs", "0"],
        ));
        let table = fs::read_to_string(dir.path().join(scale).join("tables.csv")).unwrap();
        assert_eq!(records.len(), 2);
        for (name, record) in records {
            let cell = table.lines().find(|line| line.ends_with(&format!("{scale}/{name}")));
            assert_eq!(cell.is_some(), filled, "{name}");
            let accuracy = 100.0 * record["accuracy"]["top1"].as_f64().unwrap();
            assert!(cell.is_none_or(|cell| cell.contains(&format!(",{accuracy},"))), "{cell:?}");
        }
    }
}

#[test]
fn an_unknown_tensor_in_a_checkpoint_is_an_error() {
    let run = copy_of("interrupted");
    let path = run.path().join("checkpoint-000000010.safetensors");
    let mut checkpoint = Checkpoint::<Value>::read(&path).unwrap();
    checkpoint.tensors.insert("prototypes".to_owned(), Array { shape: vec![1], values: vec![0.0] });
    RunDir::open(run.path()).unwrap().write_checkpoint(10, &checkpoint).unwrap();
    let message = failure(&nclt(run.path(), &["train", "--resume", "."]));
    assert!(message.contains("checkpoint-000000010.safetensors"), "{message}");
    assert!(message.contains("\"prototypes\""), "{message}");
    assert!(!run.path().join("weights.safetensors").exists());
}
