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
fn the_flip_of_the_data_applies_to_views() {
    let weights = |flip| {
        let mut experiment = experiment("proco");
        experiment.data.flip = flip;
        experiment.phases[0].batch_size = 64;
        let out = tempfile::tempdir().unwrap();
        let options = RunOptions { out: out.path().to_owned(), ..RunOptions::default() };
        train(&experiment, &options, &mut ()).unwrap().result.weights_sha256.unwrap()
    };
    assert_ne!(weights(true), weights(false));
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
            "phases.representation.objective.loss_weight: 0 leaves no loss to minimise; set objective.contrast with a weight \
             above 0, or a loss_weight above 0",
        ),
        (
            refusal("kcl", |kcl| drop(kcl.phases[0].views.pop())),
            "phases.representation.objective.contrast: attracts the views of an image; phases.representation.views needs 2 or \
             more, found 1",
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
            refusal("proco", |proco| {
                proco.phases[0].views.truncate(1);
                proco.phases[0].mixup_alpha = 1.0;
            }),
            "phases.representation.mixup_alpha: losses on embeddings do not mix labels; set it to 0",
        ),
        (
            refusal("kcl-queue", |kcl| {
                let view = kcl.phases[0].views[0].clone();
                kcl.phases[0].views.push(view);
            }),
            "phases.representation.objective.contrast.queue: compares one view with the queue of the last one; \
             phases.representation.views needs 2, found 3",
        ),
        (
            refusal("proco", |proco| {
                proco.phases[0].views.pop();
                proco.phases[0].objective.contrast =
                    presets::find("cifar10-lt-r100/kcl").unwrap().phases[0].objective.contrast;
            }),
            "phases.representation.objective.contrast: attracts the views of an image; phases.representation.views needs 3 or \
             more, found 2",
        ),
        (
            refusal("proco", |proco| proco.data.transforms.push(nc_data::Transform::Cutout { length: 2 })),
            "data.transforms: every phase has views with transforms of their own; remove it, or set phases.NAME.views",
        ),
        (
            refusal("proco+crt", |proco| proco.phases[1].objective.loss_weight = 0.0),
            "phases.classifier.objective.loss_weight: 0 leaves nothing to minimise with trains=\"new-classifier\"; set a weight \
             above 0",
        ),
        (
            refusal("kcl-queue", |kcl| kcl.model.projection.as_mut().unwrap().batch_norm = true),
            "model.projection.batch_norm: normalises the hidden layer, but hidden=0 has none; remove it",
        ),
        (
            refusal("ce", |ce| ce.phases[0].objective.loss_views = LossViews::All),
            "phases.representation.objective.loss_views: requires two or more views beside that of a queue, but \
             phases.representation.views gives 1",
        ),
        (
            refusal("bbn", |bbn| bbn.phases[0].objective.loss_views = LossViews::All),
            "phases.representation.objective.loss_views: cumulative learning weights both views by alpha; remove it",
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
