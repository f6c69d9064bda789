use serde::Deserialize;

use crate::{Error, Result, error::refuse_duplicates};

/// A table of the paper, with additional rows for controls and variants, or the table of methods beyond it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperTable {
    /// Number in the paper; a name for a table that is not in it.
    pub id: String,
    /// Title.
    pub title: String,
    /// Metric and unit.
    pub measure: String,
    /// Notes on the whole table.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Columns, in the paper's order.
    pub columns: Vec<PaperColumn>,
    /// Rows of the paper in its order, then controls and variants.
    pub rows: Vec<PaperRow>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperColumn {
    /// Title.
    pub title: String,
    /// Data set of the presets; none if the rows name it.
    pub data: Option<String>,
    /// Part added to the methods of the rows.
    pub part: Option<String>,
    /// Shot group of the accuracy; none for all classes.
    pub shots: Option<Shots>,
    /// Standard deviation of the Gaussian noise added to the normalised test images; none for no noise.
    pub noise: Option<f64>,
}

/// Classes by their number of training images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shots {
    /// More than 100.
    Many,
    /// 20 to 100.
    Medium,
    /// Fewer than 20.
    Few,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperRow {
    /// Name.
    pub name: String,
    /// Method of the preset, with its parts.
    pub method: String,
    /// Data set of the presets, unless the columns name it.
    data: Option<String>,
    /// Whether the figures are of the moving average of the weights.
    #[serde(default)]
    averaged: bool,
    /// One figure per column, NaN for none; empty for rows that are not in the paper.
    #[serde(default)]
    published: Vec<f64>,
    /// Source of the published figures.
    pub source: Option<String>,
    /// Name of the control row, the baseline of the gain.
    pub control: Option<String>,
    /// Note on the row.
    pub note: Option<String>,
    /// One cell per column.
    #[serde(skip)]
    pub cells: Vec<PaperCell>,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct PaperCell {
    /// Published figure, if any.
    pub published: Option<f64>,
    /// Our run to compare with.
    pub run: PaperRun,
}

/// The run of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct PaperRun {
    /// Data set of the preset.
    pub data: String,
    /// Method of the preset, with its parts.
    pub method: String,
    /// Shot group of the accuracy; none for all classes.
    pub shots: Option<Shots>,
    /// Standard deviation of the Gaussian noise added to the normalised test images; none for no noise.
    pub noise: Option<f64>,
    /// Whether the accuracy is that of the moving average of the weights.
    pub averaged: bool,
}

/// Path and text of each table's file.
const FILES: [(&str, &str); 7] = [
    ("tables/table2.toml", include_str!("../tables/table2.toml")),
    ("tables/table3.toml", include_str!("../tables/table3.toml")),
    ("tables/table4.toml", include_str!("../tables/table4.toml")),
    ("tables/table5.toml", include_str!("../tables/table5.toml")),
    ("tables/table6.toml", include_str!("../tables/table6.toml")),
    ("tables/table7.toml", include_str!("../tables/table7.toml")),
    ("tables/beyond.toml", include_str!("../tables/beyond.toml")),
];

impl PaperTable {
    /// The tables of the paper, in its order, then that of methods beyond it.
    ///
    /// # Errors
    ///
    /// Those of [`PaperTable::parse`]; the crate's tests ensure that none occurs.
    pub fn all() -> Result<Vec<Self>> {
        FILES.iter().map(|(file, text)| Self::parse(file, text)).collect()
    }

    /// Parses a table from TOML; `file` is its name in error messages.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] for invalid TOML, [`Error::Duplicate`] for duplicate row or column names, and for invalid
    /// rows and columns [`Error::Noise`], [`Error::NoisyShots`], [`Error::Published`], [`Error::Control`], [`Error::Data`].
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let mut table: Self = toml::from_str(text).map_err(|source: toml::de::Error| Error::Malformed {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
        let (columns, rows) = (&table.columns, &mut table.rows);
        refuse_duplicates(file, "column", columns.iter().map(|column| column.title.as_str()))?;
        refuse_duplicates(file, "row", rows.iter().map(|row| row.name.as_str()))?;
        for column in columns {
            if let Some(noise) = column.noise.filter(|noise| !(noise.is_finite() && *noise > 0.0)) {
                return Err(Error::Noise { file: file.to_owned(), column: column.title.clone(), noise });
            }
            if column.noise.is_some() && column.shots.is_some() {
                return Err(Error::NoisyShots { file: file.to_owned(), column: column.title.clone() });
            }
        }
        for row in &*rows {
            if let Some(control) = &row.control
                && !rows.iter().any(|other| other.name == *control && other.name != row.name)
            {
                let (row, control) = (row.name.clone(), control.clone());
                return Err(Error::Control { file: file.to_owned(), row, control });
            }
        }
        for row in rows {
            row.resolve(file, columns)?;
        }
        Ok(table)
    }
}

impl PaperRun {
    /// The preset's name, `data/method+part`.
    pub fn preset(&self) -> String {
        format!("{}/{}", self.data, self.method)
    }

    /// Whether the run trains on ImageNet-LT, which must be obtained by hand.
    pub fn is_on_imagenet_lt(&self) -> bool {
        self.data == "imagenet-lt"
    }
}

impl PaperRow {
    /// Combines the row with the columns into cells.
    fn resolve(&mut self, file: &str, columns: &[PaperColumn]) -> Result<()> {
        let published = std::mem::take(&mut self.published);
        let Self { method, data, averaged, .. } = &*self;
        let (file, row) = (|| file.to_owned(), || self.name.clone());
        let (expected, found) = (columns.len(), published.len());
        if found != 0 && found != expected {
            return Err(Error::Published { file: file(), row: row(), expected, found });
        }
        let mut published = published.into_iter();
        let mut cells = vec![];
        for column in columns {
            let data = match (data, &column.data) {
                (Some(data), None) | (None, Some(data)) => data.clone(),
                (data, _) => {
                    let (column, both) = (column.title.clone(), data.is_some());
                    return Err(Error::Data { file: file(), row: row(), column, both });
                }
            };
            let method = match &column.part {
                Some(part) => format!("{method}+{part}"),
                None => method.clone(),
            };
            let run =
                PaperRun { data, method, shots: column.shots, noise: column.noise, averaged: *averaged };
            cells.push(PaperCell { published: published.next().filter(|figure| !figure.is_nan()), run });
        }
        self.cells = cells;
        Ok(())
    }
}
