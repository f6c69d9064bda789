use serde::Deserialize;

use crate::{Error, Result, error::refuse_duplicates};

/// A table of the paper, and the rows that stand beside the paper's own.
#[derive(Clone, Debug, PartialEq)]
pub struct PaperTable {
    /// Its number in the paper.
    pub id: String,
    /// What it compares, in a line.
    pub title: String,
    /// What its figures are, with their unit.
    pub measure: String,
    /// Remarks on the whole table.
    pub notes: Vec<String>,
    /// The columns, in the paper's order.
    pub columns: Vec<PaperColumn>,
    /// The rows: the paper's in its order, then the controls and variants beside it.
    pub rows: Vec<PaperRow>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperColumn {
    /// Its title.
    pub title: String,
    /// The preset's data set; none where the rows name it or nothing is run.
    pub data: Option<String>,
    /// The part that this column adds to the rows' methods.
    pub part: Option<String>,
    /// Why nothing of ours stands in this column.
    pub not_built: Option<String>,
    /// Standard deviation of the Gaussian noise added to the normalised test images; none for no noise.
    pub noise: Option<f64>,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct PaperRow {
    /// Its name.
    pub name: String,
    /// The preset's method, with its parts; none where the row is not built.
    pub method: Option<String>,
    /// Why nothing of ours stands in this row.
    pub not_built: Option<String>,
    /// Where its published figures come from.
    pub source: Option<String>,
    /// The name of the row against which its gain is shown.
    pub control: Option<String>,
    /// A remark on this row.
    pub note: Option<String>,
    /// One a column.
    pub cells: Vec<PaperCell>,
}

/// Where a row and a column of a table meet.
#[derive(Clone, Debug, PartialEq)]
pub struct PaperCell {
    /// The figure in the paper, if it has one.
    pub published: Option<f64>,
    /// What stands beside it.
    pub plan: CellPlan,
}

/// What stands beside a published figure.
#[derive(Clone, Debug, PartialEq)]
pub enum CellPlan {
    /// The result of a run.
    Run(PaperRun),
    /// Nothing yet, for this reason.
    NotBuilt(String),
}

/// The run whose result stands in a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct PaperRun {
    /// The preset's data set.
    pub data: String,
    /// The preset's method, with its parts.
    pub method: String,
    /// Standard deviation of the Gaussian noise added to the normalised test images; none for no noise.
    pub noise: Option<f64>,
}

/// Path and text of each table's file.
const FILES: [(&str, &str); 6] = [
    ("tables/table2.toml", include_str!("../tables/table2.toml")),
    ("tables/table3.toml", include_str!("../tables/table3.toml")),
    ("tables/table4.toml", include_str!("../tables/table4.toml")),
    ("tables/table5.toml", include_str!("../tables/table5.toml")),
    ("tables/table6.toml", include_str!("../tables/table6.toml")),
    ("tables/table7.toml", include_str!("../tables/table7.toml")),
];

impl PaperTable {
    /// The tables of the paper, in its order.
    ///
    /// # Errors
    ///
    /// Those of [`PaperTable::parse`]; the crate's tests see to it that there is none.
    pub fn all() -> Result<Vec<Self>> {
        FILES.iter().map(|(file, text)| Self::parse(file, text)).collect()
    }

    /// Reads a table from TOML; `file` is for messages.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if it is no table, [`Error::Duplicate`] for rows or columns of one name, and what a row or
    /// column can have wrong: [`Error::Noise`], [`Error::Published`], [`Error::Control`], [`Error::Method`],
    /// [`Error::Data`].
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let read: TableFile = toml::from_str(text).map_err(|source: toml::de::Error| Error::Malformed {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
        let TableFile { id, title, measure, notes, columns, rows } = read;
        refuse_duplicates(file, "column", columns.iter().map(|column| column.title.as_str()))?;
        refuse_duplicates(file, "row", rows.iter().map(|row| row.name.as_str()))?;
        for column in &columns {
            if let Some(noise) = column.noise.filter(|noise| !(noise.is_finite() && *noise > 0.0)) {
                return Err(Error::Noise { file: file.to_owned(), column: column.title.clone(), noise });
            }
        }
        for row in &rows {
            if let Some(control) = &row.control
                && !rows.iter().any(|other| other.name == *control && other.name != row.name)
            {
                let (row, control) = (row.name.clone(), control.clone());
                return Err(Error::Control { file: file.to_owned(), row, control });
            }
        }
        let rows = rows.into_iter().map(|row| row.resolve(file, &columns)).collect::<Result<_>>()?;
        Ok(Self { id, title, measure, notes, columns, rows })
    }
}

impl PaperCell {
    /// The run whose result stands here, if there is one.
    pub fn run(&self) -> Option<&PaperRun> {
        match &self.plan {
            CellPlan::Run(run) => Some(run),
            CellPlan::NotBuilt(_) => None,
        }
    }
}

impl PaperRun {
    /// The preset's name, `data/method+part`.
    pub fn preset(&self) -> String {
        format!("{}/{}", self.data, self.method)
    }
}

/// A table as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    id: String,
    title: String,
    measure: String,
    #[serde(default)]
    notes: Vec<String>,
    columns: Vec<PaperColumn>,
    rows: Vec<RowOfFile>,
}

/// A row as its file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowOfFile {
    name: String,
    method: Option<String>,
    not_built: Option<String>,
    data: Option<String>,
    /// One a column, NaN for none; empty for a row that the paper does not have.
    #[serde(default)]
    published: Vec<f64>,
    source: Option<String>,
    control: Option<String>,
    note: Option<String>,
}

impl RowOfFile {
    /// The row with what stands in each of its cells.
    fn resolve(self, file: &str, columns: &[PaperColumn]) -> Result<PaperRow> {
        let Self { name, method, not_built, data, published, source, control, note } = self;
        let (expected, found) = (columns.len(), published.len());
        if found != 0 && found != expected {
            return Err(Error::Published { file: file.to_owned(), row: name, expected, found });
        }
        let method_or_reason = match (&method, &not_built) {
            (Some(method), None) => Ok(method),
            (None, Some(reason)) => Err(reason),
            (method, _) => {
                return Err(Error::Method { file: file.to_owned(), row: name, both: method.is_some() });
            }
        };
        let mut published = published.into_iter();
        let mut cells = vec![];
        for column in columns {
            let plan = if let Some(reason) = &column.not_built {
                CellPlan::NotBuilt(method_or_reason.err().unwrap_or(reason).clone())
            } else {
                let data = match (&data, &column.data) {
                    (Some(data), None) | (None, Some(data)) => data.clone(),
                    (data, _) => {
                        let (column, both) = (column.title.clone(), data.is_some());
                        return Err(Error::Data { file: file.to_owned(), row: name, column, both });
                    }
                };
                match method_or_reason {
                    Ok(method) => {
                        let method = match &column.part {
                            Some(part) => format!("{method}+{part}"),
                            None => method.clone(),
                        };
                        CellPlan::Run(PaperRun { data, method, noise: column.noise })
                    }
                    Err(reason) => CellPlan::NotBuilt(reason.clone()),
                }
            };
            cells.push(PaperCell { published: published.next().filter(|figure| !figure.is_nan()), plan });
        }
        Ok(PaperRow { name, method, not_built, source, control, note, cells })
    }
}
