//! Presets, epoch scaling, hashes and settings of experiments.

use nc_train::{
    BackboneKind, Decay, Error, Experiment, Reweighting, Sampler, Settings, ValidExperiment, Validation,
    ValidationMeasure, presets,
};

use crate::support::validated;

fn preset(name: &str) -> Experiment {
    presets::find(name).unwrap()
}

fn with(overrides: &[&str]) -> Result<Experiment, Error> {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Settings { overrides: &overrides, ..Settings::default() }.resolve().map(ValidExperiment::into_inner)
}

fn is_cifar(backbone: BackboneKind) -> bool {
    use BackboneKind::{ResNet8, ResNet20, ResNet32, ResNet44, ResNet56, WideResNet32};
    [ResNet8, ResNet20, ResNet32, ResNet44, ResNet56, WideResNet32].contains(&backbone)
}

#[test]
fn every_preset_is_valid_and_round_trips_through_toml() {
    for (data, _) in presets::data_sets() {
        for (method, _) in presets::methods() {
            let name = format!("{data}/{method}");
            let experiment = preset(&name);
            let valid = validated(&experiment);
            if method == "bbn" && !is_cifar(experiment.model.backbone) {
                let error = valid.unwrap_err().to_string();
                assert!(error.contains("bilateral requires a CIFAR ResNet"), "{name}: {error}");
            } else {
                valid.unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            assert_eq!(experiment.name, name);
            let again: Experiment = toml::from_str(&experiment.to_toml().unwrap()).unwrap();
            assert_eq!(again, experiment);
        }
    }
    assert_eq!(*Settings::default().resolve().unwrap(), preset(presets::DEFAULT));
    assert_eq!(preset("cifar10-lt-r100"), preset("cifar10-lt-r100/nc-drw-crt"));
}

#[test]
fn methods_accept_the_parts_that_their_classifier_allows() {
    for (method, _) in presets::methods() {
        for (part, _) in presets::parts() {
            // Contrastive first phases train no classifier.
            let contrastive = ["kcl", "tsc", "fcl"].iter().any(|start| method.starts_with(start));
            // MiSLAS, NC-DRW-cRT, VS loss with ADRW and these already include a second phase.
            let twice = (contrastive || ["nc-drw-crt", "mislas", "vs-sam-adrw"].contains(&method))
                && ["crt", "lws", "mislas"].contains(&part);
            let projects = contrastive
                || method.starts_with("la-")
                || ["bcl", "proco", "class-mean-contrast"].contains(&method);
            let has_views = projects;
            let needs_linear = ["lws", "mislas", "tau-norm", "ncm", "post-hoc-adjustment"].contains(&part);
            // Post-hoc adjustment requires a classifier that learned the training prior.
            let plain = ["ce", "ce-mixup", "logit-adjustment-post-hoc"].contains(&method);
            let name = format!("cifar100-lt-r100/{method}+{part}");
            if twice || has_views && ["auto-augment", "rand-augment", "rotation"].contains(&part) {
                let error = presets::find(&name).unwrap_err();
                assert!(matches!(error, Error::PartsExclude { .. }), "{error}");
                continue;
            }
            let included = match part {
                "sam" => method.starts_with("vs-sam"),
                "adrw" => {
                    ["vs-sam-adrw", "cb-focal", "ldam-drw", "nc-drw", "nc-drw-crt"].contains(&method)
                        || method.starts_with("ride")
                        || method.starts_with("ce-rw")
                        || method.starts_with("ce-drw")
                }
                "weight-average" => method == "dbm-bs-400",
                _ => false,
            };
            if included {
                let error = presets::find(&name).unwrap_err();
                assert!(matches!(error, Error::PartsExclude { .. }), "{error}");
                continue;
            }
            if method == "logit-adjustment-post-hoc" && ["tau-norm", "ncm"].contains(&part) {
                let error = presets::find(&name).unwrap_err();
                assert!(
                    matches!(error, Error::PartsExclude { first: "logit-adjustment-post-hoc", .. }),
                    "{error}"
                );
                continue;
            }
            // Cumulative learning mixes the features of two branches, of a CIFAR ResNet.
            let acts_on_features =
                ["nc", "within", "between", "center-loss"].iter().any(|nc| part.starts_with(nc));
            let has_experts = method.starts_with("ride") || method == "sade";
            let refused = part == "post-hoc-adjustment" && !plain
                || has_experts && needs_linear
                || method == "bbn" && (acts_on_features && part != "ncm" || part.starts_with("resnet"))
                || method == "logit-adjustment-post-hoc" && ["crt", "lws", "mislas", "adrw"].contains(&part)
                || contrastive && ["adrw", "uniformity", "weight-average"].contains(&part)
                || method.starts_with("etf-dr") && part == "uniformity"
                || (method == "ldam-drw"
                    || method.starts_with("dbm")
                    || contrastive && !method.ends_with("queue") && method != "fcl")
                    && needs_linear
                || part == "nc-embeddings" && !projects
                || method.starts_with("etf-dr") && (needs_linear || part == "crt");
            let experiment = preset(&name);
            let plain = preset(&format!("cifar100-lt-r100/{method}"));
            match validated(&experiment) {
                Ok(()) => assert!(!refused, "{method}+{part}"),
                Err(error) => assert!(refused, "{method}+{part}: {error}"),
            }
            let again: Experiment = toml::from_str(&experiment.to_toml().unwrap()).unwrap();
            assert_eq!(again, experiment);
            let contains = method.starts_with("nc-drw") && part == "nc"
                || method == "logit-adjustment-post-hoc" && part == "post-hoc-adjustment"
                || has_experts && part == "rotation"
                || (method == "bs-auto-augment" || method.starts_with("dbm") || method.starts_with("vs-sam"))
                    && part == "auto-augment";
            let renamed = Experiment { name: plain.name.clone(), ..experiment };
            assert_eq!(renamed == plain, contains, "{method}+{part} changes nothing");
        }
    }
}

#[test]
fn the_nc_recipe_matches_the_paper() {
    let experiment = preset("fashion-mnist-lt-r100/nc-drw-crt");
    let [first, second] = experiment.phases.as_slice() else { panic!("two phases") };
    let nc = first.objective.neural_collapse.as_ref().unwrap();
    assert_eq!((nc.within_weight, nc.between_weight, nc.start_epoch), (0.01, 0.1, 0));
    assert_eq!(first.objective.reweighting, Reweighting::EffectiveNumber { beta: 0.9999, from_epoch: 160 });
    assert_eq!((first.epochs, first.batch_size, first.mixup_alpha), (200, 128, 1.0));
    assert_eq!(first.optimizer.weight_decay(), 5e-4);
    let rate = |epoch| first.optimizer.learning_rate() * first.schedule.factor(epoch, first.epochs);
    let expected = [(0, 0.02), (4, 0.1), (159, 0.1), (160, 0.01), (179, 0.01), (180, 0.001), (199, 0.001)];
    for (epoch, expected) in expected {
        assert!((rate(epoch) - expected).abs() < 1e-12, "epoch {epoch}: {}", rate(epoch));
    }
    assert_eq!((second.epochs, second.sampler, second.mixup_alpha), (10, Sampler::ClassBalanced, 0.0));
    assert_eq!(second.schedule.decay, Decay::Cosine);

    // LDAM's recipe drops the learning rate by 1e-2, twice.
    let ce = &preset("fashion-mnist-lt-r100/ce").phases[0];
    assert!((ce.schedule.factor(199, 200) - 1e-4).abs() < 1e-15);
    assert_eq!((ce.optimizer.weight_decay(), ce.mixup_alpha), (2e-4, 0.0));
}

#[test]
fn scaling_changes_all_epoch_numbers() {
    let mut experiment = preset("fashion-mnist-lt-r100/nc-drw-crt");
    experiment.scale_epochs(40);
    let [first, second] = experiment.phases.as_slice() else { panic!("two phases") };
    assert_eq!((first.epochs, second.epochs, first.schedule.warmup_epochs), (40, 2, 5));
    assert_eq!(first.schedule.decay, Decay::MultiStep { milestones: vec![32, 36], gamma: 0.1 });
    assert_eq!(first.objective.reweighting, Reweighting::EffectiveNumber { beta: 0.9999, from_epoch: 32 });

    // The warm-up takes at most a quarter of its phase; deferred weights and regularisers still start.
    for (epochs, warmup) in [(400, 5), (12, 3), (4, 1), (2, 0), (1, 0)] {
        experiment = preset("cifar100-lt-r100/nc-drw-crt");
        experiment.scale_epochs(epochs);
        let first = &experiment.phases[0];
        assert_eq!(first.schedule.warmup_epochs, warmup, "{epochs} epochs");
        assert!(first.objective.reweighting.weights(epochs - 1, &[2, 1]).is_some(), "{epochs} epochs");
        assert!(first.objective.neural_collapse.as_ref().unwrap().start_epoch < epochs);
        assert!(experiment.phases[1].epochs >= 1);
        validated(&experiment).unwrap();
    }

    // Large numbers do not overflow.
    experiment.phases[0].epochs = 1;
    experiment.scale_epochs(usize::MAX);
    assert_eq!((experiment.phases[0].epochs, experiment.phases[1].epochs), (usize::MAX, usize::MAX));
}

#[test]
fn reweighting_starts_at_its_first_epoch() {
    let counts = [100, 1];
    let drw = Reweighting::InverseFrequency { from_epoch: 3 };
    assert_eq!(drw.weights(2, &counts), None);
    let weights = drw.weights(3, &counts).unwrap();
    assert!(
        (weights[1] / weights[0] - 100.0).abs() < 1e-9 && (weights.iter().sum::<f64>() - 2.0).abs() < 1e-12
    );
    assert_eq!(Reweighting::None.weights(99, &counts), None);
}

#[test]
fn the_hash_covers_everything_but_the_name() {
    let experiment = preset("fashion-mnist-lt/nc-drw");
    let hash = |experiment: &Experiment| experiment.hash("subset").unwrap();
    let renamed = Experiment { name: "mine".into(), ..experiment.clone() };
    assert_eq!(hash(&experiment), hash(&renamed));
    let other = Experiment { seed: 1, ..experiment.clone() };
    assert_ne!(hash(&experiment), hash(&other));
    assert_ne!(hash(&experiment), experiment.hash("another subset").unwrap());
    assert_eq!(hash(&experiment).len(), 16);
}

/// Hashes identify finished runs and the records in `results/`.
#[test]
fn hashes_of_recorded_runs_are_unchanged() {
    let results = concat!(env!("CARGO_MANIFEST_DIR"), "/../../results/paper");
    let mut records = 0;
    for path in std::fs::read_dir(results).unwrap().map(|entry| entry.unwrap().path()) {
        let is_record =
            path.extension().is_some_and(|ending| ending == "json") && !path.ends_with("tables.json");
        if is_record {
            let record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            let mut experiment = preset(&text(&record["preset"]));
            experiment.seed = record["seed"].as_u64().unwrap();
            let hash = experiment.hash(&text(&record["data"]["train_hash"])).unwrap();
            assert_eq!(hash, text(&record["run_hash"]), "{}", path.display());
            records += 1;
        }
    }
    assert!(records >= 5, "{records} records in {results}");
}

#[test]
fn overrides_address_list_elements_by_name_and_index() {
    let experiment = with(&[
        "seed=9",
        "phases.representation.optimizer.learning_rate=0.05",
        "phases.1.epochs=7",
        "phases.representation.schedule.decay={kind=\"cosine\"}",
        "data.mean=[0.5]",
        "data.std=[0.25]",
    ])
    .unwrap();
    assert_eq!(experiment.seed, 9);
    assert_eq!(experiment.phases[0].optimizer.learning_rate(), 0.05);
    assert_eq!(experiment.phases[0].schedule.decay, Decay::Cosine);
    assert_eq!(experiment.phases[1].epochs, 7);
    assert_eq!((experiment.data.mean, experiment.data.std), (vec![0.5], vec![0.25]));

    assert!(
        matches!(with(&["data.mean=[0.5]"]), Err(Error::Setting { setting, .. }) if setting == "data.std")
    );
    assert!(matches!(with(&["phases.2.epochs=7"]), Err(Error::Setting { .. })));
    assert!(matches!(with(&["seed.deep=7"]), Err(Error::Setting { .. })));
}

#[test]
fn none_removes_an_optional_setting() {
    let set = with(&["data.validation.fraction=0.2", "data.validation=none"]).unwrap();
    assert_eq!(set.data.validation, None);
    let without = with(&["phases.representation.objective.neural_collapse=none"]).unwrap();
    assert_eq!(without.phases[0].objective.neural_collapse, None);
    let required = with(&["data.profile=none"]).unwrap_err().to_string();
    assert!(required.contains("profile"), "{required}");
}

#[test]
fn parts_that_set_the_same_option_are_rejected() {
    for parts in
        ["within-class+between-class", "nc+nc-batch-means", "tau-norm+ncm", "crt+lws", "nc+crt+paper-text+nc"]
    {
        let refused = presets::find(&format!("cifar10-lt-r100/ce-drw-mixup+{parts}"));
        assert!(matches!(refused, Err(Error::PartsExclude { .. })), "{parts}: {refused:?}");
    }
    // Regularisers of the method may be replaced.
    let replaced = preset("cifar10-lt-r100/nc-drw+nc-batch-means");
    assert_eq!(replaced.phases, preset("cifar10-lt-r100/ce-drw-mixup+nc-batch-means").phases);
}

#[test]
fn seeds_above_i64_max_are_rejected() {
    type Change = fn(&mut Experiment);
    let changes: [(&str, Change); 3] = [
        ("seed", |experiment| experiment.seed = 1 << 63),
        ("data.subset_seed", |experiment| experiment.data.subset_seed = 1 << 63),
        ("data.validation.seed", |experiment| {
            experiment.data.validation = Some(Validation {
                fraction: 0.1,
                seed: 1 << 63,
                chosen_by: ValidationMeasure::BalancedAccuracy,
            });
        }),
    ];
    let range = "expected a whole number from 0 to 9223372036854775807, found 9223372036854775808";
    for (key, change) in changes {
        let mut experiment = preset("cifar10/ce");
        change(&mut experiment);
        assert_eq!(validated(&experiment).unwrap_err().to_string(), format!("{key}: {range}"));
    }
}
