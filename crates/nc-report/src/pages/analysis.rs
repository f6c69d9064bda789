//! Report of a feature set.

use std::fmt::Write;

use nc_metrics::{Analysis, ClassMeans, Projection};
use serde::Serialize;

use crate::{
    Error, Result,
    html::{document, escape, figures, folded},
    pages::{
        accuracy::{AccuracyRow, accuracy_rows},
        consistency::check_analysis,
        snapshot::Snapshot,
        tiles::tiles,
    },
};

/// Measurements of a feature set.
#[derive(Clone, Copy, Debug)]
pub struct AnalysisReport<'a> {
    /// Name of the feature set.
    pub name: &'a str,
    /// Metrics.
    pub analysis: &'a Analysis,
    /// Training samples of each class (K).
    pub class_counts: &'a [usize],
    /// Class names (K).
    pub class_names: Option<&'a [String]>,
    /// 2-D projection of the training features.
    pub projection: Option<&'a Projection>,
}

impl AnalysisReport<'_> {
    /// Renders a self-contained HTML page.
    ///
    /// # Errors
    ///
    /// [`Error::Analysis`] if the fields are inconsistent, [`Error::Drawing`].
    pub fn to_html(&self) -> Result<String> {
        check_analysis(self.analysis, self.class_counts, self.projection)
            .map_err(|reason| Error::Analysis { name: self.name.into(), reason })?;
        let Analysis { train, test } = self.analysis;
        let decided = test.as_ref().unwrap_or(train);
        let snapshot = Snapshot {
            train: &train.nc,
            test: test.as_ref().map(|test| &test.nc),
            decided: if test.is_some() { "test" } else { "training" },
            accuracy: decided.accuracy.as_ref(),
            calibration: decided.calibration.as_ref(),
            class_counts: self.class_counts,
            class_names: self.class_names.unwrap_or_default(),
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
        if !train.nc.absent_classes.is_empty() {
            let _ = writeln!(
                body,
                "<p>Classes without training features (omitted): {}.</p>",
                escape(&class_list(&train.nc.absent_classes, self.class_names))
            );
        }
        if let Some(accuracy) = &decided.accuracy {
            let names = self.class_names.unwrap_or_default();
            body.push_str(&tiles(accuracy, decided.calibration.as_ref(), names, snapshot.decided));
        }
        figures(&mut body, "Accuracy by class", "", &snapshot.by_class()?);
        let remark = snapshot.remark().unwrap_or_default();
        figures(&mut body, "Geometry of the training features", &remark, &snapshot.geometry()?);
        figures(&mut body, "Calibration", "", &snapshot.calibration()?);
        let _ = write!(body, "<section>\n<h2>Neural-collapse metrics</h2>\n{}</section>\n", snapshot.table());
        body.push_str("<section>\n<h2>Details</h2>\n");
        folded(
            &mut body,
            "Accuracy and calibration",
            &decisions(&accuracy_rows(self.analysis), test.is_some()),
        );
        folded(&mut body, "All classes", &self.classes());
        body.push_str("</section>\n");
        Ok(document(self.name, &body))
    }

    /// A table of class names; empty if unknown.
    fn classes(&self) -> String {
        let Some(names) = self.class_names else { return String::new() };
        let row = |(class, (name, count)): (usize, (&String, &usize))| {
            format!("<tr><td>{class}</td><td class=\"text\">{}</td><td>{count}</td></tr>\n", escape(name))
        };
        let rows: String = names.iter().zip(self.class_counts).enumerate().map(row).collect();
        format!(
            "<div class=\"wide\"><table class=\"sortable\">\n<thead><tr><th>class</th><th class=\"text\">name</th>\
             <th>training samples</th></tr></thead>\n{rows}</table></div>\n"
        )
    }

    /// Serialises all metrics as JSON, with `class_means` (of classes with samples), `mean_of_class_means`,
    /// `global_mean`, `class_names` and the classifier's `predictions` for the training features.
    ///
    /// # Errors
    ///
    /// [`Error::Json`].
    pub fn to_json(&self, means: &ClassMeans, predictions: Option<&[u32]>) -> Result<String> {
        Ok(serde_json::to_string(&Json {
            analysis: self.analysis,
            class_means: means.means().chunks_exact(means.dims()).collect(),
            mean_of_class_means: means.mean_of_class_means(),
            global_mean: means.global_mean(),
            class_names: self.class_names,
            predictions,
        })?)
    }
}

/// Output of [`AnalysisReport::to_json`].
#[derive(Serialize)]
struct Json<'a> {
    #[serde(flatten)]
    analysis: &'a Analysis,
    class_means: Vec<&'a [f64]>,
    mean_of_class_means: &'a [f64],
    global_mean: &'a [f64],
    class_names: Option<&'a [String]>,
    predictions: Option<&'a [u32]>,
}

/// Formats classes with their names, if known: `3 (ant), 7 (bee)`.
pub fn class_list(classes: &[u32], names: Option<&[String]>) -> String {
    let name = |&class: &u32| match names.and_then(|names| names.get(class as usize)) {
        Some(name) => format!("{class} ({name})"),
        None => class.to_string(),
    };
    classes.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// A table of accuracy and calibration; empty without a classifier.
fn decisions(rows: &[AccuracyRow], with_test: bool) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let cell = |share: Option<f64>| {
        share.map_or_else(|| "<td>–</td>".into(), |share| format!("<td>{:.2} %</td>", 100.0 * share))
    };
    let test = |cell: String| if with_test { cell } else { String::new() };
    let mut out = format!(
        "<div class=\"wide\"><table>\n<thead><tr><th></th><th>training</th>{}</tr></thead>\n",
        test("<th>test</th>".into())
    );
    for row in rows {
        let _ = writeln!(
            out,
            "<tr><td>{}</td>{}{}</tr>",
            escape(row.title),
            cell(row.train),
            test(cell(row.test))
        );
    }
    out.push_str("</table></div>\n");
    out
}
