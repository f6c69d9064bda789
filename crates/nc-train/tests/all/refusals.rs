//! Messages of errors that the program's own snapshot, `tests/errors.txt` of the workspace, does not cover.

#[path = "../../../../tests/refusals.rs"]
mod kept;

use nc_record::EpochLosses;
use nc_train::{Diverged, Error, NotFinite};

fn diverged(cause: NotFinite, supervised: f64, checkpoint: Option<&str>) -> Error {
    let terms = [("supervised".into(), supervised), ("within_class".into(), 0.5)].into();
    let losses = EpochLosses { total: supervised + 0.25, terms };
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

/// `UPDATE_SNAPSHOTS=1` rewrites the file.
#[test]
fn error_messages_match_the_snapshot() {
    const CHECKPOINT: &str = "runs/one/checkpoint-000000812.safetensors";
    let other_model = |found| Error::OtherModel {
        path: CHECKPOINT.into(),
        parameter: "conv1.weight".into(),
        expected: vec![16, 3, 3, 3],
        found,
    };
    let other_run = Error::OtherRun {
        path: "runs/one/result.json".into(),
        expected: "13ecc5a72f12be20".into(),
        found: "770a225198c3fba4".into(),
    };
    let other_images = Error::OtherTestImages {
        path: "runs/one".into(),
        expected: "00e45d12".into(),
        found: "089d40eb".into(),
    };
    let stopped =
        Error::Stopped { phase: "representation".into(), epoch: 3, step: 14, checkpoint: CHECKPOINT.into() };
    let mut told = kept::Refusals::default();
    for (tried, error) in [
        ("a loss that is NaN", diverged(NotFinite::Loss, f64::NAN, Some(CHECKPOINT))),
        ("infinite gradients", diverged(NotFinite::Gradient(f64::INFINITY), 41.5, None)),
        ("a weight that is NaN", diverged(NotFinite::Value("model/conv1.weight".into()), 41.5, None)),
        ("an interrupted run", stopped),
        ("a directory of a different run", other_run),
        ("a run tested on different images", other_images),
        ("a checkpoint of a wider model", other_model(Some(vec![32, 3, 3, 3]))),
        ("a checkpoint of a smaller model", other_model(None)),
        (
            "a checkpoint with an unknown tensor",
            Error::UnknownTensor { path: CHECKPOINT.into(), name: "prototypes".into() },
        ),
        ("export of a run of an earlier version", Error::NoInputSpec { run: "runs/one".into() }),
        ("a step outside a phase", Error::NoPhase),
        ("an objective without terms", Error::NoTerms),
        ("features without a classifier", Error::NoClassifier { needed_by: "evaluation" }),
        (
            "a run of a custom backbone",
            Error::OwnBackbone { run: "runs/one".into(), name: "perceptron".into() },
        ),
        ("weights without result", Error::WeightsAlone { weights: "runs/one/weights.safetensors".into() }),
        (
            "other initial weights",
            Error::OtherInit {
                path: "weights.safetensors".into(),
                expected: "13ec".into(),
                found: "770a".into(),
            },
        ),
        ("initial weights without their file", Error::InitMissing { expected: "13ec".into() }),
        ("a configuration that is not TOML", toml::to_string(&3).unwrap_err().into()),
    ] {
        told.add::<(), _>(tried, Err(error));
    }
    told.assert_kept();
}
