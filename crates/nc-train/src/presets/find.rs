use nc_data::Profile;

use super::{
    data_sets::{DATA_SETS, DataSet, Photographs, RECIPE_EPOCHS},
    part::Part,
    parts::PARTS,
    recipe::Method,
    recipes::METHODS,
};
use crate::{
    Error, Result,
    config::{DataConfig, EvaluationConfig, Experiment},
    error::nearest,
};

/// The default preset.
pub const DEFAULT: &str = "fashion-mnist-lt/nc-drw-crt";

/// Default method, for presets that name only a data set.
const METHOD: &str = "nc-drw-crt";

/// Alias of the recommended method, with its description.
pub const BEST: (&str, &str) = ("best", "vs-sam-adrw, the recommended method for a single network");

/// The method that [`BEST`] stands for.
const RECOMMENDED: &str = "vs-sam-adrw";

/// Methods of a comparison on one's own images.
pub const COMPARED: [&str; 7] =
    ["ce", "balanced-softmax", "logit-adjustment", "ce-drw-mixup", "ldam-drw", "nc-drw", "nc-drw-crt"];

/// Name and description of each data set.
pub fn data_sets() -> impl Iterator<Item = (&'static str, &'static str)> {
    DATA_SETS.iter().map(|data| (data.name, data.description))
}

/// Name and description of each method.
pub fn methods() -> impl Iterator<Item = (&'static str, &'static str)> {
    METHODS.iter().map(|method| (method.name, method.description))
}

/// Name and description of each part that can be added to a method.
pub fn parts() -> impl Iterator<Item = (&'static str, &'static str)> {
    PARTS.iter().map(|part| (part.name, part.description))
}

/// The preset `name`: `data/method` with any number of `+part`, or `data` with the paper's method. `best` is an
/// alias of the recommended method.
///
/// # Errors
///
/// [`Error::UnknownPreset`] with the most similar name, [`Error::Misplaced`] for a method or part in the wrong
/// position, [`Error::PartsExclude`] for two parts that set the same option.
/// [`ValidExperiment`](crate::ValidExperiment) detects other contradictions.
pub fn find(name: &str) -> Result<Experiment> {
    let (data, method) = name.split_once('/').unwrap_or((name, METHOD));
    let mut words = method.split('+');
    let method = words.next().unwrap_or(METHOD);
    let method = if method == BEST.0 { RECOMMENDED } else { method };
    let found = DATA_SETS.iter().find(|known| known.name == data);
    let data = found.ok_or_else(|| unknown("data set", data, data_sets(), DATA_SETS[0].name))?;
    let found = METHODS.iter().find(|known| known.name == method);
    let method = found.ok_or_else(|| unknown("method", method, methods().chain([BEST]), data.name))?;
    let mut added = vec![];
    for word in words {
        let part = PARTS.iter().find(|known| known.name == word);
        let part = part.ok_or_else(|| unknown("part", word, parts(), data.name))?;
        let before = added.iter().copied().find(|other: &&Part| other.excludes(part)).map(|other| other.name);
        if let Some(first) = before.or(method.undone_by(part, data)) {
            return Err(Error::PartsExclude { first, second: part.name });
        }
        added.push(part);
    }
    Ok(experiment(data, method, &added))
}

/// Error for a `word` that is not in `names`. For a method or part in the wrong position it shows a valid preset of
/// `data`.
fn unknown(
    what: &'static str,
    word: &str,
    names: impl Iterator<Item = (&'static str, &'static str)>,
    data: &str,
) -> Error {
    let first = word.split('+').next().unwrap_or(word);
    let misplaced = |is, example| Error::Misplaced { name: first.to_owned(), is, what, example };
    if methods().chain([BEST]).any(|(name, _)| name == first) {
        misplaced("method", format!("{data}/{first}"))
    } else if parts().any(|(name, _)| name == first) {
        misplaced("part", format!("{data}/ce+{first}"))
    } else {
        let nearest = nearest(word, names.map(|(name, _)| name)).map(str::to_owned);
        Error::UnknownPreset { what, name: word.to_owned(), nearest }
    }
}

fn experiment(data: &DataSet, method: &Method, added: &[&Part]) -> Experiment {
    let profile =
        data.imbalance_ratio.map_or(Profile::Full, |ratio| Profile::Exponential { ratio, largest: None });
    let (mean, std) = data.normalize.map(|(mean, std)| (mean.to_vec(), std.to_vec())).unwrap_or_default();
    let words: Vec<&str> = [method.name].into_iter().chain(added.iter().map(|part| part.name)).collect();
    let mut experiment = Experiment {
        name: format!("{}/{}", data.name, words.join("+")),
        seed: 0,
        data: DataConfig {
            source: data.source,
            image_size: data.photographs.map(|_| Photographs::image_size()),
            streaming: data.photographs.map(|_| Photographs::streaming()),
            skip: None,
            exif_orientation: None,
            test_fraction: data.test_fraction,
            groups: None,
            profile,
            subset_seed: 0,
            crop_padding: data.crop_padding,
            flip: true,
            transforms: method.transforms(data),
            mean,
            std,
            validation: None,
        },
        model: method.model(data),
        evaluation: EvaluationConfig::every(data.evaluate_every),
        phases: vec![method.representation(data)],
        post_hoc: None,
    };
    for part in method.parts.iter().chain(added.iter().copied()) {
        part.add(&mut experiment, data);
    }
    if experiment.phases.iter().all(|phase| !phase.views.is_empty()) {
        // The views have transforms of their own.
        experiment.data.transforms.clear();
    }
    let epochs = data.epochs * method.epochs / RECIPE_EPOCHS;
    if data.photographs.is_some() {
        // Second phases have their published lengths, whatever that of the first.
        let later = experiment.phases.split_off(1);
        experiment.scale_epochs(epochs);
        experiment.phases.extend(later);
    } else {
        experiment.scale_epochs(epochs);
    }
    experiment
}
