use nc_data::{Interpolation, Transform};

use crate::config::{BackboneKind, DataSource, Streaming};

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
    /// Settings of photographs of different sizes; `None` for small images.
    pub(super) photographs: Option<Photographs>,
}

/// Settings of photographs of different sizes, streamed and cropped to `SIDE` pixels. They replace those of the recipes
/// for CIFAR, which drop the learning rate at given epochs, by a cosine schedule without warm-up.
#[derive(Clone, Copy)]
pub(super) struct Photographs {
    pub(super) batch_size: usize,
    pub(super) learning_rate: f64,
    pub(super) weight_decay: f64,
    pub(super) mixup_alpha: f64,
    /// Whether images are jittered in colour where no stronger augmentation is used.
    pub(super) jitter: bool,
}

impl Photographs {
    /// Height and width of the network's images, and the shorter side that evaluation crops them from.
    const SIDE: usize = 224;
    const EVALUATION_SIDE: usize = 256;

    /// The strong augmentation of the paper's code (Pepper-lll/NCfeature), for methods with mix-up and for the
    /// classifier's view.
    pub(super) const STRONG: [Transform; 3] = [
        jitter(0.1, 0.8),
        Transform::Grey { probability: 0.2 },
        Transform::RandAugment { layers: 2, magnitude: 10.0, deviation: 0.5, fill: [124, 116, 104] },
    ];

    /// Size of the network's images.
    pub(super) fn image_size() -> (usize, usize) {
        (Self::SIDE, Self::SIDE)
    }

    /// The usual crops of ImageNet.
    pub(super) fn streaming() -> Streaming {
        let interpolation = Interpolation::Bilinear;
        Streaming {
            training: vec![Transform::RandomResizedCrop {
                size: Some(Self::SIDE),
                smallest_area: 0.08,
                interpolation,
            }],
            evaluation: vec![
                Transform::Resize { size: Self::EVALUATION_SIDE, interpolation },
                Transform::CenterCrop { size: Self::SIDE },
            ],
        }
    }

    /// Transforms of training images after crop and flip.
    pub(super) fn transforms(self, mixup: bool) -> Vec<Transform> {
        match (mixup, self.jitter) {
            (true, _) => Self::STRONG.to_vec(),
            (false, true) => vec![jitter(0.0, 1.0)],
            (false, false) => vec![],
        }
    }
}

/// Colour jitter common for ImageNet.
pub(super) const fn jitter(hue: f64, probability: f64) -> Transform {
    Transform::ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue, probability }
}

impl DataSet {
    /// The data set whose published constants the methods use.
    pub(super) fn constants(&self) -> DataSource {
        if self.name == "tiny-imagenet-lt" { DataSource::Cifar100 } else { self.source }
    }

    /// Images per batch, before a method's factor.
    pub(super) fn batch_size(&self) -> usize {
        self.photographs.map_or(self.batch_size, |photographs| photographs.batch_size)
    }
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
    photographs: None,
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

/// Mean and standard deviation of ImageNet.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

// The paper's settings. The alpha of mix-up, which it does not give, is that of MiSLAS (Zhong et al. 2021).
const IMAGENET_LT: DataSet = DataSet {
    name: "imagenet-lt",
    description: "ImageNet-LT by its lists, 1,280 to 5 photographs per class",
    source: DataSource::ImageList,
    normalize: Some(IMAGENET),
    backbone: BackboneKind::ResNeXt50,
    reduce_dimension: true,
    crop_padding: 0,
    evaluate_every: 10,
    neural_collapse: (0.05, 1.0, 100),
    photographs: Some(PHOTOGRAPHS),
    ..CIFAR10
};

const PHOTOGRAPHS: Photographs =
    Photographs { batch_size: 256, learning_rate: 0.05, weight_decay: 5e-4, mixup_alpha: 0.2, jitter: true };

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
    IMAGENET_LT,
    // Backbone and schedule of MiSLAS for iNaturalist 2018 and Places-LT; L_W and L_B as for ImageNet-LT, because the paper
    // has no results for them.
    DataSet {
        name: "inaturalist18",
        description: "iNaturalist 2018 by its lists, 1,000 to 2 photographs of 8,142 species",
        normalize: Some(([0.466, 0.471, 0.380], [0.195, 0.194, 0.192])),
        backbone: BackboneKind::ResNet50,
        photographs: Some(Photographs {
            learning_rate: 0.1,
            weight_decay: 1e-4,
            jitter: false,
            ..PHOTOGRAPHS
        }),
        ..IMAGENET_LT
    },
    // From ImageNet's weights, given by --init-from.
    DataSet {
        name: "places-lt",
        description: "Places-LT by its lists, 4,980 to 5 photographs per class",
        backbone: BackboneKind::ResNet152,
        epochs: 90,
        photographs: Some(Photographs { learning_rate: 0.1, ..PHOTOGRAPHS }),
        ..IMAGENET_LT
    },
    DataSet {
        name: "tiny-imagenet-lt",
        description: "Tiny ImageNet by lists, 500 to 5 images of 64 pixels per class",
        source: DataSource::ImageList,
        imbalance_ratio: Some(100.0),
        normalize: Some(IMAGENET),
        backbone: BackboneKind::ImageNetResNet18,
        reduce_dimension: true,
        crop_padding: 8,
        neural_collapse: CIFAR100.neural_collapse,
        ..CIFAR10
    },
];
