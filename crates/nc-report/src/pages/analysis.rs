//! A page about one feature set.

use std::fmt::Write;

use nc_metrics::{Analysis, Projection};

use crate::{
    Result,
    html::{document, escape, figures},
    pages::snapshot::Snapshot,
};

/// What was measured of a feature set.
#[derive(Clone, Copy, Debug)]
pub struct AnalysisReport<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Everything measured.
    pub analysis: &'a Analysis,
    /// Training samples of each class (K).
    pub class_counts: &'a [usize],
    /// Its training features in the plane.
    pub projection: Option<&'a Projection>,
}

impl AnalysisReport<'_> {
    /// One page that needs no network and no script.
    ///
    /// # Errors
    ///
    /// [`Error::Drawing`](crate::Error::Drawing).
    pub fn to_html(&self) -> Result<String> {
        let Analysis { train, test } = self.analysis;
        let decided = test.as_ref().unwrap_or(train);
        let snapshot = Snapshot {
            train: &train.nc,
            test: test.as_ref().map(|test| &test.nc),
            decided: if test.is_some() { "test" } else { "training" },
            accuracy: decided.accuracy.as_ref(),
            calibration: decided.calibration.as_ref(),
            class_counts: self.class_counts,
            projection: self.projection,
        };
        let samples =
            |name, measured: &nc_metrics::Measured| format!("{} {name} features", measured.nc.samples);
        let sets: Vec<String> =
            [Some(samples("training", train)), test.as_ref().map(|test| samples("test", test))]
                .into_iter()
                .flatten()
                .collect();
        let mut body = format!(
            "<h1>{}</h1>\n<p>{} of {} dimensions in {} classes.</p>\n",
            escape(self.name),
            sets.join(" and "),
            train.nc.dims,
            train.nc.classes.len()
        );
        if let Some(remark) = snapshot.remark() {
            let _ = writeln!(body, "<p>{}</p>", escape(&remark));
        }
        figures(&mut body, "Pictures", "", &snapshot.drawings()?);
        let _ =
            write!(body, "<section>\n<h2>Figures of neural collapse</h2>\n{}</section>\n", snapshot.table());
        Ok(document(self.name, &body))
    }
}
