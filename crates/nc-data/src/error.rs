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
    #[error("{} lacks {} (each may also end in .gz)", directory.display(), missing.join(", "))]
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
    /// Images, labels and classes that do not fit together.
    #[error("{0}")]
    Dataset(String),
    /// A class with fewer images than its profile asks for.
    #[error("class {class} has {available} images, the profile asks for {wanted}")]
    TooFewImages {
        /// The class's label.
        class: usize,
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
    /// The threads that prepare batches are gone without having delivered them all.
    #[error("a thread that prepares batches could not be started or has died")]
    LoaderDied,
    /// A batch could not become a tensor.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
