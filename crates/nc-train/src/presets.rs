//! The experiments that come with the program: a data set, a method and what is added to it, named
//! `data/method+part+part`.

use crate::{
    BackboneKind, DataConfig, DataSource, Error, EvaluationConfig, Experiment, Profile, Result,
    methods::{METHODS, Method, PARTS, Part, Sets},
    suggest::nearest,
};

/// The preset used where none is named.
pub const DEFAULT: &str = "fashion-mnist-lt/nc-drw-crt";

/// The method of a preset that names a data set only.
const METHOD: &str = "nc-drw-crt";

/// Name and description of each data set.
pub fn data_sets() -> impl Iterator<Item = (&'static str, &'static str)> {
    DATA.iter().map(|data| (data.name, data.description))
}

/// Name and description of each method.
pub fn methods() -> impl Iterator<Item = (&'static str, &'static str)> {
    METHODS.iter().copied().flatten().map(|method| (method.name, method.description))
}

/// Name and description of each part that can be added to a method.
pub fn parts() -> impl Iterator<Item = (&'static str, &'static str)> {
    PARTS.iter().copied().flatten().map(|part| (part.name, part.description))
}

/// The experiment named `name`: `data/method`, with any number of `+part`; `data` alone has the paper's method.
///
/// # Errors
///
/// [`Error::UnknownPreset`] with the nearest name, [`Error::Misplaced`] for a method or a part in another's place,
/// [`Error::PartsExclude`] for two parts that set the same. What else does not go together is found by
/// [`Experiment::validate`].
pub fn find(name: &str) -> Result<Experiment> {
    let (data, method) = name.split_once('/').unwrap_or((name, METHOD));
    let mut words = method.split('+');
    let method = words.next().unwrap_or(METHOD);
    let found = DATA.iter().find(|known| known.name == data);
    let data = found.ok_or_else(|| unknown("data set", data, data_sets(), DATA[0].name))?;
    let found = METHODS.iter().copied().flatten().find(|known| known.name == method);
    let method = found.ok_or_else(|| unknown("method", method, methods(), data.name))?;
    let mut added = vec![];
    for word in words {
        let part = PARTS.iter().copied().flatten().find(|known| known.name == word);
        let part = part.ok_or_else(|| unknown("part", word, parts(), data.name))?;
        let before = added.iter().copied().find(|other: &&Part| other.sets == part.sets);
        if let Some(before) = before.filter(|_| part.sets != Sets::Settings).or(method.undone_by(part)) {
            return Err(Error::PartsExclude { first: before.name, second: part.name });
        }
        added.push(part);
    }
    Ok(data.experiment(name, method, &added))
}

/// The error of a `word` that is none of `names`; if it is a method or a part, with how that goes with `data`.
fn unknown(
    what: &'static str,
    word: &str,
    names: impl Iterator<Item = (&'static str, &'static str)>,
    data: &str,
) -> Error {
    let first = word.split('+').next().unwrap_or(word);
    let misplaced = |is, example| Error::Misplaced { name: first.to_owned(), is, what, example };
    if methods().any(|(name, _)| name == first) {
        misplaced("method", format!("{data}/{first}"))
    } else if parts().any(|(name, _)| name == first) {
        misplaced("part", format!("{data}/ce+{first}"))
    } else {
        let nearest = nearest(word, names.map(|(name, _)| name)).map(str::to_owned);
        Error::UnknownPreset { what, name: word.to_owned(), nearest }
    }
}

/// A data set with the settings that go with it.
pub(crate) struct Data {
    name: &'static str,
    description: &'static str,
    pub(crate) source: DataSource,
    /// Share of the training images to test on, for sources that may have no test images.
    test_fraction: Option<f64>,
    /// Of the exponential profile; none to train on all images.
    pub(crate) imbalance_ratio: Option<f64>,
    /// Mean and standard deviation of each channel; none for those of the training subset.
    normalize: Option<([f32; 3], [f32; 3])>,
    pub(crate) backbone: BackboneKind,
    /// For methods that need as many feature dimensions as classes, if that one has fewer.
    pub(crate) wide_backbone: Option<BackboneKind>,
    crop_padding: usize,
    pub(crate) batch_size: usize,
    /// Epochs of the first phase. The recipes are written for 200 and scaled to this number.
    epochs: usize,
    evaluate_every: usize,
    /// lambda1, lambda2 and start epoch (of 200) of Table 1 of the paper.
    pub(crate) neural_collapse: (f64, f64, usize),
}

