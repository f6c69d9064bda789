//! Helpers of the fuzz targets.

use std::{fmt::Display, fs, path::Path};

use candle_core::Device;
use nc_data::{Loader, LoaderConfig, Normalize, Source, Subset};
use nc_metrics::{Classifier, FeatureSet, Samples, Scalar};
use nc_record::{Features, Floats};
use tempfile::TempDir;

/// A temporary directory with these files, in memory if the system has /dev/shm.
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

/// The value, if it was read. An error must have a message.
pub fn read<T, E: Display>(result: Result<T, E>) -> Option<T> {
    result.map_err(|error| assert!(!error.to_string().is_empty())).ok()
}

/// Reads all training images of a streamed source, with the transforms of evaluation.
pub fn stream(source: &Source) {
    let channels = source.train.shape().channels;
    let config = LoaderConfig {
        views: vec![],
        epochs: None,
        batch_size: 2,
        normalize: Normalize { mean: vec![0.0; channels], std: vec![1.0; channels] },
        seed: 0,
        workers: 1,
        device: Device::Cpu,
    };
    let loader = Loader::sequential(&Subset::all(&source.train), config);
    for batch in loader.expect("a valid configuration").epoch(0) {
        read(batch);
    }
}

/// Reads and analyses a feature file like `nclt analyze`.
pub fn analyze(bytes: &[u8]) {
    let directory = directory(&[("features", bytes)]);
    let Some(file) = read(Features::read(&directory.path().join("features"))) else { return };
    let test = file.test.as_ref().map(|test| &test.features);
    if let (Some(train), Some(test)) = (file.features.as_f32(), test.map_or(Some(&[][..]), Floats::as_f32)) {
        measure(&file, train, test);
    } else {
        measure(&file, &file.features.to_f64(), &test.map_or_else(Default::default, Floats::to_f64));
    }
}

fn measure<T: Scalar>(file: &Features, train: &[T], test: &[T]) {
    let (classes, dims, bias) = (file.classes, file.dims, file.bias.as_ref().map(Floats::to_f64));
    let classifier =
        file.weight.as_ref().map(|w| Classifier::new(&w.to_f64(), bias.as_deref(), classes, dims));
    let Some(classifier) = read(classifier.transpose()) else { return };
    let set = FeatureSet {
        classes,
        dims,
        train: Samples { features: train, labels: &file.labels },
        test: file.test.as_ref().map(|file| Samples { features: test, labels: &file.labels }),
        classifier: classifier.as_ref(),
        training_counts: file.class_counts.as_deref(),
    };
    read(set.analyze());
}
