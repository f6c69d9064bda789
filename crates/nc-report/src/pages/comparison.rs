//! Comparison of several runs.

use std::fmt::Write;

use nc_metrics::Accuracy;
use nc_record::EpochLosses;

use crate::{
    Error, Result,
    charts::{COLORS, Curves, Drawing, Mark, Scale, Series, Swatch, X, color, key, legend},
    html::{document, escape, figures, folded},
    pages::{
        figures::figure_rows,
        finished::{Finished, class_names},
        history::{Drawings, History, over_epochs},
        methods::{Method, difference, differing_settings, methods},
        ranking::Ranking,
        run::RunReport,
        snapshot::{angle_reach, angles, by_size, named, names_by_size, norms, norms_by_size},
    },
};

/// Renders a page that compares runs: seeds of one configuration are averaged; tables of results and of the settings
/// that differ; joint training curves with the range over seeds; class-mean angles side by side. Geometry is of training
/// features.
///
/// # Errors
///
/// [`Error::Unfinished`] if a run has no result, [`Error::Drawing`].
pub fn comparison_page(runs: &[RunReport]) -> Result<String> {
    if let Some(run) = runs.iter().find(|run| run.result.is_none()) {
        return Err(Error::Unfinished { run: run.directory.display().to_string() });
    }
    let (methods, repeated) = methods(runs);
    let title = match &methods[..] {
        [method] if method.runs.len() == 1 => method.runs[0].title(),
        [method] => format!("{} over its seeds", method.name),
        methods => format!("Comparison of {} methods", methods.len()),
    };
    let mut body = format!("<h1>{}</h1>\n", escape(&title));
    let swatch = |(index, method): (usize, &Method<'_>)| Swatch {
        index,
        color: color(index),
        dashed: index >= COLORS,
        name: method.name.clone(),
    };
    let swatches: Vec<Swatch> = methods.iter().enumerate().map(swatch).collect();
    let _ = writeln!(body, "<div class=\"legend\">{}</div>", legend(&swatches));
    if repeated > 0 {
        let _ = writeln!(
            body,
            "<p class=\"status\">{repeated} of the runs are copies of others and count once.</p>"
        );
    }
    let tests = || methods.iter().flat_map(Method::results).map(|result| &result.data.test_hash);
    let comparable = tests().all(|hash| Some(hash) == tests().next());
    if !comparable {
        body.push_str(
            "<p class=\"status\"><strong>Note:</strong> the runs have different test images, so that their accuracies cannot be \
             compared.</p>\n",
        );
    }
    if let Some(ranking) = Ranking::of_methods(&methods) {
        body.push_str(&ranking.html());
    }
    body.push_str(&results(&methods, comparable));
    body.push_str(&settings(&methods));
    let marks = common_marks(&methods);
    let several = methods.iter().any(|method| method.runs.len() > 1);
    let note = format!("{}{}", if several { "Bands show the range over seeds. " } else { "" }, key(&marks));
    figures(&mut body, "Training", note.trim(), &curves(&methods, &marks)?);
    figures(&mut body, "After training", "", &after_training(&methods)?);
    let mut maps: Vec<(&str, Drawing)> = vec![];
    let first_runs = methods.iter().map(|method| &method.first().nc.train);
    let reach = first_runs.map(angle_reach).fold(0.0, f64::max);
    for method in &methods {
        let result = method.first();
        let drawing = angles(&result.nc.train, &result.data.class_counts, class_names(result), Some(reach))?;
        maps.extend(drawing.map(|drawing| (method.name.as_str(), drawing)));
    }
    let of_first = if several {
        "Angles between class means, first seed of each method"
    } else {
        "Angles between class means"
    };
    figures(&mut body, of_first, "", &maps);
    body.push_str("<section>\n<h2>Details</h2>\n");
    folded(&mut body, "All neural-collapse metrics", &metrics(&methods));
    folded(&mut body, "Runs", &list(&methods));
    body.push_str("</section>\n");
    Ok(document(&title, &body))
}

/// Formats a value.
type Show<'a> = &'a dyn Fn(f64) -> String;

