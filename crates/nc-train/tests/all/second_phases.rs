//! Stability of phases on a frozen backbone.

use nc_record::{Event, RunDir};
use nc_train::{Error, Experiment, Finished, FrozenBatchNorm, Observer, OptimizerConfig, RunOptions, Trains};

use crate::support::{experiment, train};

/// `method` after a first phase that leaves large features, with a second phase of three epochs at `learning_rate`.
fn with_large_features(method: &str, learning_rate: f64) -> Experiment {
    let mut experiment = experiment(method);
    experiment.phases[1].epochs = 3;
    set_rate(&mut experiment, 0, 1.0);
    set_rate(&mut experiment, 1, learning_rate);
    experiment
}

fn set_rate(experiment: &mut Experiment, phase: usize, rate: f64) {
    let OptimizerConfig::Sgd(sgd) = &mut experiment.phases[phase].optimizer else { panic!("expected SGD") };
    sgd.learning_rate = rate;
}

fn run(experiment: &Experiment, out: &std::path::Path) -> Finished {
    let options = RunOptions { out: out.to_owned(), ..RunOptions::default() };
    train(experiment, &options, &mut ()).unwrap()
}

/// Learning rates and losses of the second phase.
fn second_phase(run: &Finished) -> Vec<(f64, f64)> {
    let events = RunDir::read_events(&run.directory).unwrap();
    let of_second = events.into_iter().filter_map(|event| match event {
        Event::EpochFinished { phase, learning_rate, losses, .. } if phase == "classifier" => {
            Some((learning_rate, losses.total))
        }
        _ => None,
    });
    of_second.collect()
}

/// At the configured rate of 0.5 the losses of the new classifier exceed 1000.
#[test]
fn an_unstable_learning_rate_is_lowered() {
    let out = tempfile::tempdir().unwrap();
    let run = run(&with_large_features("ce+crt", 0.5), out.path());
    let epochs = second_phase(&run);
    assert_eq!(epochs.len(), 3);
    for (learning_rate, loss) in epochs {
        assert!(learning_rate < 0.01, "{learning_rate}");
        assert!(loss < 2.0 * 10f64.ln(), "{loss}");
    }
    let [note] = &run.result.notes[..] else { panic!("{:?}", run.result.notes) };
    assert!(note.starts_with("phases.classifier.optimizer.learning_rate: 0.5 lowered to 0.00"), "{note}");
}

#[test]
fn losses_fall_below_those_of_the_untrained_phase() {
    for method in ["ce+crt", "ce+lws", "mislas"] {
        let last = |learning_rate| {
            let out = tempfile::tempdir().unwrap();
            let run = run(&with_large_features(method, learning_rate), out.path());
            (second_phase(&run)[2].1, run.result.notes.len())
        };
        let ((lowered, one), (untrained, none)) = (last(0.5), last(1e-12));
        assert!(lowered < untrained, "{method}: {lowered}, untrained {untrained}");
        assert_eq!((one, none), (1, 0), "{method}");
    }
}

#[test]
fn a_stable_learning_rate_is_kept() {
    let out = tempfile::tempdir().unwrap();
    let mut experiment = experiment("ce+crt");
    set_rate(&mut experiment, 1, 1e-4);
    let run = run(&experiment, out.path());
    assert_eq!(second_phase(&run)[0].0, 1e-4);
    assert_eq!(run.result.notes, [""; 0]);
}

/// Stops the run at the first step of the second phase.
struct StopInSecondPhase {
    phase: String,
    notes: Vec<String>,
    stops: bool,
}

impl Observer for StopInSecondPhase {
    fn event(&mut self, event: &Event) {
        if let Event::PhaseStarted { phase, .. } = event {
            self.phase.clone_from(phase);
        }
    }

    fn note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    fn wants_to_stop(&mut self) -> bool {
        self.stops && self.phase == "classifier"
    }
}

#[test]
fn a_resumed_phase_keeps_its_lowered_learning_rate() {
    // Shifting batch norm changes the features within the phase.
    let mut shifting = with_large_features("mislas", 0.5);
    shifting.phases[1].trains = Trains::ScaledClassifier { classifier_rate: 0.5, shift_batch_norm: true };
    assert_resumes(&shifting);
    // A resumed phase does not estimate again.
    let mut re_estimated = with_large_features("ce+crt", 0.5);
    re_estimated.phases[1].batch_norm = FrozenBatchNorm::ReEstimated;
    assert_resumes(&re_estimated);
}

fn assert_resumes(experiment: &Experiment) {
    let (whole, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = run(experiment, whole.path());
    let options = RunOptions { out: out.path().to_owned(), ..RunOptions::default() };
    let observer = |stops| StopInSecondPhase { phase: String::new(), notes: vec![], stops };
    let stopped = train(experiment, &options, &mut observer(true));
    assert!(matches!(stopped, Err(Error::Stopped { .. })), "{stopped:?}");
    let mut observer = observer(false);
    let resumed = train(experiment, &options, &mut observer).unwrap();
    assert_eq!(second_phase(&resumed), second_phase(&expected));
    assert_eq!(resumed.result.notes, expected.result.notes);
    assert_eq!(observer.notes, expected.result.notes);
}
