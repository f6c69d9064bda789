use std::path::PathBuf;

/// What can go wrong with a report.
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
    /// A run's file that does not hold what it should.
    #[error("{} is not a record of this program: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A run's file whose parts do not fit each other.
    #[error("{}: {reason}", path.display())]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A run without a result, where one is needed.
    #[error("{run}: the run is not finished; only finished runs can be set side by side")]
    Unfinished {
        /// Its name.
        run: String,
    },
    /// Measurements of a feature set that do not fit each other.
    #[error("{name}: {reason}")]
    Analysis {
        /// What the feature set is called.
        name: String,
        /// What does not fit.
        reason: String,
    },
    /// A drawing failed.
    #[error("cannot draw {drawing:?}: {reason}")]
    Drawing {
        /// What it shows.
        drawing: String,
        /// The reason.
        reason: String,
    },
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
