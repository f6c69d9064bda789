use std::{io, path::PathBuf, time::Duration};

use crate::{Holder, claim::describe};

/// What can go wrong with a run's records.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "write".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file that does not hold what it should.
    #[error("{} is not a record of this program: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file that is not as it was written.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of features that cannot be used.
    #[error("{}: {reason}", path.display())]
    NotFeatures {
        /// The file.
        path: PathBuf,
        /// What is wrong with which entry.
        reason: String,
    },
    /// A run directory on which another process works.
    #[error("{}", describe(holder.as_ref(), directory, *dead_after))]
    Held {
        /// The directory.
        directory: PathBuf,
        /// That process, if it can be told.
        holder: Option<Holder>,
        /// After what time without a sign of life it counts as dead.
        dead_after: Duration,
    },
    /// A record of a format this version does not know.
    #[error("{} has format version {found}; this program reads version {expected}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u32,
        /// The version this program writes.
        expected: u32,
    },
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Turns an I/O error into one that names what was done to which file.
pub(crate) fn io_error(action: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

#[cfg(test)]
mod tests;
