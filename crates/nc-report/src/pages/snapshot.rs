//! Final state: geometry, per-class accuracy, calibration.

use std::fmt::Write;

use nc_metrics::{Accuracy, Calibration, NeuralCollapse, Projection, largest_min_angle_degrees};

use crate::{
    Result,
    charts::{COLORS, Cells, ClassBars, Curves, Drawing, HeatMap, Scale, Series, plane, reliability},
    html::escape,
    pages::figures::figure_rows,
};

/// Measurements of trained features.
pub(crate) struct Snapshot<'a> {
    pub(crate) train: &'a NeuralCollapse,
    pub(crate) test: Option<&'a NeuralCollapse>,
    /// Split of `accuracy` and `calibration`: "test", or "training" without test samples.
    pub(crate) decided: &'a str,
    pub(crate) accuracy: Option<&'a Accuracy>,
    pub(crate) calibration: Option<&'a Calibration>,
    /// Training samples of each class (K).
    pub(crate) class_counts: &'a [usize],
    pub(crate) projection: Option<&'a Projection>,
}

impl Snapshot<'_> {
    /// Drawings with titles.
    pub(crate) fn drawings(&self) -> Result<Vec<(&'static str, Drawing)>> {
        let drawings = [
            ("Angles between class means, degrees", self.angles()?),
            (
                "Norms of centred class means",
                norms(&[("training".into(), self.train, 0)], self.class_counts)?,
            ),
            ("Features in the plane", self.projection.map_or(Ok(None), plane)?),
            ("Accuracy by class", self.accuracy.map_or(Ok(None), |accuracy| self.bars(accuracy))?),
            ("Confusion", self.accuracy.map_or(Ok(None), |accuracy| self.confusion(accuracy))?),
            (
                "Reliability",
                self.calibration.map_or(Ok(None), |calibration| reliability(calibration, self.decided))?,
            ),
        ];
        Ok(drawings.into_iter().filter_map(|(title, drawing)| Some((title, drawing?))).collect())
    }

    fn angles(&self) -> Result<Option<Drawing>> {
        angles(self.train, self.class_counts)
    }

    fn bars(&self, accuracy: &Accuracy) -> Result<Option<Drawing>> {
        let order = by_size(self.class_counts);
        ClassBars {
            set: self.decided,
            classes: &names(&order),
            counts: &order.iter().map(|&class| self.class_counts[class]).collect::<Vec<_>>(),
            accuracy: &order.iter().map(|&class| accuracy.per_class[class]).collect::<Vec<_>>(),
        }
        .draw()
    }

    fn confusion(&self, accuracy: &Accuracy) -> Result<Option<Drawing>> {
        if accuracy.confusion.is_empty() {
            return Ok(None);
        }
        let order = by_size(self.class_counts);
        let row = |&class: &usize| {
            let row = &accuracy.confusion[class];
            let total = row.iter().map(|&n| n as f64).sum::<f64>().max(1.0);
            order.iter().map(|&other| row[other] as f64 / total).collect()
        };
        HeatMap {
            label: &format!("share of each class's {} samples by predicted class", self.decided),
            classes: &names(&order),
            values: &order.iter().map(row).collect::<Vec<Vec<f64>>>(),
            range: (0.0, 1.0),
            cells: Cells::Shares,
            mark: None,
            axes: Some((
                &format!("{} samples by true class, largest first", self.decided),
                "predicted class, % of true class",
            )),
        }
        .draw()
    }

    /// The metrics as an HTML table.
    pub(crate) fn table(&self) -> String {
        let show = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.4}"));
        let test_title = if self.test.is_some() { "<th>test</th>" } else { "" };
        let mut out = format!(
            "<div class=\"wide\"><table>\n<tr><th>metric</th><th>training</th>{test_title}<th>at collapse</th>\
             <th class=\"name\">name in JSON</th></tr>\n"
        );
        for row in figure_rows(self.train, self.test) {
            let test =
                if self.test.is_some() { format!("<td>{}</td>", show(row.test)) } else { String::new() };
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td>{}</td>{test}<td>{}</td><td class=\"name\"><code>{}</code></td></tr>",
                escape(row.title),
                show(row.train),
                row.ideal,
                row.key
            );
        }
        out.push_str("</table></div>\n");
        out
    }

    /// A remark if the simplex ETF does not exist in the feature dimension.
    pub(crate) fn remark(&self) -> Option<String> {
        let (classes, dims) = (self.train.classes.len(), self.train.dims);
        let optimum = match optimum(self.train) {
            Some(degrees) => format!("the minimum angle is at most {degrees:.1} degrees"),
            None => "the minimum angle is below 90 degrees".into(),
        };
        (!self.train.etf_exists).then(|| {
            format!(
                "A simplex ETF of {classes} classes does not exist in {dims} dimensions (it needs {}): {optimum}. NC2 \
                 and NC3 metrics relative to the ETF cannot reach their values at collapse.",
                classes - 1
            )
        })
    }
}

