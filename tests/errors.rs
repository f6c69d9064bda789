//! What a user is told when something is wrong: one paragraph with what, where and what to do; nothing is written.

use crate::run::{failure, nclt, small};

fn refused(args: &[&str], words: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let message = failure(&nclt(dir.path(), args));
    for word in words {
        assert!(message.contains(word), "no {word:?} in {message}");
    }
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?} was left behind");
}

#[test]
fn an_unknown_preset_is_answered_with_the_nearest() {
    let words = ["there is no method \"nc-drw-crr\"", "did you mean \"nc-drw-crt\"", "nclt presets"];
    refused(&["train", "--preset", "fashion-mnist-lt/nc-drw-crr"], &words);
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest() {
    let set = "phases.representation.optimizer.learnin_rate=0.1";
    refused(&["train", "--set", set], &[set, "learnin_rate", "did you mean \"learning_rate\""]);
    let set = "phases.reprsentation.epochs=3";
    refused(&["train", "--set", set], &[set, "did you mean \"representation\""]);
    refused(&["train", "--set", "data.source=idxx"], &["idxx", "did you mean \"idx\""]);
}

#[test]
fn a_value_of_the_wrong_type_is_refused() {
    refused(&["train", "--set", "seed=many"], &["--set seed=many", "invalid type"]);
    refused(&["train", "--set", "seed"], &["should be section.key=value"]);
}

#[test]
fn contradictory_settings_are_refused() {
    let within = "phases.representation.objective.neural_collapse.within_weight=0";
    refused(&["train", "--set", within], &["within_weight", "learnable centres", "batch-means"]);
    refused(&["train", "--set", "phases.representation.optimizer.momentum=1"], &["momentum", "below 1"]);
    refused(
        &["train", "--set", "phases.representation.schedule.warmup_epochs=999"],
        &["warmup_epochs", "40 epochs"],
    );
    refused(&["train", "--set", "model.head={kind=\"etf\"}"], &["phases.classifier.trains", "fixed ETF"]);
    let loss = "phases.representation.objective.loss={kind=\"ldam\", max_margin=0.5}";
    refused(&["train", "--set", loss], &["objective.loss", "cosine"]);
    let loss = "phases.representation.objective.loss={kind=\"focal\", gamma=1}";
    refused(&["train", "--set", loss], &["objective.reweighting", "not defined for this loss"]);
    refused(&["train", "--epochs", "0"], &["--epochs", "at least 1"]);
}

#[test]
fn missing_data_are_named() {
    refused(&["train", "--preset", "fashion-mnist-lt-r100/ce"], &["--data-dir"]);
    let args = ["train", "--preset", "fashion-mnist-lt-r100/ce", "--data-dir", "no/such/place"];
    refused(&args, &["no/such/place"]);
    refused(&["train", "--config", "missing.toml"], &["missing.toml"]);
}

#[test]
fn more_images_than_there_are_cannot_be_asked_for() {
    refused(
        &["train", "--set", "data.profile={kind=\"exponential\", ratio=2, largest=1000}"],
        &["class 1 has 599 images", "925"],
    );
}

#[test]
fn a_class_without_training_images_is_named() {
    let profile = "data.profile={kind=\"counts\", counts=[9, 9, 9, 0, 9, 9, 9, 9, 0, 9]}";
    refused(&["train", "--set", profile], &["no training image is left of Dress, Bag"]);
    let few = "data.profile={kind=\"counts\", counts=[9, 9, 9]}";
    refused(&["train", "--set", few], &["3", "10 classes"]);
}

#[test]
fn unknown_devices_are_refused() {
    refused(&["train", "--device", "gpu"], &["cpu, cuda:N"]);
    refused(&["train", "--device", "cuda:0"], &["built without CUDA"]);
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_without_a_result() {
    let dir = tempfile::tempdir().unwrap();
    let args = small(&["--epochs", "1", "--set", "phases.representation.optimizer.learning_rate=1e30"]);
    let message = failure(&nclt(dir.path(), &args));
    for word in ["the loss became", "epoch 0", "learning rate", "no checkpoint yet"] {
        assert!(message.contains(word), "no {word:?} in {message}");
    }
    let run = crate::run::run_dir(dir.path());
    assert!(!run.join("result.json").exists() && !run.join("weights.safetensors").exists());
}
