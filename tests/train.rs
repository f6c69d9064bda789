use std::fs;

use serde_json::Value;

use crate::{
    interrupted::timeless,
    run::{last_line, nclt, nclt_portable, run_dir, small, stdout},
};

#[test]
fn a_run_writes_configuration_events_result_and_weights() {
    let dir = tempfile::tempdir().unwrap();
    let output = nclt(dir.path(), &small(&["--epochs", "2", "--json"]));
    let printed = last_line(&output);
    let run = run_dir(dir.path());

    let result: Value = serde_json::from_slice(&fs::read(run.join("result.json")).unwrap()).unwrap();
    assert_eq!(result, printed);
    assert_eq!(result["name"], "fashion-mnist-lt/nc-drw-crt");
    assert_eq!(result["epochs"], serde_json::json!([2, 1]));
    assert_eq!(result["accuracy"]["per_class"].as_array().unwrap().len(), 10);
    for set in ["train", "test"] {
        let nc = &result["nc"][set];
        assert!(nc["nc1"]["trace"]["sample_weighted"].as_f64().unwrap() > 0.0, "{nc}");
        assert!(nc["nc4"]["mismatch"].as_f64().is_some(), "{nc}");
    }

    let events = fs::read_to_string(run.join("events.jsonl")).unwrap();
    let kinds: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        kinds,
        [
            "run_started",
            "phase_started",
            "epoch_finished",
            "epoch_finished",
            "evaluated",
            "measured",
            "phase_started",
            "epoch_finished",
            "evaluated",
            "measured",
            "run_finished"
        ]
    );

    let weights =
        candle_core::safetensors::load(run.join("weights.safetensors"), &candle_core::Device::Cpu).unwrap();
    assert_eq!(weights["layer3.2.bn2.running_var"].dims(), [64]);
    assert_eq!(weights["linear.weight"].dims(), [10, 64]);
    let mut files = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().path());
    assert!(files.all(|path| path.extension().is_none_or(|extension| extension != "part")));
}

#[test]
fn the_resolved_configuration_repeats_the_run_bit_for_bit() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let args = ["--epochs", "1", "--seed", "7", "--json", "--threads", "2"];
    let printed = last_line(&nclt(first.path(), &small(&args)));
    let config = run_dir(first.path()).join("config.toml");
    let again =
        nclt(second.path(), &["train", "--config", config.to_str().unwrap(), "--json", "--threads", "2"]);

    assert_eq!(timeless(last_line(&again)), timeless(printed));
    let weights = |dir| fs::read(run_dir(dir).join("weights.safetensors")).unwrap();
    assert!(weights(first.path()) == weights(second.path()), "the weights differ");
    assert_eq!(run_dir(first.path()).file_name(), run_dir(second.path()).file_name());
}

#[test]
fn another_seed_gives_other_weights() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    stdout(&nclt(first.path(), &small(&["--epochs", "1"])));
    stdout(&nclt(second.path(), &small(&["--epochs", "1", "--seed", "1"])));
    let weights = |dir| fs::read(run_dir(dir).join("weights.safetensors")).unwrap();
    assert!(weights(first.path()) != weights(second.path()));
}

#[test]
fn the_summary_shows_accuracy_geometry_and_directory() {
    let dir = tempfile::tempdir().unwrap();
    let text = stdout(&nclt(dir.path(), &small(&["--epochs", "1", "--preset", "fashion-mnist-lt/ce"])));
    for word in ["accuracy", "many", "medium", "few", "NC1", "NC2", "NC3", "NC4", "runs"] {
        assert!(text.contains(word), "no {word:?} in\n{text}");
    }
}

#[test]
fn a_configuration_file_overrides_a_preset() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("mine.toml"),
        "preset = \"fashion-mnist-lt/ce\"\nseed = 3\n[data]\nflip = false\n",
    )
    .unwrap();
    let args = small(&["--config", "mine.toml", "--epochs", "1"]);
    stdout(&nclt(dir.path(), &args));
    let config = fs::read_to_string(run_dir(dir.path()).join("config.toml")).unwrap();
    assert!(config.contains("seed = 3") && config.contains("flip = false"), "{config}");
}

#[test]
fn presets_are_listed_and_printed_as_configurations() {
    let dir = tempfile::tempdir().unwrap();
    let list = stdout(&nclt(dir.path(), &["presets"]));
    let names = |title: &str| -> Vec<String> {
        let lines = list.lines().skip_while(|line| *line != title).skip(1);
        let lines = lines.take_while(|line| line.starts_with("  "));
        lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    };
    let (data_sets, methods, parts) = (names("data sets"), names("methods"), names("parts"));
    assert!(data_sets.len() > 5 && methods.len() > 10 && parts.len() > 5, "{list}");
    for data in &data_sets {
        let name = format!("{data}/{}+{}", methods[0], parts[0]);
        let config = stdout(&nclt(dir.path(), &["presets", &name]));
        assert!(config.contains(&format!("name = \"{name}\"")), "{config}");
    }
}

