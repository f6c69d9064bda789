use std::path::PathBuf;

/// Errors of reading runs and writing reports.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tables could not be written as CSV.
    #[error("cannot write CSV: {0}")]
    Csv(#[from] csv::Error),
    /// The tables could not be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A run's record could not be read.
    #[error(transparent)]
    Record(#[from] nc_record::Error),
    /// A run's file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A run's file that does not have the expected format.
    #[error("{}: malformed record: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The parse error.
        source: serde_json::Error,
    },
    /// A run's file with inconsistent content.
    #[error("{}: {reason}", path.display())]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// The inconsistency.
        reason: String,
    },
    /// An unfinished run in a comparison.
    #[error("{run}: the run is not finished; only finished runs can be compared")]
    Unfinished {
        /// The run's directory.
        run: String,
    },
    /// Inconsistent measurements of a feature set.
    #[error("{name}: {reason}")]
    Analysis {
        /// Name of the feature set.
        name: String,
        /// The inconsistency.
        reason: String,
    },
    /// A plot that failed to render.
    #[error("cannot draw {drawing:?}: {reason}")]
    Drawing {
        /// Label of the plot.
        drawing: String,
        /// The reason.
        reason: String,
    },
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
