//! Stability of phases on a frozen backbone.

use nc_record::{Event, RunDir};
use nc_train::{Experiment, Finished, OptimizerConfig, RunOptions};

use crate::support::{experiment, train};

/// `method` with a first phase whose learning rate of 2 leaves large features.
fn with_large_features(method: &str) -> Experiment {
    let mut experiment = experiment(method);
    experiment.phases[1].epochs = 3;
    set_rate(&mut experiment, 0, 2.0);
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

#[test]
fn losses_stay_small_on_large_features() {
    for method in ["ce+crt", "ce+lws", "ce+mislas"] {
        let out = tempfile::tempdir().unwrap();
        let run = run(&with_large_features(method), out.path());
        let epochs = second_phase(&run);
        eprintln!("{method} {epochs:?} {:?}", run.result.notes);
    }
}
