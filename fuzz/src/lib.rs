//! What the targets share.

use std::{fmt::Display, fs, path::Path};

use nc_metrics::{Classifier, FeatureSet, Samples};
use nc_record::Features;
use tempfile::TempDir;

/// A directory with these files, in memory where the system has such a place.
pub fn directory(files: &[(&str, &[u8])]) -> TempDir {
    let memory = Path::new("/dev/shm");
    let directory =
        if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a directory");
    for (name, bytes) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a file's directory")).expect("a directory");
        fs::write(path, bytes).expect("a file");
    }
    directory
}

/// What was read; a refusal must be able to say why.
pub fn read<T, E: Display>(result: Result<T, E>) -> Option<T> {
    result.map_err(|error| assert!(!error.to_string().is_empty())).ok()
}

/// Does with a file of features what `nclt analyze` does.
pub fn analyze(bytes: &[u8]) {
    let directory = directory(&[("features", bytes)]);
    let Some(read_features) = read(Features::read(&directory.path().join("features"))) else { return };
    let Features { classes, dims, features, labels, weight, bias, class_counts, test } = read_features;
    let classifier = weight.map(|weight| Classifier::new(&weight, bias.as_deref(), classes, dims));
    let Some(classifier) = read(classifier.transpose()) else { return };
    let set = FeatureSet {
        classes,
        dims,
        train: Samples { features: &features, labels: &labels },
        test: test.as_ref().map(|test| Samples { features: &test.features, labels: &test.labels }),
        classifier: classifier.as_ref(),
        training_counts: class_counts.as_deref(),
    };
    read(set.analyze());
}