/// Classes sorted by size, largest first, then by label.
pub(crate) fn by_size(class_counts: &[usize]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..class_counts.len()).collect();
    classes.sort_by_key(|&class| std::cmp::Reverse(class_counts[class]));
    classes
}

pub(crate) fn names(classes: &[usize]) -> Vec<String> {
    classes.iter().map(ToString::to_string).collect()
}

/// Classes with a mean, sorted by size, and their row in `nc`.
fn rows_by_size(nc: &NeuralCollapse, class_counts: &[usize]) -> Vec<(usize, usize)> {
    let row = |class: usize| nc.classes.iter().position(|&present| present as usize == class);
    by_size(class_counts).into_iter().filter_map(|class| Some((class, row(class)?))).collect()
}

/// Largest achievable minimum angle in degrees. Computed here because old records do not have it.
pub(crate) fn optimum(nc: &NeuralCollapse) -> Option<f64> {
    largest_min_angle_degrees(nc.classes.len(), nc.dims)
}

/// Pairwise angles between class means (Figure 2 of Liu et al. 2023).
pub(crate) fn angles(nc: &NeuralCollapse, class_counts: &[usize]) -> Result<Option<Drawing>> {
    let cosines = &nc.nc2.centered_means.cosines;
    if cosines.is_empty() {
        return Ok(None);
    }
    let rows = rows_by_size(nc, class_counts);
    let angle = |i: usize, j: usize| cosines[i][j].clamp(-1.0, 1.0).acos().to_degrees();
    let values = rows.iter().map(|&(_, i)| rows.iter().map(|&(_, j)| angle(i, j)).collect());
    let drawing = HeatMap {
        label: "pairwise angles between centred class means, largest class first",
        classes: &names(&rows.iter().map(|&(class, _)| class).collect::<Vec<_>>()),
        values: &values.collect::<Vec<Vec<f64>>>(),
        range: (0.0, optimum(nc).unwrap_or_default().max(120.0)),
        cells: Cells::Degrees,
        mark: optimum(nc),
        axes: None,
    }
    .draw()?;
    let means = &nc.nc2.centered_means;
    let show = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.1}°"));
    Ok(drawing.map(|drawing| {
        drawing.with_caption(&format!(
            "Classes sorted by size, largest first. Mean nearest angle {}, smallest {}, optimum {}.",
            show(means.mean_nearest_angle_degrees),
            show(means.min_angle_degrees),
            show(optimum(nc))
        ))
    }))
}

/// Norms of centred class means relative to their mean, by class size (Figure 3), for runs with name and colour index.
pub(crate) fn norms(
    runs: &[(String, &NeuralCollapse, usize)],
    class_counts: &[usize],
) -> Result<Option<Drawing>> {
    let line = |(name, nc, hue): &(String, &NeuralCollapse, usize)| {
        let norms: Vec<f64> = rows_by_size(nc, class_counts)
            .into_iter()
            .map(|(_, row)| nc.nc2.centered_means.norms[row])
            .collect();
        let mean = norms.iter().sum::<f64>() / norms.len().max(1) as f64;
        let spread = nc.nc2.centered_means.equinorm_cov;
        let spread = spread.map_or_else(String::new, |spread| format!(" (spread {spread:.3})"));
        Series {
            name: format!("{name}{spread}"),
            points: norms.iter().enumerate().map(|(i, norm)| ((i + 1) as f64, norm / mean)).collect(),
            hue: *hue,
            dashed: *hue >= COLORS,
        }
    };
    Curves {
        label: "norms of centred class means relative to their mean, largest class first",
        x_title: "class, largest first",
        y_title: "norm / mean norm",
        scale: Scale::Linear,
        series: runs.iter().map(line).collect(),
        x_range: None,
        marks: &[],
        reference: Some((1.0, "")),
    }
    .draw()
}
