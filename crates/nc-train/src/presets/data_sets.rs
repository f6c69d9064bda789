use crate::config::{BackboneKind, DataSource};

/// Share of one's own images held out for testing, if there is no test set.
pub(super) const TEST_FRACTION: f64 = 0.2;

/// Epochs of the common recipe, which a data set may scale.
pub(super) const RECIPE_EPOCHS: usize = 200;

/// A data set with its settings.
pub(super) struct DataSet {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) source: DataSource,
    /// Fraction of the training images held out for testing, for sources that may lack test images.
    pub(super) test_fraction: Option<f64>,
    /// Imbalance ratio of the exponential profile; `None` to train on all images.
    pub(super) imbalance_ratio: Option<f64>,
    /// Per-channel mean and standard deviation; `None` to compute them on the training subset.
    pub(super) normalize: Option<([f32; 3], [f32; 3])>,
    pub(super) backbone: BackboneKind,
    /// Backbone for a fixed ETF, which needs as many feature dimensions as classes, if `backbone` has fewer.
    pub(super) wide_backbone: Option<BackboneKind>,
    /// Whether experts have fewer channels (RIDE).
    pub(super) reduce_dimension: bool,
    pub(super) crop_padding: usize,
    pub(super) batch_size: usize,
    /// Epochs of the first phase, to which the recipes of 200 epochs are scaled.
    pub(super) epochs: usize,
    pub(super) evaluate_every: usize,
    /// lambda1, lambda2 and start epoch (of 200), from Table 1 of the paper.
    pub(super) neural_collapse: (f64, f64, usize),
}

const CIFAR10: DataSet = DataSet {
    name: "cifar10",
    description: "CIFAR-10, balanced",
    source: DataSource::Cifar10,
    test_fraction: None,
    imbalance_ratio: None,
    normalize: Some(([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010])),
    backbone: BackboneKind::ResNet32,
    wide_backbone: None,
    reduce_dimension: false,
    crop_padding: 4,
    batch_size: 128,
    epochs: 200,
    evaluate_every: 5,
    neural_collapse: (0.01, 0.1, 0),
};

const CIFAR100: DataSet = DataSet {
    name: "cifar100",
    description: "CIFAR-100, balanced",
    source: DataSource::Cifar100,
    wide_backbone: Some(BackboneKind::WideResNet32),
    reduce_dimension: true,
    neural_collapse: (0.01, 0.5, 100),
    ..CIFAR10
};

const OWN_IMAGES: DataSet = DataSet {
    name: "image-folder",
    description: "your own images, one directory per class",
    source: DataSource::ImageFolder,
    test_fraction: Some(TEST_FRACTION),
    normalize: None,
    // Backbone and image size are chosen on validation images; docs/own-images.md has the measurements.
    backbone: BackboneKind::ResNet20,
    ..CIFAR10
};

pub(super) const DATA_SETS: &[DataSet] = &[
    DataSet {
        name: "fashion-mnist-lt",
        description: "Fashion-MNIST built into the program, 1,000 to 10 images per class",
        source: DataSource::FashionMnistLt,
        normalize: None,
        backbone: BackboneKind::ResNet20,
        crop_padding: 2,
        batch_size: 64,
        epochs: 40,
        ..CIFAR10
    },
    DataSet {
        name: "fashion-mnist-lt-r100",
        description: "full Fashion-MNIST, 6,000 to 60 images per class",
        source: DataSource::Idx,
        imbalance_ratio: Some(100.0),
        normalize: None,
        crop_padding: 2,
        ..CIFAR10
    },
    DataSet {
        name: "cifar10-lt-r100",
        description: "CIFAR-10, 5,000 to 50 images per class",
        imbalance_ratio: Some(100.0),
        ..CIFAR10
    },
    DataSet {
        name: "cifar10-lt-r10",
        description: "CIFAR-10, 5,000 to 500 images per class",
        imbalance_ratio: Some(10.0),
        ..CIFAR10
    },
    DataSet {
        name: "cifar100-lt-r100",
        description: "CIFAR-100, 500 to 5 images per class",
        imbalance_ratio: Some(100.0),
        ..CIFAR100
    },
    DataSet {
        name: "cifar100-lt-r10",
        description: "CIFAR-100, 500 to 50 images per class",
        imbalance_ratio: Some(10.0),
        ..CIFAR100
    },
    CIFAR10,
    CIFAR100,
    OWN_IMAGES,
    DataSet {
        name: "image-list",
        description: "your own images, listed with their classes in text or CSV files",
        source: DataSource::ImageList,
        ..OWN_IMAGES
    },
];
