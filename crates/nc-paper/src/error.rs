use std::path::PathBuf;

/// What can be wrong with tables, figures, records and runs. A message about a file names it and the place in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that is no TOML or lacks, or has too many, settings.
    #[error("{file}: {}", source.to_string().trim_end())]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// Two rows, columns, groups or series of one name.
    #[error("{file}: {what} {name:?} stands there more than once")]
    Duplicate {
        /// The file.
        file: String,
        /// What they are, as in "row".
        what: &'static str,
        /// Their name.
        name: String,
    },
    /// A row with more or fewer published figures than the table has columns.
    #[error("{file}: row {row:?} has {found} published figures, expected {expected} (one a column) or none")]
    Published {
        /// The file.
        file: String,
        /// The row.
        row: String,
        /// The table's columns.
        expected: usize,
        /// The row's figures.
        found: usize,
    },
    /// A row whose gain is to be shown against one that is not there.
    #[error("{file}: row {row:?} has the control {control:?}, but no other row is named so")]
    Control {
        /// The file.
        file: String,
        /// The row.
        row: String,
        /// Its control.
        control: String,
    },
    /// A row with neither a method nor a reason for having none, or with both.
    #[error("{file}: row {row:?} has {} of method and not_built, expected one", both_or_none(*both))]
    Method {
        /// The file.
        file: String,
        /// The row.
        row: String,
        /// Whether it has both.
        both: bool,
    },
    /// A cell for which neither its row nor its column names the data set, or both do.
    #[error(
        "{file}: row {row:?}: the data set for column {column:?} is named by {} of row and column, expected one",
        both_or_none(*both)
    )]
    Data {
        /// The file.
        file: String,
        /// The row.
        row: String,
        /// The column.
        column: String,
        /// Whether both name one.
        both: bool,
    },
    /// A column with noise of no possible strength.
    #[error("{file}: column {column:?} has noise {noise}, expected a positive number")]
    Noise {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The noise.
        noise: f64,
    },
    /// A table or figure that is not there.
    #[error("there is no table or figure {name:?}, only {known}")]
    NoTable {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Tables and figures without a run.
    #[error("nothing of {names} is built yet: it stands in the tables, but there is nothing to run")]
    NotBuilt {
        /// What was asked for.
        names: String,
    },
    /// A pattern that no cell with a run matches.
    #[error(
        "no cell matches {pattern:?}; cells are named as in table3/cifar10-lt-r100/nc-drw, and --list shows them"
    )]
    NoCell {
        /// The pattern.
        pattern: String,
    },
    /// A record that cannot be read or written, or is none.
    #[error("{}: {reason}", path.display())]
    BadRecord {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A run failed, or could not be begun.
    #[error("{0}")]
    Train(#[source] Box<nc_train::Error>),
    /// A file could not be written.
    #[error(transparent)]
    Record(#[from] nc_record::Error),
    /// A report could not be made.
    #[error(transparent)]
    Report(#[from] nc_report::Error),
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

fn both_or_none(both: bool) -> &'static str {
    if both { "both" } else { "neither" }
}

/// Sees to it that no two of `names` are the same.
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
