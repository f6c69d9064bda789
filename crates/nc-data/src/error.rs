use std::{io, path::PathBuf};

use crate::{counted, names::ENDINGS};

/// Errors of this crate. Each message names the file or argument, the expected and the found value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Files missing from a directory.
    #[error("{} lacks {}", directory.display(), first(missing))]
    MissingFiles {
        /// The directory.
        directory: PathBuf,
        /// The files' names.
        missing: Vec<String>,
    },
    /// A file with invalid content.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Expected and found content.
        message: String,
    },
    /// Two errors; the second begins a new line.
    #[error("{0}\n{1}")]
    Both(Box<Error>, Box<Error>),
    /// A file or directory could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file that no mirror delivered.
    #[error("cannot download {name}: {reasons}")]
    Download {
        /// The file.
        name: String,
        /// The reason of each mirror.
        reasons: String,
    },
    /// A data set that cannot be loaded from the Hugging Face hub (feature `hub`).
    #[error("cannot load {name} from the Hugging Face hub: {source}")]
    Hub {
        /// The data set.
        name: &'static str,
        /// The reason.
        source: candle_core::Error,
    },
    /// Images of different sizes without a target size.
    #[error(
        "images differ in size: {} is {}x{}, {} is {}x{} (width x height); set a size to scale them to",
        first.display(), first_size.0, first_size.1, other.display(), other_size.0, other_size.1
    )]
    ImageSizes {
        /// An image.
        first: PathBuf,
        /// Its width and height.
        first_size: (usize, usize),
        /// Another image.
        other: PathBuf,
        /// Its width and height.
        other_size: (usize, usize),
    },
    /// Several images that cannot be read.
    #[error("{} images cannot be read:\n  {}", reasons.len(), first_lines(reasons))]
    Images {
        /// The error of each, with its file.
        reasons: Vec<String>,
    },
    /// Class directories without images, or of classes without training images.
    #[error(
        "{} or add images ({ENDINGS}):\n  {}",
        counted(
            reasons.len(),
            "class directory cannot be used; remove it",
            "class directories cannot be used; remove them"
        ),
        first_lines(reasons)
    )]
    Classes {
        /// The directory of each class, with the reason.
        reasons: Vec<String>,
    },
    /// Inconsistent images, labels and classes.
    #[error("{0}")]
    Dataset(String),
    /// A class with fewer images than its profile asks for.
    #[error("class {class} has {}, but the profile asks for {wanted}", counted(*available, "image", "images"))]
    TooFewImages {
        /// The class: its label, or its quoted name if classes are named.
        class: String,
        /// Images wanted.
        wanted: usize,
        /// Images available.
        available: usize,
    },
    /// An invalid long-tail profile.
    #[error("{0}")]
    Profile(String),
    /// An invalid sampler, augmentation, normalisation or loader configuration.
    #[error("{0}")]
    Config(String),
    /// A loader thread could not be started.
    #[error("cannot start {threads} loader threads: {source}")]
    LoaderThread {
        /// Threads wanted.
        threads: usize,
        /// The system's error.
        source: std::io::Error,
    },
    /// A loader thread ended before delivering all its batches.
    #[error("a loader thread died before delivering all its batches")]
    LoaderDied,
    /// A batch could not be converted to a tensor.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// The first few names and the number of the others.
pub(crate) fn first(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

/// The first few reasons, one per line, and the number of the others.
pub(crate) fn first_lines(reasons: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = reasons[..reasons.len().min(SHOWN)].join("\n  ");
    if reasons.len() > SHOWN { format!("{shown}\n  and {} more", reasons.len() - SHOWN) } else { shown }
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
