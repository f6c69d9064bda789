//! Runs that keep the weights of their best epoch and stop early.

use std::path::Path;

use nc_record::{Decisions, Event, RunDir};
use nc_train::{
    Decay, Error, Experiment, Finished, Keep, Observer, RunOptions, Validation, ValidationMeasure,
};

use crate::support::{StopAfter, experiment, train, validated};

/// `method` for `epochs` epochs at a learning rate so high that accuracy fluctuates.
fn unstable(method: &str, epochs: usize) -> Experiment {
    let mut experiment = experiment(method);
    let chosen_by = ValidationMeasure::BalancedAccuracy;
    experiment.data.validation = Some(Validation { fraction: 0.3, seed: 0, chosen_by });
    experiment.evaluation.every_epochs = 1;
    experiment.evaluation.keep = Keep::Best;
    let first = &mut experiment.phases[0];
    first.epochs = epochs;
    first.schedule.decay = Decay::Constant;
    *first.optimizer.learning_rate_mut() = 0.4;
    experiment
}

fn run(experiment: &Experiment, out: &Path) -> Finished {
    train(experiment, &options(out), &mut ()).unwrap()
}

fn options(out: &Path) -> RunOptions {
    RunOptions { out: out.to_owned(), measure_every: Some(0), ..RunOptions::default() }
}

fn file(run: &Finished, name: &str) -> Vec<u8> {
    std::fs::read(run.directory.join(name)).unwrap()
}

/// Balanced validation accuracy of each epoch of the phase `name`.
fn validation(run: &Finished, name: &str) -> Vec<f64> {
    let of_epoch = |event: Event| match event {
        Event::Evaluated { phase, validation_accuracy, .. } if phase == name => validation_accuracy?.balanced,
        _ => None,
    };
    RunDir::read_events(&run.directory).unwrap().into_iter().filter_map(of_epoch).collect()
}

#[test]
fn final_weights_are_those_of_the_best_epoch() {
    let out = tempfile::tempdir().unwrap();
    let best = run(&unstable("ce", 6), out.path());
    let selected = best.result.selected_epoch.as_ref().unwrap();
    assert!(selected.kept && selected.epoch < 5, "the test needs a best epoch before the last: {selected:?}");
    let shares = validation(&best, "representation");
    assert!(shares.iter().all(|&share| share <= shares[selected.epoch]), "{shares:?}");
    assert_eq!(file(&best, RunDir::WEIGHTS), file(&best, RunDir::SELECTED_WEIGHTS));
    assert_eq!(best.result.accuracy.top1, selected.test_accuracy.all);
    let decisions: Decisions = serde_json::from_slice(&file(&best, RunDir::VALIDATION)).unwrap();
    assert_eq!(decisions.balanced_accuracy(), selected.validation_accuracy.balanced);

    let mut last = unstable("ce", 6);
    last.evaluation.keep = Keep::Last;
    let last = run(&last, out.path());
    assert_ne!(best.result.run_hash, last.result.run_hash);
    assert!(!last.result.selected_epoch.as_ref().unwrap().kept);
    assert_eq!(file(&best, RunDir::SELECTED_WEIGHTS), file(&last, RunDir::SELECTED_WEIGHTS));
    assert_ne!(file(&last, RunDir::WEIGHTS), file(&last, RunDir::SELECTED_WEIGHTS));
}

#[test]
fn a_phase_stops_when_its_patience_ends() {
    let out = tempfile::tempdir().unwrap();
    let mut patient = unstable("ce", 60);
    patient.evaluation.patience = Some(3);
    let stopped = run(&patient, out.path());
    let best = stopped.result.selected_epoch.as_ref().unwrap().epoch;
    assert_eq!(stopped.result.epochs, [best + 1 + 3]);
    assert_eq!(validation(&stopped, "representation").len(), best + 1 + 3);
    let note = format!(
        "representation stopped after epoch {} of 60: validation did not improve for 3 epochs",
        best + 4
    );
    assert!(stopped.result.notes.contains(&note), "{:?}", stopped.result.notes);
    assert_eq!(file(&stopped, RunDir::WEIGHTS), file(&stopped, RunDir::SELECTED_WEIGHTS));

    // Epochs before a milestone do not count.
    let mut scheduled = patient.clone();
    scheduled.phases[0].schedule.decay = Decay::MultiStep { milestones: vec![best + 10], gamma: 0.1 };
    let scheduled = run(&scheduled, out.path());
    let shares = validation(&scheduled, "representation");
    let best_of =
        |epochs: usize| (0..epochs).rev().max_by(|&a, &b| shares[a].total_cmp(&shares[b])).expect("an epoch");
    let ends = |epochs: usize| epochs >= (best_of(epochs) + 1).max(best + 10) + 3;
    let expected = (1..=60).find(|&epochs| epochs > shares.len() || ends(epochs));
    assert_eq!(scheduled.result.epochs, [expected.unwrap()]);
}

