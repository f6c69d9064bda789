use std::{io, path::PathBuf, time::Duration};

use crate::Holder;

/// Errors of reading and writing the files of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The attempted operation, such as "write".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A JSON file that does not have the expected format.
    #[error("{}: malformed record: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The parse error.
        source: serde_json::Error,
    },
    /// A truncated or corrupt file.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// An invalid feature file.
    #[error("{}: {reason}", path.display())]
    NotFeatures {
        /// The file.
        path: PathBuf,
        /// The entry and its error.
        reason: String,
    },
    /// A run directory locked by another process.
    #[error("{} is being worked on by {}; it is free again {}", directory.display(), who(holder.as_ref()), when(*dead_after))]
    Held {
        /// The directory.
        directory: PathBuf,
        /// The process that holds the lock, if known.
        holder: Option<Holder>,
        /// Time without a heartbeat after which it counts as dead; none for a file lock, which ends with its process.
        dead_after: Option<Duration>,
    },
    /// A record with an unsupported format version.
    #[error("{} has format version {found}; this program reads version {expected}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u32,
        /// The version this program reads and writes.
        expected: u32,
    },
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Adds the operation and the path to an I/O error.
pub(crate) fn io_error(action: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { action, path, source }
}

fn who(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another process".into(), Holder::to_string)
}

fn when(dead_after: Option<Duration>) -> String {
    let dead = dead_after.map(|time| format!(", or {} s after its last heartbeat", time.as_secs()));
    format!("when that process ends{}", dead.unwrap_or_default())
}
