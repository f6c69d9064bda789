#[macro_use]
#[path = "../../../../tests/worded.rs"]
mod worded;

use std::io;

use nc_record::EpochLosses;

use super::Error;
use crate::{Diverged, NotFinite, Settings, presets};

fn set(text: &str) -> Error {
    Settings { overrides: &[text.to_owned()], ..Settings::default() }.resolve().unwrap_err()
}

fn diverged(cause: NotFinite, checkpoint: Option<&str>) -> Error {
    let supervised = if cause == NotFinite::Loss { f64::NAN } else { 41.5 };
    let losses =
        EpochLosses { total: supervised + 0.25, supervised, within_class: Some(0.5), between_class: None };
    Error::Diverged(Box::new(Diverged {
        phase: "representation".into(),
        epoch: 3,
        step: 14,
        learning_rate: 0.1,
        losses,
        cause,
        checkpoint: checkpoint.map(Into::into),
    }))
}

fn other_model(found: Option<Vec<usize>>) -> Error {
    Error::OtherModel {
        path: "runs/one/checkpoint-000000812.safetensors".into(),
        parameter: "conv1.weight".into(),
        expected: vec![16, 3, 3, 3],
        found,
    }
}

/// What settings say is kept with the program's messages, of which they are most.
#[test]
fn every_error_is_worded_as_it_is_kept() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("mine.toml");
    let config = |text| {
        std::fs::write(&file, text).unwrap();
        Settings { config: Some(&file), ..Settings::default() }.resolve().unwrap_err()
    };
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let keyless = toml::to_string(&3).unwrap_err();
    assert_worded!(
        Error {
            Config, Setting, UnknownPreset, Misplaced, DataDirMissing, EmptyClasses, Diverged, Stopped, OtherRun, PartsExclude,
            OtherTestImages, OtherModel, Read, NotARun, WeightsAlone, NoWeights, WeightsGone, Weights, WriteConfig, Data,
            Model, Loss, Metrics, Record, Candle,
        },
        vec![
            ("a preset that is a number", config("preset = 3\n")),
            ("a preset that is misspelt in a file", config("preset = \"cifar10/ldam\"\n")),
            ("a momentum of 1", set("phases.0.optimizer.momentum=1")),
            ("a key that is misspelt", set("data.flp=true")),
            ("a preset that is misspelt", presets::find("cifar10/ldam").unwrap_err()),
            ("a method without data", presets::find("nc-drw-crt").unwrap_err()),
            ("a part without method", presets::find("cifar10/crt").unwrap_err()),
            ("files that could be anywhere", Error::DataDirMissing { source_name: "image-folder" }),
            ("classes without images", Error::EmptyClasses { names: "Dress, Bag".into() }),
            ("a loss without measure", diverged(NotFinite::Loss, Some("runs/one/checkpoint-000000812.safetensors"))),
            ("gradients without measure", diverged(NotFinite::Gradient(f64::INFINITY), None)),
            ("a weight without measure", diverged(NotFinite::Value("model/conv1.weight".into()), None)),
            ("a run that is interrupted", Error::Stopped {
                phase: "representation".into(),
                epoch: 3,
                step: 14,
                checkpoint: "runs/one/checkpoint-000000812.safetensors".into(),
            }),
            ("the directory of another run", Error::OtherRun {
                path: "runs/one/result.json".into(),
                expected: "13ecc5a72f12be20".into(),
                found: "770a225198c3fba4".into(),
            }),
            ("parts that set the same", presets::find("cifar10/ce+crt+lws").unwrap_err()),
            ("images that were changed", Error::OtherTestImages {
                path: "runs/one".into(),
                expected: "00e45d12".into(),
                found: "089d40eb".into(),
            }),
            ("a checkpoint of another model", other_model(Some(vec![32, 3, 3, 3]))),
            ("a checkpoint of a smaller model", other_model(None)),
            ("a file that is not there", Error::Read { path: "mine.toml".into(), source: missing() }),
            ("a run that is not there", Error::NotARun { path: "runs/two".into() }),
            (
                "weights by themselves",
                Error::WeightsAlone { weights: "runs/one/weights.safetensors".into() }
            ),
            ("a run that has not ended", Error::NoWeights { run: "runs/one".into() }),
            ("a run whose weights are gone", Error::WeightsGone { run: "runs/one".into() }),
            ("weights of another model", Error::Weights {
                path: "runs/one/weights.safetensors".into(),
                source: Box::new(nc_models::Error::Weights("\"linear.weight\" is missing".into())),
            }),
            ("a configuration that is no TOML", keyless.into()),
            ("data that are not there", nc_data::Error::Read { path: "data".into(), source: missing() }.into()),
            ("a model that cannot be", nc_models::Error::Depth(33).into()),
            ("a label of no class", nc_losses::Error::Label { num_classes: 10, found: 10, position: 3 }.into()),
            ("nothing to measure", nc_metrics::Error::Empty("no samples").into()),
            ("a record of the future", nc_record::Error::Version {
                path: "result.json".into(),
                found: 2,
                expected: 1,
            }.into()),
            ("an operation that Candle refuses", candle_core::Error::Msg("out of memory".into()).into()),
        ], in directory.path()
    );
    Ok(())
}
