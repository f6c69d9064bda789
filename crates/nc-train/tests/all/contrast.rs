//! Runs of contrastive methods.

use nc_record::{Event, RunDir};
use nc_train::{Contrast, Error, Experiment, LossViews, RunOptions, Space, presets};

use crate::support::{experiment, train, validated};

/// Phase, classifier and accuracy of each evaluation.
fn evaluations(experiment: &Experiment) -> (Vec<(String, Option<String>, f64)>, nc_train::Finished) {
    let out = tempfile::tempdir().unwrap();
    let options = RunOptions { out: out.path().to_owned(), ..RunOptions::default() };
    let finished = train(experiment, &options, &mut ()).unwrap();
    let events = RunDir::read_events(&finished.directory).unwrap().into_iter();
    let evaluated = events.filter_map(|event| match event {
        Event::Evaluated { phase, classifier, test_accuracy, .. } => {
            Some((phase, classifier, test_accuracy.all))
        }
        _ => None,
    });
    (evaluated.collect(), finished)
}

#[test]
fn a_phase_without_a_classifier_is_evaluated_by_the_nearest_class_mean() {
    let mut experiment = experiment("kcl-200");
    experiment.scale_epochs(3);
    experiment.evaluation.every_epochs = 1;
    let (evaluated, finished) = evaluations(&experiment);
    let (first, second) = evaluated.split_at(3);
    for (phase, classifier, accuracy) in first {
        assert_eq!((phase.as_str(), classifier.as_deref()), ("representation", Some("nearest class mean")));
        assert!(*accuracy > 0.2, "{accuracy}");
    }
    for (phase, classifier, _) in second {
        assert_eq!((phase.as_str(), classifier), ("classifier", &None));
    }
    assert_eq!(second.last().unwrap().2, finished.result.accuracy.top1);
    // Only the phase that trains a classifier has a best epoch.
    assert_eq!(finished.result.best_epoch.unwrap().phase, "classifier");
}

#[test]
fn all_contrastive_methods_train_and_log_their_loss() {
    for (method, contrast) in [("proco", true), ("bcl", true), ("tsc-queue", true), ("la-three-views", false)]
    {
        let mut experiment = experiment(method);
        experiment.phases.iter_mut().for_each(|phase| phase.batch_size = 64);
        let out = tempfile::tempdir().unwrap();
        let options = RunOptions { out: out.path().to_owned(), ..RunOptions::default() };
        let finished = train(&experiment, &options, &mut ()).unwrap();
        let events = RunDir::read_events(&finished.directory).unwrap();
        let losses = events.iter().find_map(|event| match event {
            Event::EpochFinished { losses, .. } => Some(losses.clone()),
            _ => None,
        });
        let terms = losses.unwrap().terms;
        assert_eq!(terms.contains_key("contrast"), contrast, "{method}: {terms:?}");
        assert_eq!(terms.contains_key("supervised"), method != "tsc-queue", "{method}: {terms:?}");
    }
}

/// The error of `cifar10-lt-r100/METHOD` after `change`.
fn refusal(method: &str, change: impl Fn(&mut Experiment)) -> String {
    let mut experiment = presets::find(&format!("cifar10-lt-r100/{method}")).unwrap();
    change(&mut experiment);
    match validated(&experiment) {
        Err(error @ Error::Setting { .. }) => error.to_string(),
        other => panic!("{method}: {other:?}"),
    }
}

#[test]
fn contradictory_settings_are_refused() {
    for (found, expected) in [
        (
            refusal("kcl", |kcl| drop(kcl.phases.pop())),
            "phases.representation.objective.loss_weight: 0 trains no classifier, so a later phase has to; add one with \
             trains=\"new-classifier\"",
        ),
        (
            refusal("kcl", |kcl| kcl.phases[0].objective.contrast = None),
            "phases.representation.objective.loss_weight: 0 leaves no loss to minimise; set objective.contrast, or a weight \
             above 0",
        ),
        (
            refusal("kcl", |kcl| drop(kcl.phases[0].views.pop())),
            "phases.representation.objective.contrast: attracts the views of an image; phases.representation.views needs two \
             or more, found 1",
        ),
        (
            refusal("proco", |proco| proco.model.projection = None),
            "phases.representation.objective.contrast: requires a projection head; set \
             model.projection={hidden=512, batch_norm=true, dims=128}",
        ),
        (
            refusal("proco", |proco| {
                let balanced = Contrast::Balanced { weight: 1.0, temperature: 0.1 };
                proco.phases[0].objective.contrast = Some(balanced);
            }),
            "phases.representation.objective.contrast: balanced contrast requires class prototypes; set \
             model.projection.class_prototypes=true",
        ),
        (
            refusal("proco", |proco| proco.phases[0].mixup_alpha = 1.0),
            "phases.representation.mixup_alpha: mix-up would mix other images in each of 3 views; set it to 0",
        ),
        (
            refusal("ce", |ce| ce.phases[0].objective.loss_views = LossViews::All),
            "phases.representation.objective.loss_views: requires two or more views, but phases.representation.views has 1",
        ),
        (
            refusal("nc-drw", |nc| {
                nc.phases[0].objective.neural_collapse.as_mut().unwrap().space = Space::Embeddings;
            }),
            "phases.representation.objective.neural_collapse.space: requires a projection head; set \
             model.projection={hidden=512, batch_norm=true, dims=128}",
        ),
    ] {
        assert_eq!(found, expected);
    }
}
