//! Runs that start from trained weights.

use std::{collections::HashMap, fs, path::Path};

use candle_core::{Device, Tensor};
use nc_record::RunDir;
use nc_train::{
    Error, Experiment, Finished, HeadConfig, RunOptions, Trains, ValidExperiment, train_backbone,
};

use crate::support::{StopAfter, experiment, train};

fn options(out: &Path, init_from: &Path) -> RunOptions {
    RunOptions { out: out.to_owned(), init_from: Some(init_from.to_owned()), ..RunOptions::default() }
}

/// A finished run of one epoch, and its weights.
fn trained(out: &Path) -> Finished {
    train(&experiment("ce"), &RunOptions { out: out.to_owned(), ..RunOptions::default() }, &mut ()).unwrap()
}

fn tensors(path: &Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Names of tensors that differ.
fn changed(before: &HashMap<String, Tensor>, after: &HashMap<String, Tensor>) -> Vec<String> {
    let differs = |name: &&String| values(&before[*name]) != values(&after[*name]);
    let mut names: Vec<String> = after.keys().filter(differs).cloned().collect();
    names.sort();
    names
}

/// A phase that trains `trains` only.
fn probe(trains: Trains) -> Experiment {
    let mut probe = experiment("ce");
    probe.phases[0].trains = trains;
    probe
}

#[test]
fn a_linear_probe_trains_the_classifier_only() {
    let out = tempfile::tempdir().unwrap();
    let weights = trained(out.path()).directory.join(RunDir::WEIGHTS);
    let before = tensors(&weights);
    for (trains, of_classifier) in [
        (
            Trains::NewClassifier,
            "classifier not initialised from \"weights.safetensors\", because the first phase trains a new one",
        ),
        (Trains::Classifier, "classifier initialised from"),
    ] {
        let run = train(&probe(trains), &options(out.path(), &weights), &mut ()).unwrap();
        let after = tensors(&run.directory.join(RunDir::WEIGHTS));
        assert_eq!(changed(&before, &after), ["linear.bias", "linear.weight"], "{trains:?}");
        let notes = run.result.notes.join("\n");
        assert!(notes.contains("backbone initialised from \"weights.safetensors\""), "{notes}");
        assert!(notes.contains(of_classifier), "{notes}");
        assert!(!notes.contains("random weights"), "{notes}");
    }
}

#[test]
fn freezing_a_random_backbone_is_noted() {
    let out = tempfile::tempdir().unwrap();
    let options = RunOptions { out: out.path().to_owned(), ..RunOptions::default() };
    let run = train(&probe(Trains::NewClassifier), &options, &mut ()).unwrap();
    let expected = "phases.representation.trains: the first phase freezes a backbone of random weights";
    assert!(run.result.notes.iter().any(|note| note.starts_with(expected)), "{:?}", run.result.notes);
}

/// Also interrupted and resumed without the file, and as the first phase of a longer run.
#[test]
fn runs_are_identified_by_the_content_of_the_file() {
    let out = tempfile::tempdir().unwrap();
    let weights = trained(out.path()).directory.join(RunDir::WEIGHTS);
    let copy = out.path().join("copy.safetensors");
    fs::copy(&weights, &copy).unwrap();
    let longer = experiment("ce+crt");
    let mut first = longer.clone();
    first.phases.truncate(1);
    let (a, b, c) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());

    let whole = train(&longer, &options(a.path(), &weights), &mut ()).unwrap();
    assert!(train(&longer, &options(a.path(), &copy), &mut ()).unwrap().earlier, "found under another path");
    let random =
        train(&longer, &RunOptions { init_from: None, ..options(a.path(), &copy) }, &mut ()).unwrap();
    assert_ne!(random.result.run_hash, whole.result.run_hash);

    let stopped = train(&longer, &options(b.path(), &weights), &mut StopAfter(2)).unwrap_err();
    let Error::Stopped { checkpoint, .. } = &stopped else { panic!("{stopped}") };
    let directory = checkpoint.parent().unwrap();
    let stored = nc_train::Trained::experiment_of(directory).unwrap().into_inner();
    let resumed =
        RunOptions { directory: Some(directory.to_owned()), init_from: None, ..options(b.path(), &copy) };
    let resumed = train(&stored, &resumed, &mut ()).unwrap();

    train(&first, &options(c.path(), &weights), &mut ()).unwrap();
    let continued =
        train(&stored, &RunOptions { init_from: None, ..options(c.path(), &copy) }, &mut ()).unwrap();
    for other in [&resumed, &continued] {
        let [ours, theirs] =
            [other, &whole].map(|run| fs::read(run.directory.join(RunDir::WEIGHTS)).unwrap());
        assert!(ours == theirs);
        assert_eq!(other.result.notes, whole.result.notes);
    }
}

