use serde::Serialize;

use crate::Provenance;

/// A figure of a publication, drawn from runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Number in the publication.
    pub id: String,
    /// Title.
    pub title: String,
    /// Scale of the runs, such as a reduced number of epochs.
    pub scale: String,
    /// Notes.
    pub notes: Vec<String>,
    /// Panels.
    pub panels: Panels,
}

impl Figure {
    /// The runs with their names in the figure.
    pub(crate) fn runs(&self) -> Vec<(String, &Provenance)> {
        match &self.panels {
            Panels::Angles { maps } => {
                maps.iter().filter_map(|map| Some((map.name.clone(), map.provenance.as_ref()?))).collect()
            }
            Panels::Norms { groups } => {
                let series =
                    groups.iter().flat_map(|group| group.series.iter().map(move |series| (group, series)));
                series
                    .filter_map(|(group, series)| {
                        Some((format!("{}, {}", group.title, series.name), series.provenance.as_ref()?))
                    })
                    .collect()
            }
        }
    }
}

/// Panels of a figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Panels {
    /// Angles between centred class means.
    Angles {
        /// One map per method.
        maps: Vec<AngleMap>,
    },
    /// Norms of centred class means.
    Norms {
        /// One chart per data set.
        groups: Vec<NormGroup>,
    },
}

/// Angles between all pairs of centred class means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AngleMap {
    /// Method.
    pub name: String,
    /// Class names, largest class first.
    pub classes: Vec<String>,
    /// Angles in degrees (K, K), in the order of `classes`; empty without a run.
    pub degrees: Vec<Vec<f64>>,
    /// Largest possible smallest angle of this many class means in the feature dimension, in degrees, if known.
    pub ideal_degrees: Option<f64>,
    /// Provenance of the run.
    pub provenance: Option<Provenance>,
}

/// Norms of centred class means on one data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NormGroup {
    /// Data set.
    pub title: String,
    /// One series per setting.
    pub series: Vec<NormSeries>,
}

/// Norms of centred class means of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NormSeries {
    /// Setting.
    pub name: String,
    /// Class names, largest class first.
    pub classes: Vec<String>,
    /// Norms (K), in the order of `classes`; empty without a run.
    pub norms: Vec<f64>,
    /// Provenance of the run.
    pub provenance: Option<Provenance>,
}

/// The angles of each class to all other classes.
fn others(degrees: &[Vec<f64>]) -> impl Iterator<Item = impl Iterator<Item = f64>> {
    degrees.iter().enumerate().map(|(class, row)| {
        row.iter().enumerate().filter(move |&(other, _)| other != class).map(|(_, &angle)| angle)
    })
}

/// Mean over classes of the angle to the nearest other class.
pub(crate) fn mean_nearest(degrees: &[Vec<f64>]) -> Option<f64> {
    let nearest: Option<Vec<f64>> = others(degrees).map(|row| row.min_by(f64::total_cmp)).collect();
    let nearest = nearest.filter(|nearest| !nearest.is_empty())?;
    Some(nearest.iter().sum::<f64>() / nearest.len() as f64)
}

/// The smallest angle.
pub(crate) fn smallest(degrees: &[Vec<f64>]) -> Option<f64> {
    others(degrees).flatten().min_by(f64::total_cmp)
}

/// Coefficient of variation: population standard deviation / mean.
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    (mean != 0.0 && !values.is_empty()).then(|| variance.sqrt() / mean)
}
