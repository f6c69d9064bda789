//! Moving averages of weights and sharpness-aware minimisation in whole runs.

use std::{fs, path::Path};

use nc_record::{AveragedWeights, Event, RunDir};
use nc_train::{
    Error, Experiment, Finished, Observer, RunOptions, Trained, Validation, ValidationMeasure, presets,
};

use crate::support::{experiment, train, validated};

fn options(out: &Path) -> RunOptions {
    RunOptions { out: out.to_owned(), ..RunOptions::default() }
}

fn with_validation(method: &str) -> Experiment {
    let mut experiment = experiment(method);
    let chosen_by = ValidationMeasure::BalancedAccuracy;
    experiment.data.validation = Some(Validation { fraction: 0.3, seed: 0, chosen_by });
    experiment
}

fn file(run: &Finished, name: &str) -> Vec<u8> {
    fs::read(run.directory.join(name)).unwrap()
}

/// Stops a run after its second step.
struct Stop(usize);

impl Observer for Stop {
    fn event(&mut self, _: &Event) {}

    fn wants_to_stop(&mut self) -> bool {
        self.0 += 1;
        self.0 == 2
    }
}

#[test]
fn averages_are_evaluated_saved_and_resumed() {
    let (whole, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let averaged = with_validation("ce-drw-mixup+nc+sam+weight-average");
    let expected = train(&averaged, &options(whole.path()), &mut ()).unwrap();
    let average = expected.result.weight_average.clone().unwrap();
    let last = RunDir::read_events(&expected.directory).unwrap();
    let last = last.iter().rev().find_map(|event| match event {
        Event::Evaluated { average, .. } => average.as_deref().copied(),
        _ => None,
    });
    assert_eq!(last, Some(average.accuracy));
    // The file holds the weights that were evaluated, which are not the run's own.
    let path = expected.directory.join(RunDir::AVERAGED_WEIGHTS);
    let evaluated = Trained::open(&path, &RunOptions::default()).unwrap().evaluate().unwrap().accuracy;
    assert_eq!(evaluated.top1, average.accuracy.test_accuracy.all);
    assert!(average.accuracy.validation_accuracy.is_some());
    assert!(file(&expected, RunDir::AVERAGED_WEIGHTS) != file(&expected, RunDir::WEIGHTS));

    let error = train(&averaged, &options(out.path()), &mut Stop(0)).unwrap_err();
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
    let resumed = train(&averaged, &options(out.path()), &mut ()).unwrap();
    for name in [RunDir::AVERAGED_WEIGHTS, RunDir::WEIGHTS] {
        assert!(file(&resumed, name) == file(&expected, name), "{name}");
    }
    assert_eq!(resumed.result.weight_average, expected.result.weight_average);

    fs::write(&path, b"other").unwrap();
    let refused = Trained::open(&path, &RunOptions::default()).err().unwrap();
    assert!(matches!(refused, Error::WeightsChanged { .. }), "{refused}");
}

#[test]
fn training_depends_on_perturbation_but_not_on_averaging() {
    let out = tempfile::tempdir().unwrap();
    let weights = |method| {
        let run = train(&experiment(method), &options(out.path()), &mut ()).unwrap();
        file(&run, RunDir::WEIGHTS)
    };
    let plain = weights("ce");
    assert!(weights("ce+weight-average") == plain);
    assert!(weights("ce+sam") != plain);
}

/// The average that a run of its own saves.
fn saved(experiment: &Experiment) -> Option<AveragedWeights> {
    let out = tempfile::tempdir().unwrap();
    let run = train(experiment, &options(out.path()), &mut ()).unwrap();
    let path = run.directory.join(RunDir::AVERAGED_WEIGHTS);
    let opened = Trained::open(&path, &RunOptions::default());
    let Some(average) = run.result.weight_average else {
        assert!(matches!(opened, Err(Error::Read { .. })), "{}", experiment.name);
        return None;
    };
    let accuracy = opened.unwrap().evaluate().unwrap().accuracy;
    assert_eq!(accuracy.top1, average.accuracy.test_accuracy.all, "{}", experiment.name);
    Some(average)
}

#[test]
fn only_the_average_of_the_last_phase_is_saved() {
    let first = saved(&experiment("ce+weight-average")).unwrap();
    assert_eq!(saved(&experiment("ce+weight-average+crt")), None);
    // An adjustment replaces the classifier of the weights, not of their average.
    assert_eq!(saved(&experiment("ce+weight-average+tau-norm")), None);
    // Both phases train the whole network.
    assert_ne!(saved(&experiment("best+weight-average")).unwrap(), first);
    // Logit factors are folded into the average, too.
    for method in ["ce+crt", "ce+lws"] {
        let mut second = experiment(method);
        second.phases[1].weight_average = Some(0.5);
        assert_ne!(saved(&second).unwrap(), first);
    }
}

#[test]
fn averages_do_not_depend_on_the_kept_epoch() {
    let mut last = with_validation("ce+weight-average");
    last.scale_epochs(4);
    last.evaluation.every_epochs = 1;
    let mut best = last.clone();
    best.evaluation.keep = nc_train::Keep::Best;
    let mut early = best.clone();
    early.phases[0].schedule.decay = nc_train::Decay::Constant;
    early.evaluation.patience = Some(1);
    assert_eq!(saved(&last), saved(&best));
    assert!(saved(&early).is_some());
}

/// Second passes through several branches and views, and terms with a state.
#[test]
fn perturbed_steps_of_every_kind_of_network_resume_to_the_same_bits() {
    for method in ["ride-2", "bbn", "proco", "tsc-200", "fcl"] {
        let (whole, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let perturbed = experiment(&format!("{method}+sam"));
        let expected = train(&perturbed, &options(whole.path()), &mut ()).unwrap();
        let error = train(&perturbed, &options(out.path()), &mut Stop(0)).unwrap_err();
        assert!(matches!(error, Error::Stopped { .. }), "{error}");
        let resumed = train(&perturbed, &options(out.path()), &mut ()).unwrap();
        assert!(file(&resumed, RunDir::WEIGHTS) == file(&expected, RunDir::WEIGHTS), "{method}");
        let plain = train(&experiment(method), &options(whole.path()), &mut ()).unwrap();
        assert!(file(&plain, RunDir::WEIGHTS) != file(&expected, RunDir::WEIGHTS), "{method}");
    }
}

#[test]
fn contradictory_settings_are_refused() {
    let refused = |change: fn(&mut Experiment), preset: &str| {
        let mut experiment = presets::find(&format!("cifar10-lt-r100/{preset}")).unwrap();
        change(&mut experiment);
        validated(&experiment).unwrap_err().to_string()
    };
    let average = |experiment: &mut Experiment| experiment.phases[0].weight_average = Some(0.9);
    assert!(refused(average, "kcl-200").contains("weight_average: is evaluated with the classifier"));
    for (preset, reason) in [
        ("kcl-200+uniformity", "uniformity: spreads class directions, which loss_weight=0 does not train"),
        ("etf-dr+uniformity", "uniformity: spreads class directions, which model.head={kind=\"etf\"} fixes"),
        ("kcl-200+adrw", "reweighting: weights the supervised loss, which loss_weight=0 removes"),
    ] {
        let message = refused(|_| (), preset);
        assert!(message.contains(reason), "{message}");
    }
    for preset in
        ["vs-sam+sam", "best+sam", "best+adrw", "dbm-bs-400+weight-average", "ce-rw+adrw", "ce+sam+sam"]
    {
        let error = presets::find(&format!("cifar10-lt-r100/{preset}")).unwrap_err();
        assert!(matches!(error, Error::PartsExclude { .. }), "{error}");
    }
    let linear = |experiment: &mut Experiment| experiment.model.head = nc_train::HeadConfig::Linear;
    assert!(refused(linear, "dbm-bs").contains("angular margins require a cosine classifier"));
    for (rho, decay) in [(-0.1, 0.9), (f64::NAN, 0.9), (0.1, 1.0), (0.1, -0.1)] {
        let mut experiment = presets::find("cifar10-lt-r100/vs-sam").unwrap();
        (experiment.phases[0].sam_rho, experiment.phases[0].weight_average) = (rho, Some(decay));
        assert!(validated(&experiment).is_err(), "{rho} {decay}");
    }
}