#[test]
fn files_other_than_the_configured_one_are_refused() {
    let out = tempfile::tempdir().unwrap();
    let weights = trained(out.path()).directory.join(RunDir::WEIGHTS);
    let mut configured = experiment("ce");
    configured.model.init_sha256 = Some("13ec".into());
    let error = train(&configured, &options(out.path(), &weights), &mut ()).unwrap_err();
    assert!(matches!(error, Error::OtherInit { .. }), "{error}");
    let without = RunOptions { init_from: None, ..options(out.path(), &weights) };
    let error = train(&configured, &without, &mut ()).unwrap_err();
    assert!(matches!(error, Error::InitMissing { .. }), "{error}");
}

#[test]
fn classifiers_of_other_classes_are_not_loaded() {
    let out = tempfile::tempdir().unwrap();
    let weights = trained(out.path()).directory.join(RunDir::WEIGHTS);
    let mut of_pytorch = tensors(&weights);
    let counter = Tensor::new(7i64, &Device::Cpu).unwrap();
    of_pytorch.insert("bn1.num_batches_tracked".into(), counter);
    let (weight, bias) = ("linear.weight", "linear.bias");
    let head = [weight, bias].map(|name| of_pytorch.remove(name).unwrap());
    let save = |name: &str, head: [Tensor; 2], prefix: &str| {
        let mut all = of_pytorch.clone();
        for (tensor, part) in head.into_iter().zip(["weight", "bias"]) {
            all.insert(format!("{prefix}.{part}"), tensor);
        }
        let path = out.path().join(name);
        candle_core::safetensors::save(&all, &path).unwrap();
        path
    };
    let five = head.each_ref().map(|tensor| tensor.narrow(0, 0, 5).unwrap());
    let files = [
        (save("same", head.clone(), "linear"), "classifier initialised"),
        (save("torchvision", head.clone(), "fc"), "classifier initialised"),
        (save("five", five, "linear"), "because \"linear.bias\" of shape [5], expected [10]"),
        (save("projector", head, "projector"), "the file has no \"linear.bias\""),
    ];
    for (path, note) in &files {
        let notes =
            train(&probe(Trains::Classifier), &options(out.path(), path), &mut ()).unwrap().result.notes;
        assert!(notes.iter().any(|found| found.contains(note)), "{note}: {notes:?}");
        let unused = notes
            .iter()
            .any(|found| found == "unused tensors of \"projector\": projector.bias, projector.weight");
        assert_eq!(unused, path.ends_with("projector"), "{notes:?}");
    }

    // Weights of a run carry the names of its classes.
    let mut renamed = fs::read(&weights).unwrap();
    let position = renamed.windows(7).position(|bytes| bytes == b"Sandal\\").unwrap();
    renamed[position] = b'V';
    let path = out.path().join("renamed");
    fs::write(&path, renamed).unwrap();
    let notes = train(&experiment("ce"), &options(out.path(), &path), &mut ()).unwrap().result.notes;
    assert!(notes.iter().any(|note| note.contains("the file's classifier has other classes: ")), "{notes:?}");

    // A fixed head stays an ETF.
    let notes = train(&experiment("etf-dr"), &options(out.path(), &weights), &mut ()).unwrap().result.notes;
    assert!(notes.iter().any(|note| note.contains("because it is fixed")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("initialised as usual: feature_norm.bias")), "{notes:?}");
}

#[test]
fn weights_of_other_backbones_are_refused_before_anything_is_written() {
    let out = tempfile::tempdir().unwrap();
    let weights = trained(out.path()).directory.join(RunDir::WEIGHTS);
    let mut other = experiment("ce");
    other.model.backbone = nc_train::BackboneKind::ResNet20;
    let before = fs::read_dir(out.path()).unwrap().count();
    let error = train(&other, &options(out.path(), &weights), &mut ()).unwrap_err();
    assert!(matches!(error, Error::Weights { .. }), "{error}");
    assert!(error.to_string().contains("missing \"layer1.1.bn1.bias\""), "{error}");
    let damaged = out.path().join("damaged");
    fs::write(&damaged, "no weights").unwrap();
    let error = train(&experiment("ce"), &options(out.path(), &damaged), &mut ()).unwrap_err();
    assert!(error.to_string().contains("expected a safetensors file"), "{error}");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), before + 1);
}

#[test]
fn custom_backbones_start_from_weights_too() {
    let out = tempfile::tempdir().unwrap();
    let weights = trained(out.path()).directory.join(RunDir::WEIGHTS);
    let mut experiment = probe(Trains::NewClassifier);
    experiment.model.head = HeadConfig::Linear;
    let experiment = ValidExperiment::try_from(experiment).unwrap();
    let run = train_backbone(
        &experiment,
        "resnet8",
        |vb, shape| {
            let config = nc_models::ResNetConfig::cifar(8, shape.channels, 1).unwrap();
            Ok(Box::new(nc_models::ResNet::new(config, vb)?))
        },
        &options(out.path(), &weights),
        &mut (),
    )
    .unwrap();
    let after = tensors(&run.directory.join(RunDir::WEIGHTS));
    assert_eq!(changed(&tensors(&weights), &after), ["linear.bias", "linear.weight"]);
}
