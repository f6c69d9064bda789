use std::{io, path::PathBuf};

use crate::divergence::Diverged;

/// What can go wrong with a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration file that is no valid TOML, or holds what cannot stand.
    #[error("{}: {message}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A key that is unknown or missing, a value out of its range, or settings that contradict each other.
    #[error("{setting}: {message}")]
    Setting {
        /// The key, as `--set` takes it.
        setting: String,
        /// What it is and what it should be.
        message: String,
    },
    /// No data set, method or part of this name among the presets.
    #[error("there is no {what} {name:?}{}; `nclt presets` lists them", did_you_mean(.nearest.as_deref()))]
    UnknownPreset {
        /// What kind of name it should be.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// The nearest existing name.
        nearest: Option<String>,
    },
    /// A method or a part where a preset's name has something else.
    #[error(
        "{name:?} is a {is} and no {what}: a preset is DATA/METHOD or DATA/METHOD+PART, as in {example}; `nclt presets` \
         lists them"
    )]
    Misplaced {
        /// The name.
        name: String,
        /// What it names.
        is: &'static str,
        /// What kind of name it should be.
        what: &'static str,
        /// A preset with it in its place.
        example: String,
    },
    /// A source that lies in files was asked for without saying where.
    #[error("the data source {source_name:?} is read from files: say where they are with --data-dir DIR")]
    DataDirMissing {
        /// The source.
        source_name: &'static str,
    },
    /// Classes that nothing can be learnt of.
    #[error(
        "no training image is left of {names}: a class that is to be told apart needs at least one: keep more by \
         data.profile, or hold out fewer"
    )]
    EmptyClasses {
        /// Their names.
        names: String,
    },
    /// A loss, gradient or value that is not a finite number.
    #[error("{0}")]
    Diverged(Box<Diverged>),
    /// The observer asked the run to stop.
    #[error(
        "stopped as asked in epoch {} of phase {phase:?}, after {step} of its steps; the run goes on from {}",
        epoch + 1,
        checkpoint.display()
    )]
    Stopped {
        /// The phase's name.
        phase: String,
        /// Epoch, from 0.
        epoch: usize,
        /// Steps of the epoch that are done.
        step: usize,
        /// What was written.
        checkpoint: PathBuf,
    },
    /// A result or checkpoint that another experiment left in this one's directory.
    #[error(
        "{} belongs to another run, {found} and not {expected}: the configuration or the data have changed; --fresh starts \
         it again",
        path.display()
    )]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// The run's hash.
        expected: String,
        /// That in the file.
        found: String,
    },
    /// Two parts of a preset of which the second would undo the first.
    #[error(
        "a preset cannot have both {first} and {second}: of what both set, the second would undo the first"
    )]
    PartsExclude {
        /// The first, which the method may have brought.
        first: &'static str,
        /// The second.
        second: &'static str,
    },
    /// A run that was tested on other test images than are there now.
    #[error(
        "the run in {} was tested on other images than are there now, {found} and not {expected}; put those back, or start \
         it again with --fresh",
        path.display()
    )]
    OtherTestImages {
        /// Its directory.
        path: PathBuf,
        /// Hash of the images that are there.
        expected: String,
        /// Hash of those it was tested on.
        found: String,
    },
    /// Images that a trained network cannot take.
    #[error("the images do not fit the trained network: {reason}")]
    OtherImages {
        /// What does not fit.
        reason: String,
    },
    /// A finished run whose configuration was edited.
    #[error(
        "{}: changed since the run finished, its hash is {found}, expected {expected}; restore the file, or train the changed \
         configuration as a new run with --config", path.display()
    )]
    ConfigChanged {
        /// The configuration.
        path: PathBuf,
        /// The run's hash.
        expected: String,
        /// The hash of the configuration.
        found: String,
    },
    /// Weights that are not those a run wrote.
    #[error(
        "{}: not the file that the run wrote, its SHA-256 differs from that in result.json; restore it, or give other weights \
         another name and evaluate that file", path.display()
    )]
    WeightsChanged {
        /// The weights.
        path: PathBuf,
    },
    /// A checkpoint with a tensor that no part of the run has.
    #[error("{}: unknown tensor {name:?}; the checkpoint belongs to a different configuration or program; --fresh starts \
         again", path.display())]
    UnknownTensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
    },
    /// A learner that has no phase to take a step in.
    #[error("no phase has begun; call Learner::begin_phase before a step")]
    NoPhase,
    /// An objective of which every term is off.
    #[error("no term of the objective is on; there is nothing to minimise")]
    NoTerms,
    /// A network without logits or without a classifier, where they are needed.
    #[error("the network has no classifier; {needed_by} needs one")]
    NoClassifier {
        /// What needs it.
        needed_by: &'static str,
    },
    /// A run whose backbone came from a program that is not this one.
    #[error(
        "{} was trained with its own backbone {name:?}; open it from the program that defines it, with Trained::open_with",
        run.display()
    )]
    OwnBackbone {
        /// The run.
        run: PathBuf,
        /// The backbone's name.
        name: String,
    },
    /// A checkpoint of another model.
    #[error("{} is of another model: {parameter:?} {}", path.display(), misfit(expected, found.as_deref()))]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// The first parameter that does not fit.
        parameter: String,
        /// The model's shape of it.
        expected: Vec<usize>,
        /// The checkpoint's, if it has it.
        found: Option<Vec<usize>>,
    },
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// What was named as a run or checkpoint, and is none.
    #[error(
        "{} is no run: expected a run's directory, which holds a config.toml, or a file of weights in one",
        path.display()
    )]
    NotARun {
        /// What was named.
        path: PathBuf,
    },
    /// A directory that holds the weights of a run, and nothing to go on with it from.
    #[error(
        "{} are there, but neither a result nor a checkpoint to go on from: --fresh starts from the beginning and replaces \
         them",
        weights.display()
    )]
    WeightsAlone {
        /// The weights.
        weights: PathBuf,
    },
    /// A run that has not ended, where its weights are needed.
    #[error(
        "{0} has no weights.safetensors, which a run writes when it ends: go on with it by `nclt train --resume {0}`",
        run.display()
    )]
    NoWeights {
        /// Its directory.
        run: PathBuf,
    },
    /// A finished run whose weights were removed.
    #[error(
        "{0} was finished, but its weights.safetensors are gone: repeat it by `nclt train --resume {0} --fresh`",
        run.display()
    )]
    WeightsGone {
        /// Its directory.
        run: PathBuf,
    },
    /// A file of weights that is none, or of another model.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<nc_models::Error>,
    },
    /// The configuration could not be written as TOML.
    #[error("cannot write the configuration as TOML: {0}")]
    WriteConfig(#[from] toml::ser::Error),
    /// The data could not be read, drawn or loaded.
    #[error(transparent)]
    Data(#[from] nc_data::Error),
    /// The model could not be built.
    #[error(transparent)]
    Model(#[from] nc_models::Error),
    /// A loss could not be computed.
    #[error(transparent)]
    Loss(#[from] nc_losses::Error),
    /// The features could not be measured.
    #[error(transparent)]
    Metrics(#[from] nc_metrics::Error),
    /// The run's records could not be written or read.
    #[error(transparent)]
    Record(#[from] nc_record::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A setting, named as `--set` takes it, that cannot stand.
    pub(crate) fn setting(setting: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Setting { setting: setting.into(), message: message.into() }
    }
}

pub(crate) fn ensure(
    condition: bool,
    setting: impl Into<String>,
    message: impl FnOnce() -> String,
) -> Result<()> {
    if condition { Ok(()) } else { Err(Error::setting(setting, message())) }
}

/// The candidate most similar to `word`, if any is similar.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|&(similarity, _)| similarity > 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// A hint at the nearest known name.
pub(crate) fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!(" (did you mean {name:?}?)")).unwrap_or_default()
}

/// What is wrong with a parameter of a checkpoint.
fn misfit(expected: &[usize], found: Option<&[usize]>) -> String {
    match found {
        Some(found) => format!("should have shape {expected:?}, not {found:?}"),
        None => "is missing".to_owned(),
    }
}
