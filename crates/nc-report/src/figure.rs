use nc_metrics::etf_angle_degrees;
use serde::Serialize;

use crate::Provenance;

/// A figure of a publication, drawn from runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Its number in the publication.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// How the runs were shortened, if they were.
    pub scale: String,
    /// Remarks.
    pub notes: Vec<String>,
    /// What is drawn.
    pub panels: Panels,
}

impl Figure {
    /// The runs it is drawn from, with what they are called in it.
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

/// What is drawn.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Panels {
    /// Angles between centred class means.
    Angles {
        /// One map a method.
        maps: Vec<AngleMap>,
    },
    /// Norms of centred class means.
    Norms {
        /// One chart a data set.
        groups: Vec<NormGroup>,
    },
}

/// Angles between all pairs of centred class means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AngleMap {
    /// The method.
    pub name: String,
    /// Names of the classes, the largest first.
    pub classes: Vec<String>,
    /// In degrees, (K, K), in that order; empty if there is no run.
    pub degrees: Vec<Vec<f64>>,
    /// How the run was done.
    pub provenance: Option<Provenance>,
}

impl AngleMap {
    /// arccos(-1/(K-1)): what all angles are at collapse, where the features have K - 1 dimensions or more.
    pub(crate) fn optimum_degrees(&self) -> Option<f64> {
        etf_angle_degrees(self.classes.len())
    }
}

/// Norms of centred class means on one data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NormGroup {
    /// The data set.
    pub title: String,
    /// One a setting.
    pub series: Vec<NormSeries>,
}

/// Norms of centred class means of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NormSeries {
    /// The setting.
    pub name: String,
    /// Names of the classes, the largest first.
    pub classes: Vec<String>,
    /// One a class, in that order; empty if there is no run.
    pub norms: Vec<f64>,
    /// How the run was done.
    pub provenance: Option<Provenance>,
}

/// The angles of each class to the others.
fn others(degrees: &[Vec<f64>]) -> impl Iterator<Item = impl Iterator<Item = f64>> {
    degrees.iter().enumerate().map(|(class, row)| {
        row.iter().enumerate().filter(move |&(other, _)| other != class).map(|(_, &angle)| angle)
    })
}

/// Mean over classes of the angle to the nearest other one.
pub(crate) fn mean_nearest(degrees: &[Vec<f64>]) -> Option<f64> {
    let nearest: Option<Vec<f64>> = others(degrees).map(|row| row.min_by(f64::total_cmp)).collect();
    let nearest = nearest.filter(|nearest| !nearest.is_empty())?;
    Some(nearest.iter().sum::<f64>() / nearest.len() as f64)
}

/// The smallest angle of all.
pub(crate) fn smallest(degrees: &[Vec<f64>]) -> Option<f64> {
    others(degrees).flatten().min_by(f64::total_cmp)
}

/// Population standard deviation over mean.
pub(crate) fn spread(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    (mean != 0.0 && !values.is_empty()).then(|| variance.sqrt() / mean)
}
