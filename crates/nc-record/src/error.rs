use std::{io, path::PathBuf, time::Duration};

use crate::Holder;

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
    #[error("{} is being worked on by {}; it is free again {}", directory.display(), who(holder.as_ref()), when(*dead_after))]
    Held {
        /// The directory.
        directory: PathBuf,
        /// That process, if it can be told.
        holder: Option<Holder>,
        /// After what time without a sign of life it counts as dead; none where it holds a lock, which ends with it.
        dead_after: Option<Duration>,
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

/// For messages.
fn who(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another process".into(), Holder::to_string)
}

fn when(dead_after: Option<Duration>) -> String {
    let dead = dead_after.map(|time| format!(", or {} s after its last sign of life", time.as_secs()));
    format!("when that process ends{}", dead.unwrap_or_default())
}