#[test]
fn a_phase_stops_at_an_evaluation_and_counts_its_own_epochs() {
    let out = tempfile::tempdir().unwrap();
    let mut patient = unstable("ce+crt", 60);
    patient.evaluation.patience = Some(1);
    patient.evaluation.every_epochs = 4;
    patient.evaluation.keep = Keep::Last;
    patient.phases[1].epochs = 3;
    let stopped = run(&patient, out.path());
    let shares = validation(&stopped, "representation");
    let worse = (1..shares.len()).find(|&at| shares[..at].iter().any(|&before| before >= shares[at]));
    let worse = worse.expect("a phase that stops early");
    // An accuracy below that of the first phase is no reason to stop the second.
    assert_eq!(stopped.result.epochs, [4 * (worse + 1), 3]);
}

/// Copies the directory of a run while it trains.
struct CopyAt<'a> {
    run: Option<std::path::PathBuf>,
    to: &'a Path,
    phase: &'a str,
}

impl Observer for CopyAt<'_> {
    fn starts(&mut self, directory: &Path) {
        self.run = Some(directory.to_owned());
    }

    fn event(&mut self, event: &Event) {
        let Event::Evaluated { phase, .. } = event else { return };
        let (Some(run), true) = (&self.run, phase == self.phase && !self.to.exists()) else { return };
        std::fs::create_dir(self.to).unwrap();
        for file in std::fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path()) {
            std::fs::copy(&file, self.to.join(file.file_name().unwrap())).unwrap();
        }
    }
}

#[test]
fn a_run_that_dies_after_its_second_phase_chose_an_epoch_resumes() {
    let out = tempfile::tempdir().unwrap();
    let mut experiment = unstable("ce+crt", 8);
    experiment.evaluation.patience = Some(1);
    experiment.phases[1].epochs = 3;
    let died = out.path().join("died");
    let mut observer = CopyAt { run: None, to: &died, phase: "classifier" };
    let expected = train(&experiment, &options(out.path()), &mut observer).unwrap();
    for lock in ["claim.json", "claim.lock"] {
        let _ = std::fs::remove_file(died.join(lock));
    }
    let options = RunOptions { directory: Some(died), ..options(out.path()) };
    let resumed = train(&experiment, &options, &mut ()).unwrap();
    assert_eq!(file(&resumed, RunDir::WEIGHTS), file(&expected, RunDir::WEIGHTS));
}

#[test]
fn interrupted_and_continued_runs_are_those_that_ran_through() {
    let [through, interrupted, continued] = [0; 3].map(|_| tempfile::tempdir().unwrap());
    let mut longer = unstable("nc-drw-crt", 40);
    longer.evaluation.patience = Some(2);
    longer.phases[1].epochs = 4;
    let expected = run(&longer, through.path());
    assert!(expected.result.epochs[0] < 40, "the test needs a phase that stops early");

    let mut pauses = 0;
    let resumed = loop {
        match train(&longer, &options(interrupted.path()), &mut StopAfter(7)) {
            Err(Error::Stopped { .. }) => pauses += 1,
            finished => break finished.unwrap(),
        }
    };
    assert!(pauses > 3, "{pauses}");
    let mut shorter = longer.clone();
    shorter.phases.truncate(1);
    let first = run(&shorter, continued.path());
    assert_eq!(file(&first, RunDir::WEIGHTS), file(&first, RunDir::SELECTED_WEIGHTS));
    for other in [resumed, run(&longer, continued.path())] {
        for name in [RunDir::WEIGHTS, RunDir::SELECTED_WEIGHTS, RunDir::VALIDATION] {
            assert_eq!(file(&other, name), file(&expected, name), "{name}");
        }
        assert_eq!(other.result.epochs, expected.result.epochs);
        assert_eq!(other.result.selected_epoch, expected.result.selected_epoch);
        assert_eq!(other.result.notes, expected.result.notes);
    }
}

#[test]
fn validation_images_are_required_and_part_of_the_hash() {
    let out = tempfile::tempdir().unwrap();
    for change in [
        |experiment: &mut Experiment| experiment.evaluation.keep = Keep::Best,
        |experiment: &mut Experiment| experiment.evaluation.patience = Some(1),
    ] {
        let mut experiment = experiment("ce");
        change(&mut experiment);
        let refused = train(&experiment, &options(out.path()), &mut ()).unwrap_err().to_string();
        assert!(refused.contains("requires validation images"), "{refused}");
    }
    let mut experiment = unstable("ce", 2);
    experiment.evaluation.patience = Some(0);
    assert!(validated(&experiment).is_err());
    experiment.evaluation.patience = None;
    let result = run(&experiment, out.path()).result;
    let hash = |images: &str| experiment.hash(images).unwrap();
    assert!(result.data.validation_hash.is_some());
    assert_eq!(result.run_hash, hash(&result.data.hash()));
    assert_ne!(result.run_hash, hash(&result.data.train_hash));
}
