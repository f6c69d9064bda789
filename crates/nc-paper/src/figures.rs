use serde::Deserialize;

use crate::{Error, Result, error::refuse_duplicates};

/// A figure of the paper: what is drawn of which runs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperFigure {
    /// Its number in the paper.
    pub id: String,
    /// What it shows, in a line.
    pub title: String,
    /// What is drawn of each run.
    pub kind: FigureKind,
    /// Remarks on the whole figure.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What is drawn together.
    pub groups: Vec<FigureGroup>,
}

/// What a figure draws of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FigureKind {
    /// The angle in degrees between the centred class means of each two classes, classes sorted by size.
    Angles,
    /// The norm of each class's centred mean, classes sorted by size.
    Norms,
}

/// Runs that are drawn together.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureGroup {
    /// What they have in common.
    pub title: String,
    /// One for each run.
    pub series: Vec<FigureSeries>,
}

/// A run of a figure.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureSeries {
    /// Its name in the figure.
    pub name: String,
    /// The preset's data set.
    pub data: String,
    /// The preset's method, with its parts.
    pub method: String,
    /// A remark on this run.
    pub note: Option<String>,
}

/// Path and text of each figure's file.
const FILES: [(&str, &str); 2] = [
    ("figures/figure2.toml", include_str!("../figures/figure2.toml")),
    ("figures/figure3.toml", include_str!("../figures/figure3.toml")),
];

impl PaperFigure {
    /// The figures of the paper, in its order.
    ///
    /// # Errors
    ///
    /// Those of [`PaperFigure::parse`]; the crate's tests see to it that there is none.
    pub fn all() -> Result<Vec<Self>> {
        FILES.iter().map(|(file, text)| Self::parse(file, text)).collect()
    }

    /// Reads a figure from TOML; `file` is for messages.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`], and [`Error::Duplicate`] for groups, or series of a group, of one name.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let figure: Self = toml::from_str(text).map_err(|source: toml::de::Error| Error::Malformed {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
        refuse_duplicates(file, "group", figure.groups.iter().map(|group| group.title.as_str()))?;
        for group in &figure.groups {
            refuse_duplicates(file, "series", group.series.iter().map(|series| series.name.as_str()))?;
        }
        Ok(figure)
    }
}

impl FigureSeries {
    /// The preset's name, `data/method+part`.
    pub fn preset(&self) -> String {
        format!("{}/{}", self.data, self.method)
    }
}
