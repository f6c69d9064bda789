use std::{io, path::PathBuf};

use crate::divergence::Diverged;

/// Errors of configuring, training and opening a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration file that is not valid TOML or holds invalid settings.
    #[error("{}: {message}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The problem.
        message: String,
    },
    /// An unknown or missing key, a value out of range, or settings that contradict each other.
    #[error("{setting}: {message}")]
    Setting {
        /// The key, as `--set` takes it.
        setting: String,
        /// The value found and the values expected.
        message: String,
    },
    /// An unknown data set, method or part in the name of a preset.
    #[error("unknown {what} {name:?}{}; `nclt presets` lists them", did_you_mean(.nearest.as_deref()))]
    UnknownPreset {
        /// The kind of name expected.
        what: &'static str,
        /// The name given.
        name: String,
        /// The most similar known name.
        nearest: Option<String>,
    },
    /// A method or part in the wrong position of a preset's name.
    #[error(
        "expected a {what}, found the {is} {name:?}; presets have the form DATA/METHOD or DATA/METHOD+PART, as in \
         {example}"
    )]
    Misplaced {
        /// The name.
        name: String,
        /// The kind of name found.
        is: &'static str,
        /// The kind of name expected.
        what: &'static str,
        /// A valid preset with this name.
        example: String,
    },
    /// A data source that is read from files, without their directory.
    #[error("the data source {source_name:?} is read from files; pass their directory with --data-dir DIR")]
    DataDirMissing {
        /// The source.
        source_name: &'static str,
    },
    /// Classes without training images.
    #[error(
        "no training images left for {names}; every class needs one: relax data.profile or hold out fewer images"
    )]
    EmptyClasses {
        /// Their names.
        names: String,
    },
    /// A non-finite loss, gradient or value.
    #[error("{0}")]
    Diverged(Box<Diverged>),
    /// The observer asked the run to stop.
    #[error(
        "stopped as requested in epoch {} of phase {phase:?}, after {step} steps; the run resumes from {}",
        epoch + 1,
        checkpoint.display()
    )]
    Stopped {
        /// The phase's name.
        phase: String,
        /// Epoch, from 0.
        epoch: usize,
        /// Completed steps of the epoch.
        step: usize,
        /// The checkpoint written.
        checkpoint: PathBuf,
    },
    /// A result or checkpoint of another experiment in this run's directory.
    #[error(
        "{} belongs to a different run (found {found}, expected {expected}): the configuration or data changed; \
         --fresh starts over",
        path.display()
    )]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// The run's hash.
        expected: String,
        /// The hash in the file.
        found: String,
    },
    /// Two parts of a preset, or a method and a part, that set the same option.
    #[error("{first} and {second} cannot be combined: both set the same option")]
    PartsExclude {
        /// The first, or the method.
        first: &'static str,
        /// The second.
        second: &'static str,
    },
    /// A run that was tested on other images than those given.
    #[error(
        "{}: the run was tested on different images (hash {found}, these have {expected}); restore them, or start over \
         with --fresh or another --out",
        path.display()
    )]
    OtherTestImages {
        /// The run's directory.
        path: PathBuf,
        /// Hash of the images given.
        expected: String,
        /// Hash of the images the run was tested on.
        found: String,
    },
    /// Images that do not fit a trained network.
    #[error("the images do not fit the trained network: {reason}")]
    OtherImages {
        /// The mismatch.
        reason: String,
    },
    /// A finished run whose configuration was edited.
    #[error(
        "{}: changed since the run finished (hash {found}, expected {expected}); restore the file, or train the \
         changed configuration as a new run with --config", path.display()
    )]
    ConfigChanged {
        /// The configuration.
        path: PathBuf,
        /// The run's hash.
        expected: String,
        /// The hash of the configuration.
        found: String,
    },
    /// Weights of a finished run that changed.
    #[error(
        "{}: changed since the run finished (its SHA-256 differs from result.json); restore the file, or save other \
         weights under another name", path.display()
    )]
    WeightsChanged {
        /// The weights file.
        path: PathBuf,
    },
    /// A checkpoint with a tensor unknown to the run.
    #[error("{}: unknown tensor {name:?}; the checkpoint belongs to a different configuration or program; \
         --fresh starts over", path.display())]
    UnknownTensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        name: String,
    },
    /// A learner step outside a phase.
    #[error("no phase has begun; call Learner::begin_phase before a step")]
    NoPhase,
    /// An objective without active terms.
    #[error("the objective has no active term; there is nothing to minimise")]
    NoTerms,
    /// A network without logits or without a classifier.
    #[error("the network has no classifier; {needed_by} needs one")]
    NoClassifier {
        /// The operation that needs it.
        needed_by: &'static str,
    },
    /// A contrastive loss on a network without the embeddings it needs.
    #[error("a contrastive loss acts on embeddings, but the network has none; set model.projection")]
    NoProjection,
    /// A run of a custom backbone, opened without its constructor.
    #[error(
        "{} was trained with the custom backbone {name:?}; open it in the program that defines it, with \
         Trained::open_with or OnnxExport::of_backbone",
        run.display()
    )]
    OwnBackbone {
        /// The run.
        run: PathBuf,
        /// The backbone's name.
        name: String,
    },
    /// A run of an earlier version, which stored neither class names nor normalisation.
    #[error(
        "{} was trained by an earlier version, which stored neither class names nor normalisation; train it again",
        run.display()
    )]
    NoInputSpec {
        /// The run.
        run: PathBuf,
    },
    /// A checkpoint of another model.
    #[error("{} belongs to a different model: {parameter:?} {}", path.display(), misfit(expected, found.as_deref()))]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// The first parameter that does not fit.
        parameter: String,
        /// Its shape in the model.
        expected: Vec<usize>,
        /// Its shape in the checkpoint, if present.
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
    /// A path that is neither a run directory nor a weights file in one.
    #[error(
        "{} is not a run; expected a run directory, which contains config.toml, or a weights file in one",
        path.display()
    )]
    NotARun {
        /// The path.
        path: PathBuf,
    },
    /// A directory with the weights of a run, but without a result or checkpoint.
    #[error(
        "{} exists, but there is no result or checkpoint to resume from; --fresh starts over and replaces it",
        weights.display()
    )]
    WeightsAlone {
        /// The weights.
        weights: PathBuf,
    },
    /// An unfinished run, which has no weights yet.
    #[error(
        "{0} has no weights.safetensors because the run is not finished; resume it with `nclt train --resume {0}`",
        run.display()
    )]
    NoWeights {
        /// Its directory.
        run: PathBuf,
    },
    /// A finished run whose weights were removed.
    #[error(
        "{0} is finished, but its weights.safetensors is missing; repeat it with `nclt train --resume {0} --fresh`",
        run.display()
    )]
    WeightsGone {
        /// Its directory.
        run: PathBuf,
    },
    /// An invalid weights file, or weights of another model.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The problem.
        source: Box<nc_models::Error>,
    },
    /// A weights file other than the one that the configuration starts from.
    #[error(
        "{}: SHA-256 {found}, but model.init_sha256 is {expected}; pass the file that the run starts from",
        path.display()
    )]
    OtherInit {
        /// The file.
        path: PathBuf,
        /// The digest of the configuration.
        expected: String,
        /// The digest of the file.
        found: String,
    },
    /// A configuration that starts from a weights file, without the file.
    #[error(
        "model.init_sha256: the run starts from a weights file with SHA-256 {expected}; pass the file with --init-from \
         FILE"
    )]
    InitMissing {
        /// The digest of the configuration.
        expected: String,
    },
    /// The configuration could not be written as TOML.
    #[error("cannot write the configuration as TOML: {0}")]
    WriteConfig(#[from] toml::ser::Error),
    /// Images could not be read, subsampled or loaded.
    #[error(transparent)]
    Data(#[from] nc_data::Error),
    /// The model could not be built.
    #[error(transparent)]
    Model(#[from] nc_models::Error),
    /// A loss could not be computed.
    #[error(transparent)]
    Loss(#[from] nc_losses::Error),
    /// A metric could not be computed.
    #[error(transparent)]
    Metrics(#[from] nc_metrics::Error),
    /// A file of the run could not be written or read.
    #[error(transparent)]
    Record(#[from] nc_record::Error),
    /// A tensor operation failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// A result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An invalid `setting`, named as `--set` takes it.
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

/// The mismatch of a checkpoint's parameter.
fn misfit(expected: &[usize], found: Option<&[usize]>) -> String {
    match found {
        Some(found) => format!("expected shape {expected:?}, found {found:?}"),
        None => "is missing".to_owned(),
    }
}