const CIFAR10: Data = Data {
    name: "cifar10",
    description: "CIFAR-10, balanced",
    source: DataSource::Cifar10,
    test_fraction: None,
    imbalance_ratio: None,
    normalize: Some(([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010])),
    backbone: BackboneKind::ResNet32,
    wide_backbone: None,
    crop_padding: 4,
    batch_size: 128,
    epochs: 200,
    evaluate_every: 5,
    neural_collapse: (0.01, 0.1, 0),
};

const CIFAR100: Data = Data {
    name: "cifar100",
    description: "CIFAR-100, balanced",
    source: DataSource::Cifar100,
    wide_backbone: Some(BackboneKind::WideResNet32),
    neural_collapse: (0.01, 0.5, 100),
    ..CIFAR10
};

const DATA: &[Data] = &[
    Data {
        name: "fashion-mnist-lt",
        description: "Fashion-MNIST inside the program, 1,000 to 10 images a class",
        source: DataSource::FashionMnistLt,
        normalize: None,
        backbone: BackboneKind::ResNet20,
        crop_padding: 2,
        batch_size: 64,
        epochs: 40,
        ..CIFAR10
    },
    Data {
        name: "fashion-mnist-lt-r100",
        description: "full Fashion-MNIST, 6,000 to 60 images a class",
        source: DataSource::Idx,
        imbalance_ratio: Some(100.0),
        normalize: None,
        crop_padding: 2,
        ..CIFAR10
    },
    Data {
        name: "cifar10-lt-r100",
        description: "CIFAR-10, 5,000 to 50 images a class",
        imbalance_ratio: Some(100.0),
        ..CIFAR10
    },
    Data {
        name: "cifar10-lt-r10",
        description: "CIFAR-10, 5,000 to 500 images a class",
        imbalance_ratio: Some(10.0),
        ..CIFAR10
    },
    Data {
        name: "cifar100-lt-r100",
        description: "CIFAR-100, 500 to 5 images a class",
        imbalance_ratio: Some(100.0),
        ..CIFAR100
    },
    Data {
        name: "cifar100-lt-r10",
        description: "CIFAR-100, 500 to 50 images a class",
        imbalance_ratio: Some(10.0),
        ..CIFAR100
    },
    CIFAR10,
    CIFAR100,
    Data {
        name: "image-folder",
        description: "your own images, a directory for each class",
        source: DataSource::ImageFolder,
        test_fraction: Some(0.2),
        normalize: None,
        ..CIFAR10
    },
];

impl Data {
    fn experiment(&self, name: &str, method: &Method, added: &[&Part]) -> Experiment {
        let profile =
            self.imbalance_ratio.map_or(Profile::Full, |ratio| Profile::Exponential { ratio, largest: None });
        let (mean, std) = self.normalize.map(|(mean, std)| (mean.to_vec(), std.to_vec())).unwrap_or_default();
        let mut experiment = Experiment {
            name: if name.contains('/') { name.to_owned() } else { format!("{}/{}", self.name, method.name) },
            seed: 0,
            data: DataConfig {
                source: self.source,
                image_size: None,
                test_fraction: self.test_fraction,
                profile,
                subset_seed: 0,
                crop_padding: self.crop_padding,
                flip: true,
                mean,
                std,
                validation: None,
            },
            model: method.model(self),
            evaluation: EvaluationConfig { every_epochs: self.evaluate_every },
            phases: vec![method.representation(self)],
            post_hoc: None,
        };
        for part in method.parts.iter().chain(added.iter().copied()) {
            (part.add)(&mut experiment, self);
        }
        experiment.scale_epochs(self.epochs);
        experiment
    }
}
