use serde::Deserialize;

use crate::{Error, Result, error::refuse_duplicates};

/// A figure of the paper and the runs it is drawn from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperFigure {
    /// Number in the paper.
    pub id: String,
    /// Title.
    pub title: String,
    /// Quantity drawn.
    pub kind: FigureKind,
    /// Notes on the whole figure.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Groups of series.
    pub groups: Vec<FigureGroup>,
}

/// Quantity drawn in a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FigureKind {
    /// Pairwise angles between centred class means in degrees, classes sorted by size.
    Angles,
    /// Norms of centred class means, classes sorted by size.
    Norms,
}

/// Series drawn in one chart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureGroup {
    /// Title.
    pub title: String,
    /// Series, one per run.
    pub series: Vec<FigureSeries>,
}

/// A series of a figure, from one run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FigureSeries {
    /// Name in the figure.
    pub name: String,
    /// Data set of the preset.
    pub data: String,
    /// Method of the preset, with its parts.
    pub method: String,
    /// Note on the series.
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
    /// Those of [`PaperFigure::parse`]; the crate's tests ensure that none occurs.
    pub fn all() -> Result<Vec<Self>> {
        FILES.iter().map(|(file, text)| Self::parse(file, text)).collect()
    }

    /// Parses a figure from TOML; `file` is its name in error messages.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`]; [`Error::Duplicate`] for duplicate names of groups, or of series in a group.
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