/// A table with a row per method.
fn results(methods: &[Method<'_>], comparable: bool) -> String {
    let accuracy = |of: fn(&Accuracy) -> Option<f64>| {
        methods.iter().map(|method| method.summary(|result| of(&result.accuracy))).collect::<Vec<_>>()
    };
    let percent = |value: f64| format!("{:.1}", 100.0 * value);
    let degrees = |value: f64| format!("{value:.1}");
    let number = |value: f64| format!("{value:.3}");
    // Title, values, formatting, and whether more is better (1), less is better (-1), or neither (0).
    let columns: [(&str, Vec<_>, Show<'_>, f64); 9] = [
        ("test accuracy, %", accuracy(|accuracy| Some(accuracy.top1)), &percent, 1.0),
        ("balanced", accuracy(|accuracy| Some(accuracy.balanced)), &percent, 1.0),
        ("many", accuracy(|accuracy| accuracy.many), &percent, 1.0),
        ("medium", accuracy(|accuracy| accuracy.medium), &percent, 1.0),
        ("few", accuracy(|accuracy| accuracy.few), &percent, 1.0),
        ("worst class", accuracy(|accuracy| accuracy.worst_class), &percent, 1.0),
        (
            "calibration error",
            methods.iter().map(|method| method.summary(|result| result.calibration.ece15)).collect(),
            &percent,
            -1.0,
        ),
        (
            "nearest angle",
            methods
                .iter()
                .map(|m| m.summary(|result| result.nc.train.nc2.centered_means.mean_nearest_angle_degrees))
                .collect(),
            &degrees,
            0.0,
        ),
        (
            "NC1",
            methods.iter().map(|m| m.summary(|result| result.nc.train.nc1.trace.class_weighted)).collect(),
            &number,
            0.0,
        ),
    ];
    let mut out =
        "<div class=\"wide\"><table class=\"sortable\">\n<thead><tr><th>method</th><th>seeds</th>".to_owned();
    for (index, (title, ..)) in columns.iter().enumerate() {
        let _ = write!(out, "<th>{title}</th>");
        if index == 0 {
            let _ = write!(out, "<th>difference to {}</th>", escape(&methods[0].name));
        }
    }
    out.push_str("</tr></thead>\n");
    for (row, method) in methods.iter().enumerate() {
        let _ = write!(out, "<tr><td>{}</td><td>{}</td>", escape(&method.name), method.runs.len());
        for (index, (_, values, show, sign)) in columns.iter().enumerate() {
            let signed = || values.iter().flatten().map(|value| sign * value.mean);
            let best = signed().fold(f64::MIN, f64::max);
            let differ = comparable && *sign != 0.0 && signed().any(|value| value < best);
            let (cell, bold) = match &values[row] {
                None => ("–".into(), false),
                Some(value) => {
                    let deviation = value.deviation.map_or_else(String::new, |d| format!(" ± {}", show(d)));
                    let bold = differ && sign * value.mean == best;
                    (format!("{}{deviation}", show(value.mean)), bold)
                }
            };
            let class = if bold { " class=\"best\"" } else { "" };
            let _ = write!(out, "<td{class}>{cell}</td>");
            if index == 0 {
                let _ = write!(
                    out,
                    "<td>{}</td>",
                    if row == 0 || !comparable { String::new() } else { difference(&methods[0], method) }
                );
            }
        }
        out.push_str("</tr>\n");
    }
    let results = || methods.iter().flat_map(Method::results);
    let keeps_best = |result: &Finished| result.selected_epoch.as_ref().is_some_and(|selected| selected.kept);
    let epoch = match (results().any(keeps_best), results().all(keeps_best)) {
        (false, _) => "last epoch",
        (true, true) => "best epoch by validation",
        (true, false) => "final weights",
    };
    let _ = writeln!(
        out,
        "</table></div>\n<p class=\"notes\">Mean ± standard deviation over seeds, {epoch}; best in bold. Differences are in \
         points, of runs with the same seed (± standard error over the pairs). The angle is the mean nearest angle between class \
         means of the training features, in degrees.</p>"
    );
    out
}

/// A table of the settings that differ between methods; empty if none does.
fn settings(methods: &[Method<'_>]) -> String {
    let rows = differing_settings(methods);
    if rows.is_empty() {
        return String::new();
    }
    let mut out =
        "<section>\n<h2>Differing settings</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>setting</th>"
            .to_owned();
    for method in methods {
        let _ = write!(out, "<th>{}</th>", escape(&method.name));
    }
    out.push_str("</tr></thead>\n");
    for (key, values) in rows {
        let _ = write!(out, "<tr><td><code>{}</code></td>", escape(&key));
        for value in values {
            let _ = write!(out, "<td>{}</td>", escape(value.as_deref().unwrap_or("–")));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n</section>\n");
    out
}

/// A table of all collapse metrics, with a column per method.
fn metrics(methods: &[Method<'_>]) -> String {
    let all: Vec<Vec<_>> = methods
        .iter()
        .map(|method| method.results().map(|result| figure_rows(&result.nc.train, None)).collect())
        .collect();
    let mut of_any: Vec<&crate::FigureRow> = vec![];
    for figure in all.iter().flatten().flatten() {
        if !of_any.iter().any(|other| other.key == figure.key) {
            of_any.push(figure);
        }
    }
    let mut out = "<div class=\"wide\"><table>\n<thead><tr><th>metric</th>".to_owned();
    for method in methods {
        let _ = write!(out, "<th>{}</th>", escape(&method.name));
    }
    out.push_str("</tr></thead>\n");
    for figure in of_any {
        let same = |row: &crate::FigureRow| row.key != figure.key || row.ideal == figure.ideal;
        let name = match figure.ideal.to_string() {
            ideal if ideal.is_empty() || !all.iter().flatten().flatten().all(same) => figure.title.to_owned(),
            ideal => format!("{} ({ideal} at collapse)", figure.title),
        };
        let _ = write!(out, "<tr><td>{}</td>", escape(&name));
        for seeds in &all {
            let of = |rows: &Vec<crate::FigureRow>| rows.iter().find(|row| row.key == figure.key)?.train;
            let mean = crate::format::mean(seeds.iter().map(of));
            let _ = write!(out, "<td>{}</td>", mean.map_or_else(|| "–".into(), |mean| format!("{mean:.3}")));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div>\n");
    out
}

/// A table of the runs.
fn list(methods: &[Method<'_>]) -> String {
    let mut out =
        "<div class=\"wide\"><table>\n<thead><tr><th>method</th><th>seed</th><th>test accuracy, %</th>\
                   <th class=\"text\">directory</th></tr></thead>\n"
            .to_owned();
    for method in methods {
        for (run, result) in method.runs.iter().zip(method.results()) {
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{:.1}</td><td class=\"text\"><code>{}</code></td></tr>",
                escape(&method.name),
                result.seed,
                100.0 * result.accuracy.top1,
                escape(&run.directory.display().to_string())
            );
        }
    }
    out.push_str("</table></div>\n");
    out
}

/// Marks common to all runs.
fn common_marks(methods: &[Method<'_>]) -> Vec<Mark> {
    let mut histories = methods.iter().flat_map(|method| &method.histories);
    let Some(first) = histories.next() else { return vec![] };
    let everywhere = |mark: &&Mark| histories.clone().all(|history| history.marks.contains(mark));
    first.marks.iter().filter(everywhere).cloned().collect()
}

/// The mean over seeds where all have a point, and its range.
fn averaged(index: usize, name: &str, seeds: &[Vec<(f64, f64)>]) -> Series {
    let (mut points, mut band) = (vec![], vec![]);
    for &(x, _) in seeds.first().map_or(&[][..], Vec::as_slice) {
        let at = |points: &Vec<(f64, f64)>| Some(points.iter().find(|point| point.0 == x)?.1);
        if let Some(values) = seeds.iter().map(at).collect::<Option<Vec<f64>>>() {
            points.push((x, values.iter().sum::<f64>() / values.len() as f64));
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            band.push((x, low, values.iter().copied().fold(f64::NEG_INFINITY, f64::max)));
        }
    }
    if seeds.len() < 2 {
        band.clear();
    }
    Series { name: name.to_owned(), points, band, hue: index, dashed: index >= COLORS }
}

/// Joint curves, one colour per method.
fn curves(methods: &[Method<'_>], marks: &[Mark]) -> Result<Drawings> {
    let lines = |of: &dyn Fn(&History) -> Vec<(f64, f64)>| -> Vec<Series> {
        let line = |(index, method): (usize, &Method<'_>)| {
            averaged(index, &method.name, &method.histories.iter().map(of).collect::<Vec<_>>())
        };
        methods.iter().enumerate().map(line).collect()
    };
    let figure = |key: &'static str| {
        lines(&move |history: &History| {
            history.collapse.iter().filter_map(|collapse| collapse.train(key)).collect()
        })
    };
    let accuracy = lines(&|history| history.test_accuracy.iter().map(|(at, a)| (*at, a.all)).collect());
    let loss = lines(&|history| {
        let supervised = |(at, losses): &(f64, EpochLosses)| Some((*at, losses.term("supervised")?));
        history.losses.iter().filter_map(supervised).collect()
    });
    let optima: Vec<Option<f64>> =
        methods.iter().flat_map(|method| &method.histories).map(History::optimum).collect();
    let shared = optima.windows(2).all(|pair| pair[0] == pair[1]);
    let optimum = optima.first().copied().flatten().filter(|_| shared).map(|optimum| (optimum, "ideal"));
    let charts = [
        ("Test accuracy", "accuracy", Scale::Percent, accuracy, None),
        ("Supervised training loss", "loss", Scale::Linear, loss, None),
        (
            "Mean nearest angle of class means (NC2)",
            "degrees",
            Scale::Linear,
            figure("nc2.centered_means.mean_nearest_angle_degrees"),
            optimum,
        ),
        (
            "Within-class over between-class variation (NC1)",
            "tr(S_W pinv(S_B))/K",
            Scale::Log,
            figure("nc1.trace.class_weighted"),
            None,
        ),
        (
            "NC2, spread of the norms of class means",
            "std / mean",
            Scale::Linear,
            figure("nc2.centered_means.equinorm_cov"),
            None,
        ),
        (
            "NC3, classifier against class means",
            "squared distance",
            Scale::Linear,
            figure("nc3.duality_gap_squared"),
            None,
        ),
        ("NC4, disagreement with the nearest mean", "share", Scale::Percent, figure("nc4.mismatch"), None),
    ];
    over_epochs(None, marks, true, charts)
}

/// Accuracy and norms by class; nothing unless all runs have the same class sizes.
fn after_training(methods: &[Method<'_>]) -> Result<Drawings> {
    let all = || methods.iter().flat_map(Method::results);
    let Some(first) = all().next() else { return Ok(vec![]) };
    let counts = &first.data.class_counts;
    let same =
        |result: &Finished| result.data.class_counts == *counts && class_names(result) == class_names(first);
    if !all().all(same) {
        return Ok(vec![]);
    }
    let order = by_size(counts);
    let names = named(&order, class_names(first));
    let line = |of: &dyn Fn(&nc_record::RunResult<_, _, _>) -> Vec<(f64, f64)>| -> Vec<Series> {
        let line = |(index, method): (usize, &Method<'_>)| {
            averaged(index, &method.name, &method.results().map(of).collect::<Vec<_>>())
        };
        methods.iter().enumerate().map(line).collect()
    };
    let by_class = Curves {
        label: "test accuracy of each class, largest class first",
        x: X::Classes(&names),
        y_title: "test accuracy",
        scale: Scale::Percent,
        series: line(&|result: &Finished| {
            let share =
                |(place, &class): (usize, &usize)| Some((place as f64, result.accuracy.per_class[class]?));
            order.iter().enumerate().filter_map(share).collect()
        }),
        unnamed: true,
        ..Curves::default()
    };
    let norms_line = line(&|result: &Finished| norms_by_size(&result.nc.train, counts));
    let with_means = names_by_size(&first.nc.train, counts, class_names(first));
    let drawings = [
        ("Accuracy by class", by_class.draw()?),
        ("Norms of centred class means", norms(norms_line, &with_means, true)?),
    ];
    Ok(drawings.into_iter().filter_map(|(title, drawing)| Some((title, drawing?))).collect())
}
