use std::path::PathBuf;

/// Errors of tables, figures, records and runs. Messages about files include the file and the location in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file with invalid TOML, or with missing or unknown keys.
    #[error("{file}: {}", source.to_string().trim_end())]
    Malformed {
        /// The file.
        file: String,
        /// The parse error.
        source: Box<toml::de::Error>,
    },
    /// Rows, columns, groups or series with the same name.
    #[error("{file}: duplicate {what} {name:?}; names must be unique")]
    Duplicate {
        /// The file.
        file: String,
        /// Kind of item, such as "row".
        what: &'static str,
        /// The duplicate name.
        name: String,
    },
    /// A row whose number of published figures differs from the number of columns.
    #[error(
        "{file}: row {row:?}: expected {expected} published figures (one per column) or none, found {found}"
    )]
    Published {
        /// The file.
        file: String,
        /// The row.
        row: String,
        /// Number of columns.
        expected: usize,
        /// Number of figures.
        found: usize,
    },
    /// A row with an unknown control row.
    #[error("{file}: row {row:?}: unknown control {control:?}; expected the name of another row")]
    Control {
        /// The file.
        file: String,
        /// The row.
        row: String,
        /// The control.
        control: String,
    },
    /// A cell whose data set is given by both or neither of row and column.
    #[error(
        "{file}: row {row:?}, column {column:?}: {} of them set data; set it in exactly one",
        both_or_none(*both)
    )]
    Data {
        /// The file.
        file: String,
        /// The row.
        row: String,
        /// The column.
        column: String,
        /// True for both, false for neither.
        both: bool,
    },
    /// A column with an invalid noise level.
    #[error("{file}: column {column:?}: expected a positive, finite noise, found {noise}")]
    Noise {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The noise.
        noise: f64,
    },
    /// A column of a shot group under noise, which is not measured.
    #[error("{file}: column {column:?} has both noise and shots; remove one")]
    NoisyShots {
        /// The file.
        file: String,
        /// The column.
        column: String,
    },
    /// An unknown table or figure.
    #[error("unknown table or figure {name:?}; expected one of {known}")]
    NoTable {
        /// The requested name.
        name: String,
        /// The known names.
        known: String,
    },
    /// Only cells on ImageNet-LT are selected, without its images.
    #[error("all these cells train on ImageNet-LT, which must be obtained by hand: set --imagenet-lt DIR")]
    NoImageNet,
    /// A pattern that matches no cell with a run.
    #[error("no cell matches {pattern:?}; --list shows cell names, such as table3/cifar10-lt-r100/nc-drw")]
    NoCell {
        /// The pattern.
        pattern: String,
    },
    /// A record that is invalid or cannot be read or written.
    #[error("{}: {reason}", path.display())]
    BadRecord {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A run that failed or could not start.
    #[error("{0}")]
    Train(#[source] Box<nc_train::Error>),
    /// A run file that could not be read or written.
    #[error(transparent)]
    Record(#[from] nc_record::Error),
    /// A report that could not be generated.
    #[error(transparent)]
    Report(#[from] nc_report::Error),
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

fn both_or_none(both: bool) -> &'static str {
    if both { "both" } else { "neither" }
}

/// Rejects duplicate `names`.
pub(crate) fn refuse_duplicates<'a>(
    file: &str,
    what: &'static str,
    names: impl Iterator<Item = &'a str>,
) -> Result<()> {
    let mut seen = vec![];
    for name in names {
        if seen.contains(&name) {
            return Err(Error::Duplicate { file: file.to_owned(), what, name: name.to_owned() });
        }
        seen.push(name);
    }
    Ok(())
}

impl From<nc_train::Error> for Error {
    fn from(error: nc_train::Error) -> Self {
        Self::Train(Box::new(error))
    }
}
