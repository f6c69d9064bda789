use std::{io, path::PathBuf};

/// What can go wrong with data. Every message names the file or the argument, what was expected and what was found.
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
    /// Files that should lie in a directory and do not.
    #[error("{} lacks {}", directory.display(), first(missing))]
    MissingFiles {
        /// The directory.
        directory: PathBuf,
        /// The files' names.
        missing: Vec<String>,
    },
    /// A file that does not hold what its name says.
    #[error("{}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        message: String,
    },
    /// A file or directory could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file that could not be had from any of its mirrors.
    #[error("cannot download {name}: {reasons}")]
    Download {
        /// The file.
        name: String,
        /// What each mirror said.
        reasons: String,
    },
    /// A data set that could not be had from the Hugging Face hub, by the feature `hub`.
    #[error("cannot load {name} from the Hugging Face hub: {source}")]
    Hub {
        /// The data set.
        name: &'static str,
        /// The reason.
        source: candle_core::Error,
    },
    /// Images of different sizes, where nothing says to which they should be scaled.
    #[error(
        "images differ in size: {} is {}x{}, {} is {}x{} (width x height); say to which size to scale them",
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
    /// Images, labels and classes that do not fit together.
    #[error("{0}")]
    Dataset(String),
    /// A class with fewer images than its profile asks for.
    #[error("class {class} has {available} images, the profile asks for {wanted}")]
    TooFewImages {
        /// The class: its label, or its name in quotes where images have named classes.
        class: String,
        /// Images wanted.
        wanted: usize,
        /// Images there are.
        available: usize,
    },
    /// A profile that is none.
    #[error("{0}")]
    Profile(String),
    /// A sampler, augmentation, normalisation or loader that cannot work.
    #[error("{0}")]
    Config(String),
    /// The system gave no thread to prepare batches.
    #[error("cannot start {threads} threads that prepare batches: {source}")]
    LoaderThread {
        /// Threads wanted.
        threads: usize,
        /// What the system says.
        source: std::io::Error,
    },
    /// A thread that prepares batches ended without having delivered them all.
    #[error("a thread that prepares batches has died")]
    LoaderDied,
    /// A batch could not become a tensor.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// The first few of many names.
pub(crate) fn first(names: &[String]) -> String {
    const SHOWN: usize = 6;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

/// As many reasons as a terminal shows at once.
fn first_lines(reasons: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = reasons[..reasons.len().min(SHOWN)].join("\n  ");
    if reasons.len() > SHOWN { format!("{shown}\n  and {} more", reasons.len() - SHOWN) } else { shown }
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