/// Different mean losses of the first epoch show that each preset trains with its own loss.
#[test]
fn every_loss_trains_with_mixed_labels() {
    let loss = "phases.representation.objective.loss";
    let first = |preset: &str, more: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let preset = format!("fashion-mnist-lt/{preset}");
        let mixed = ["--epochs=1", "--set=phases.representation.mixup_alpha=1", "--preset", &preset];
        stdout(&nclt(dir.path(), &small(&[&mixed, more].concat())));
        let events = fs::read_to_string(run_dir(dir.path()).join("events.jsonl")).unwrap();
        let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let epoch = events.into_iter().find(|event| event["event"] == "epoch_finished").unwrap();
        epoch["losses"]["supervised"].as_f64().unwrap()
    };
    let smoothed = format!("{loss}={{kind=\"label-aware-smoothing\", head=0.4, tail=0.1}}");
    let values = [
        first("ce", &[]),
        first("focal", &[]),
        first("ldam-drw", &[]),
        first("logit-adjustment", &[]),
        first("arb", &[]),
        first("ce", &["--set", &format!("{loss}={{kind=\"mean-squared-error\"}}")]),
        first("ce", &["--set", &smoothed]),
    ];
    for (index, value) in values.iter().enumerate() {
        assert!(value.is_finite() && *value > 0.0, "{values:?}");
        assert!(values[..index].iter().all(|other| (other - value).abs() > 1e-6), "{values:?}");
    }
}

#[test]
fn the_number_of_threads_does_not_change_the_weights() {
    for precision in ["f32", "bf16"] {
        let weights = ["1", "2", "3"].map(|threads| {
            let dir = tempfile::tempdir().unwrap();
            let args = ["--epochs", "1", "--precision", precision, "--threads", threads];
            stdout(&nclt(dir.path(), &small(&args)));
            fs::read(run_dir(dir.path()).join("weights.safetensors")).unwrap()
        });
        assert!(weights[0] == weights[1] && weights[0] == weights[2], "the weights differ in {precision}");
    }
}

/// Also when a run continues from one of another processor, whose result does not have the note.
#[test]
fn slow_bf16_is_noted_by_each_run_on_such_a_processor() {
    let dir = tempfile::tempdir().unwrap();
    for preset in ["fashion-mnist-lt/ce", "fashion-mnist-lt/ce+crt"] {
        let args = ["--epochs", "1", "--preset", preset, "--precision", "bf16", "--json"];
        let output = nclt_portable(dir.path(), &small(&args));
        let result = last_line(&output);
        let messages = String::from_utf8(output.stderr).unwrap();
        let note = "note: bf16 without the instructions of AVX512-BF16 is slower than f32";
        assert_eq!(messages.matches(note).count(), 1, "{messages}");
        assert!(!result.to_string().contains("AVX512"), "{result}");
    }
}

/// L_W, L_B and whether class weights are used, for the two epochs of the first phase. All start in the second epoch.
fn deferred(centers: &str) -> Vec<(Value, Value, Value)> {
    let dir = tempfile::tempdir().unwrap();
    let objective = "phases.representation.objective";
    let centers = format!("{objective}.neural_collapse.centers={centers}");
    let start = format!("{objective}.neural_collapse.start_epoch=20");
    let weights = format!("{objective}.reweighting.from_epoch=20");
    let args = [
        "--epochs",
        "2",
        "--preset",
        "fashion-mnist-lt/nc-drw",
        "--set",
        &centers,
        "--set",
        &start,
        "--set",
        &weights,
    ];
    stdout(&nclt(dir.path(), &small(&args)));
    let events = fs::read_to_string(run_dir(dir.path()).join("events.jsonl")).unwrap();
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let epochs = events.filter(|event| event["event"] == "epoch_finished");
    epochs
        .map(|event| {
            let losses = &event["losses"];
            (losses["within_class"].clone(), losses["between_class"].clone(), event["class_weights"].clone())
        })
        .collect()
}

#[test]
fn regularisers_and_class_weights_start_in_their_epoch() {
    for centers in ["{kind=\"learnable\", learning_rate=0.5, init=\"class-means\"}", "{kind=\"batch-means\"}"]
    {
        let epochs = deferred(centers);
        assert_eq!(epochs[0], (Value::Null, Value::Null, Value::Bool(false)), "{centers}");
        let (within, between, weighted) = &epochs[1];
        assert!(within.as_f64().unwrap() > 0.0, "{centers}: {within}");
        assert!(between.as_f64().unwrap() < 0.0, "{centers}: {between}");
        assert_eq!(*weighted, Value::Bool(true));
    }
}

#[test]
fn strong_transforms_do_not_depend_on_loader_threads_and_are_shown() {
    let trained = |threads: &str, preset: &str| {
        let dir = tempfile::tempdir().unwrap();
        stdout(&nclt(
            dir.path(),
            &small(&["--preset", preset, "--epochs", "1", "--loader-threads", threads]),
        ));
        let read = |name: &str| std::fs::read(run_dir(dir.path()).join(name)).unwrap();
        let [weights, samples] = ["weights.safetensors", "samples.json"].map(read);
        (weights, samples, String::from_utf8(read("report.html")).unwrap())
    };
    let plain = trained("1", "fashion-mnist-lt/ce");
    let strong = trained("1", "fashion-mnist-lt/ce+auto-augment");
    let again = trained("3", "fashion-mnist-lt/ce+auto-augment");
    assert!((&strong.0, &strong.1) == (&again.0, &again.1));
    assert!(plain.0 != strong.0 && plain.1 != strong.1);
    for (_, _, page) in [plain, strong] {
        let (_, section) = page.split_once("<h2>Training images as the network saw them</h2>").unwrap();
        let (section, _) = section.split_once("</section>").unwrap();
        let images = section.matches("<img src=\"data:image/png;base64,").count();
        // Of the smallest class there may be fewer than three.
        assert!((12..=24).contains(&images), "{images} images");
        assert!(page.contains("<figcaption>T-shirt/top</figcaption>"));
    }
}
