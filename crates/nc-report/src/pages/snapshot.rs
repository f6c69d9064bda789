//! Final state: geometry, per-class accuracy, calibration.

use std::fmt::Write;

use nc_metrics::{Accuracy, Calibration, NeuralCollapse, Projection, largest_min_angle_degrees};

use crate::{
    Result,
    charts::{Cells, ClassBars, Curves, Drawing, HeatMap, Series, X, plane, reliability},
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
    /// Class names (K), or empty.
    pub(crate) class_names: &'a [String],
    pub(crate) projection: Option<&'a Projection>,
}

type Titled = Vec<(&'static str, Drawing)>;

impl Snapshot<'_> {
    /// Accuracy by class and confusion.
    pub(crate) fn by_class(&self) -> Result<Titled> {
        let Some(accuracy) = self.accuracy else { return Ok(vec![]) };
        let order = by_size(self.class_counts);
        let names = named(&order, self.class_names);
        let bars = ClassBars {
            set: self.decided,
            classes: &names,
            counts: &order.iter().map(|&class| self.class_counts[class]).collect::<Vec<_>>(),
            accuracy: &order.iter().map(|&class| accuracy.per_class[class]).collect::<Vec<_>>(),
        };
        Ok(present([("Accuracy", bars.draw()?), ("Confusion", self.confusion(accuracy, &order, &names)?)]))
    }

    fn confusion(&self, accuracy: &Accuracy, order: &[usize], names: &[String]) -> Result<Option<Drawing>> {
        if accuracy.confusion.is_empty() {
            return Ok(None);
        }
        let row = |&class: &usize| {
            let row = &accuracy.confusion[class];
            // Not a number for classes without samples.
            let total = row.iter().map(|&n| n as f64).sum::<f64>();
            order.iter().map(|&other| row[other] as f64 / total).collect()
        };
        HeatMap {
            label: &format!("share of each class's {} samples by predicted class", self.decided),
            classes: names,
            values: &order.iter().map(row).collect::<Vec<Vec<f64>>>(),
            cells: Cells::Shares,
            axes: Some(("true class, largest first", "predicted class, % of the true class")),
        }
        .draw()
    }

    /// Angles, features in the plane and norms.
    pub(crate) fn geometry(&self) -> Result<Titled> {
        let name = |class: usize| class_name(class, self.class_names);
        Ok(present([
            ("Angles between class means", angles(self.train, self.class_counts, self.class_names, None)?),
            (
                "Principal components of the features",
                self.projection.map_or(Ok(None), |projection| plane(projection, &name))?,
            ),
            ("Norms of centred class means", self.norms()?),
        ]))
    }

    fn norms(&self) -> Result<Option<Drawing>> {
        let line = norms_by_size(self.train, self.class_counts);
        let names = names_by_size(self.train, self.class_counts, self.class_names);
        let drawing = norms(
            vec![Series { name: "training".into(), points: line, ..Series::default() }],
            &names,
            false,
        )?;
        let spread = self.train.nc2.centered_means.equinorm_cov;
        let spread = spread.map_or_else(|| "–".into(), |spread| format!("{spread:.3}"));
        Ok(drawing.map(|drawing| {
            drawing.with_caption(&format!(
                "At collapse all norms are equal: the standard deviation over the mean, here {spread}, is 0."
            ))
        }))
    }

    /// The reliability diagram.
    pub(crate) fn calibration(&self) -> Result<Titled> {
        let drawing =
            self.calibration.map_or(Ok(None), |calibration| reliability(calibration, self.decided))?;
        Ok(present([("Reliability", drawing)]))
    }

    /// The metrics as an HTML table.
    pub(crate) fn table(&self) -> String {
        let show = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.4}"));
        let test_title = if self.test.is_some() { "<th>test</th>" } else { "" };
        let mut out = format!(
            "<div class=\"wide\"><table class=\"sortable\">\n<thead><tr><th>metric</th><th>training</th>{test_title}<th>at collapse</th>\
             <th class=\"text key\">name in JSON</th></tr></thead>\n"
        );
        for row in figure_rows(self.train, self.test) {
            let test =
                if self.test.is_some() { format!("<td>{}</td>", show(row.test)) } else { String::new() };
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td>{}</td>{test}<td>{}</td><td class=\"text key\"><code>{}</code></td></tr>",
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

/// The name of a class, or its number if names are unknown.
pub(crate) fn class_name(class: usize, names: &[String]) -> String {
    names.get(class).cloned().unwrap_or_else(|| class.to_string())
}

pub(crate) fn named(classes: &[usize], names: &[String]) -> Vec<String> {
    classes.iter().map(|&class| class_name(class, names)).collect()
}

fn present<const N: usize>(drawings: [(&'static str, Option<Drawing>); N]) -> Titled {
    drawings.into_iter().filter_map(|(title, drawing)| Some((title, drawing?))).collect()
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

/// Names of the classes with a mean, sorted by size.
pub(crate) fn names_by_size(nc: &NeuralCollapse, class_counts: &[usize], names: &[String]) -> Vec<String> {
    rows_by_size(nc, class_counts).into_iter().map(|(class, _)| class_name(class, names)).collect()
}

/// Largest distance of a pairwise angle between class means from the ideal angle, or 90 degrees if that is unknown.
pub(crate) fn angle_reach(nc: &NeuralCollapse) -> f64 {
    let ideal = optimum(nc).unwrap_or(90.0);
    let rows = nc.nc2.centered_means.cosines.iter().enumerate();
    let pairs = rows.flat_map(|(i, row)| row.iter().enumerate().filter(move |&(j, _)| i != j));
    pairs.map(|(_, cosine)| (cosine.clamp(-1.0, 1.0).acos().to_degrees() - ideal).abs()).fold(0.0, f64::max)
}

/// Pairwise angles between class means (Figure 2 of Liu et al. 2023). Colours reach to `reach` degrees from the ideal
/// angle, by default to the farthest angle.
pub(crate) fn angles(
    nc: &NeuralCollapse,
    class_counts: &[usize],
    class_names: &[String],
    reach: Option<f64>,
) -> Result<Option<Drawing>> {
    let cosines = &nc.nc2.centered_means.cosines;
    if cosines.is_empty() {
        return Ok(None);
    }
    let rows = rows_by_size(nc, class_counts);
    let angle = |i: usize, j: usize| cosines[i][j].clamp(-1.0, 1.0).acos().to_degrees();
    let values = rows.iter().map(|&(_, i)| rows.iter().map(|&(_, j)| angle(i, j)).collect());
    let drawing = HeatMap {
        label: "pairwise angles between centred class means, largest class first",
        classes: &names_by_size(nc, class_counts, class_names),
        values: &values.collect::<Vec<Vec<f64>>>(),
        cells: Cells::Degrees { ideal: optimum(nc), reach },
        axes: None,
    }
    .draw()?;
    let means = &nc.nc2.centered_means;
    let show = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.1}°"));
    Ok(drawing.map(|drawing| {
        let closer = match optimum(nc) {
            Some(ideal) => format!("the ideal of {ideal:.1}°"),
            None => "90° (the ideal for this many classes is unknown)".into(),
        };
        drawing.with_caption(&format!(
            "Degrees, largest class first; blue pairs are closer than {closer}. The mean nearest angle is {}, the smallest {}.",
            show(means.mean_nearest_angle_degrees),
            show(means.min_angle_degrees),
        ))
    }))
}

/// Norms of centred class means relative to their mean, by class size (Figure 3): points of a chart.
pub(crate) fn norms_by_size(nc: &NeuralCollapse, class_counts: &[usize]) -> Vec<(f64, f64)> {
    let rows = rows_by_size(nc, class_counts);
    let norms: Vec<f64> = rows.iter().map(|&(_, row)| nc.nc2.centered_means.norms[row]).collect();
    let mean = norms.iter().sum::<f64>() / norms.len().max(1) as f64;
    norms.iter().enumerate().map(|(place, norm)| (place as f64, norm / mean)).collect()
}

/// Draws norms by class.
pub(crate) fn norms(series: Vec<Series>, names: &[String], unnamed: bool) -> Result<Option<Drawing>> {
    Curves {
        label: "norms of centred class means relative to their mean, largest class first",
        x: X::Classes(names),
        y_title: "norm / mean norm",
        series,
        reference: Some((1.0, "")),
        unnamed,
        ..Curves::default()
    }
    .draw()
}
