//! A finished run is evaluated again and exported; a checkpoint is rejected as weights.

use safetensors::{Dtype, SafeTensors};

use crate::{
    interrupted::{checkpoints, killed_run},
    run::{failure, last_line, nclt, run_dir, small, stdout},
};

#[test]
fn a_finished_run_is_evaluated_and_exported() {
    let dir = tempfile::tempdir().unwrap();
    let trained = last_line(&nclt(dir.path(), &small(&["--epochs", "2", "--json"])));
    let run = run_dir(dir.path());
    let run = run.to_str().unwrap();

    // The same weights on the same images give the same metrics.
    let measured = last_line(&nclt(dir.path(), &["eval", run, "--json"]));
    for key in ["accuracy", "calibration", "nc"] {
        assert_eq!(measured[key], trained[key], "{key}");
    }
    let weights = format!("{run}/weights.safetensors");
    assert_eq!(last_line(&nclt(dir.path(), &["eval", &weights, "--json"])), measured);
    assert!(stdout(&nclt(dir.path(), &["eval", run])).contains("test accuracy"));

    stdout(&nclt(dir.path(), &["export-features", run, "--out", "features.safetensors"]));
    let bytes = std::fs::read(dir.path().join("features.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let expected: [(&str, Dtype, &[usize]); 7] = [
        ("features", Dtype::F32, &[78, 64]),
        ("labels", Dtype::I64, &[78]),
        ("weight", Dtype::F32, &[10, 64]),
        ("bias", Dtype::F32, &[10]),
        ("class_counts", Dtype::I64, &[10]),
        ("test_features", Dtype::F32, &[2000, 64]),
        ("test_labels", Dtype::I64, &[2000]),
    ];
    assert_eq!(file.len(), expected.len());
    for (name, dtype, shape) in expected {
        let tensor = file.tensor(name).unwrap();
        assert_eq!((tensor.dtype(), tensor.shape()), (dtype, shape), "{name}");
    }
    let shown = stdout(&nclt(dir.path(), &["export", run, "--onnx", "model.onnx"]));
    let expected = "images (N, 1, 28, 28) to logits (N, 10) and features (N, 64) in model.onnx\n";
    assert_eq!(shown, expected);
    let model = std::fs::read(dir.path().join("model.onnx")).unwrap();
    let written = nclt(dir.path(), &["export", &weights, "--onnx", "-"]);
    assert!(written.status.success() && written.stdout == model);
    let hash = trained["run_hash"].as_str().unwrap();
    for text in ["class_names", "\"Ankle boot\"]", "input_size", "[28,28]", "run_hash", hash, "logits"] {
        assert!(model.windows(text.len()).any(|bytes| bytes == text.as_bytes()), "{text}");
    }

    // The exported classifier and test features reproduce the recorded accuracy.
    let floats = |name: &str| -> Vec<f32> {
        let bytes = file.tensor(name).unwrap().data().chunks_exact(4);
        bytes.map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    let (features, weight, bias) = (floats("test_features"), floats("weight"), floats("bias"));
    let labels = file.tensor("test_labels").unwrap().data().chunks_exact(8);
    let logit =
        |h: &[f32], k: usize| h.iter().zip(&weight[64 * k..]).map(|(h, w)| h * w).sum::<f32>() + bias[k];
    let right = features.chunks_exact(64).zip(labels).filter(|(h, label)| {
        let best = (0..10).max_by(|&a, &b| logit(h, a).total_cmp(&logit(h, b))).unwrap();
        best as i64 == i64::from_le_bytes((*label).try_into().unwrap())
    });
    let share = right.count() as f64 / 2000.0;
    assert!((share - trained["accuracy"]["top1"].as_f64().unwrap()).abs() < 2e-3, "{share}");
}

#[test]
fn commands_on_weights_reject_a_checkpoint() {
    let dir = killed_run();
    let run = run_dir(dir.path());
    let checkpoint = checkpoints(&run).pop().unwrap();
    let path = checkpoint.to_str().unwrap();
    for args in [&["eval", path][..], &["export", path, "--onnx", "model.onnx"]] {
        let message = failure(&nclt(dir.path(), args));
        let (checkpoint, run) = (checkpoint.display(), run.display());
        let expected = format!(
            "{checkpoint} is a checkpoint, not weights of a finished run; resume it with `nclt train --resume {run}`"
        );
        assert!(message.contains(&expected), "{message}");
    }
}
