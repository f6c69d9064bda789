//! Runs that diverge to non-finite values.

use crate::{
    interrupted::{EACH_STEP, args, checkpoints},
    run::{failure, nclt, run_dir, small},
};

#[test]
fn a_diverged_run_reports_its_last_good_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let rate = "phases.representation.optimizer.learning_rate=1e12";
    let more = [
        "--set",
        rate,
        "--set=phases.representation.schedule.warmup_epochs=0",
        "--set=phases.representation.objective.neural_collapse.start_epoch=0",
    ];
    let message = failure(&nclt(dir.path(), &args(&[&more[..], &EACH_STEP].concat())));
    for word in ["running_var is no longer finite", "supervised", "L_W", "step", "learning rate", "clip_norm"]
    {
        assert!(message.contains(word), "no {word:?} in {message}");
    }
    let run = run_dir(dir.path());
    let newest = checkpoints(&run).pop().map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    assert!(newest.is_some_and(|newest| message.contains(&newest)), "{message}");
}

/// Batch norm hides huge weights from the loss; the checks of a checkpoint and at the end of an epoch find them.
#[test]
fn checkpoints_have_only_finite_values() {
    let dir = tempfile::tempdir().unwrap();
    let rate = "phases.representation.optimizer.learning_rate=1e12";
    let more = ["--set", rate, "--set=phases.representation.schedule.warmup_epochs=0"];
    let two_steps_an_epoch =
        [&more[..], &["--set=data.profile={kind=\"exponential\", ratio=10, largest=14}"]].concat();
    let message = failure(&nclt(tempfile::tempdir().unwrap().path(), &args(&two_steps_an_epoch)));
    assert!(message.contains("running_var is no longer finite"), "{message}");

    let message = failure(&nclt(dir.path(), &args(&[&more[..], &EACH_STEP].concat())));
    assert!(message.contains("running_var is no longer finite"), "{message}");
    for path in checkpoints(&run_dir(dir.path())) {
        let tensors = candle_core::safetensors::load(&path, &candle_core::Device::Cpu).unwrap();
        let finite = |tensor: &candle_core::Tensor| {
            let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            values.iter().all(|value| value.is_finite())
        };
        assert!(tensors.values().all(finite), "{}", path.display());
    }
}

#[test]
fn a_non_finite_loss_stops_the_run_without_a_result() {
    let dir = tempfile::tempdir().unwrap();
    let args = small(&["--epochs", "1", "--set", "phases.representation.optimizer.learning_rate=1e12"]);
    let message = failure(&nclt(dir.path(), &args));
    for word in ["the loss became", "epoch 1", "learning rate", "no checkpoint yet"] {
        assert!(message.contains(word), "no {word:?} in {message}");
    }
    let run = run_dir(dir.path());
    assert!(!run.join("result.json").exists() && !run.join("weights.safetensors").exists());
}
