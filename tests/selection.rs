//! Selection of an epoch by validation accuracy.

use std::fs;

use serde_json::Value;

use crate::run::{last_line, nclt, run_dir};

/// The first evaluation with the largest `accuracy`.
fn first_largest<'a>(evaluated: &'a [Value], accuracy: &str) -> &'a Value {
    let of = |event: &Value| event[accuracy]["all"].as_f64().unwrap();
    let largest = evaluated.iter().map(of).fold(0.0, f64::max);
    evaluated.iter().find(|event| of(event) == largest).unwrap()
}

/// Checks the selected epoch of a run. True if validation and test accuracy peak in different epochs, because only such
/// a run shows which of them selects.
fn selects(seed: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "train",
        "--preset=fashion-mnist-lt/ce",
        "--epochs=8",
        "--set=data.profile={kind=\"exponential\", ratio=25, largest=200}",
        "--set=phases.representation.batch_size=32",
        "--set=evaluation.every_epochs=1",
        "--set=data.validation.fraction=0.02",
        "--measure-every=0",
        "--json",
        "--seed",
        seed,
    ];
    let result = last_line(&nclt(dir.path(), &args));
    let run = run_dir(dir.path());
    let events = fs::read_to_string(run.join("events.jsonl")).unwrap();
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let evaluated: Vec<Value> = events.filter(|event| event["event"] == "evaluated").collect();
    assert_eq!(evaluated.len(), 8);
    let by_validation = first_largest(&evaluated, "validation_accuracy");
    let by_test = first_largest(&evaluated, "test_accuracy");

    let selected = &result["selected_epoch"];
    for key in ["phase", "epoch", "validation_accuracy", "test_accuracy"] {
        assert_eq!(selected[key], by_validation[key], "{key}");
    }
    let best = &result["best_epoch"];
    assert_eq!((&best["phase"], &best["epoch"]), (&by_test["phase"], &by_test["epoch"]));
    assert_eq!(best["accuracy"], by_test["test_accuracy"]);
    // The reported accuracy is that of the last epoch.
    assert_eq!(result["accuracy"]["top1"], evaluated[7]["test_accuracy"]["all"]);
    // Validation images are held out before the profile thins the classes.
    assert_eq!(result["data"]["class_counts"][0], 200);
    // The stored weights are those of the selected epoch.
    let kept = run.join("weights-selected.safetensors");
    let measured = last_line(&nclt(dir.path(), &["eval", kept.to_str().unwrap(), "--json"]));
    assert_eq!(measured["accuracy"]["top1"], selected["test_accuracy"]["all"]);
    by_validation != by_test
}

#[test]
fn validation_selects_the_epoch_and_the_test_set_does_not() {
    assert!(["0", "1", "2", "3"].into_iter().any(selects), "no run tells the two apart");
}
