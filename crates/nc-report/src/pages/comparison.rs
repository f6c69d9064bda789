//! Comparison of several runs.

use std::fmt::Write;

use nc_record::EpochLosses;

use crate::{
    Error, Result,
    charts::{COLORS, Curves, Drawing, Mark, Scale, Series, key},
    html::{document, escape, figures},
    pages::{
        figures::figure_rows,
        history::{Drawings, History, over_epochs},
        run::RunReport,
        snapshot::{angles, by_size, norms},
    },
};

/// Renders a page that compares runs: one table of metrics, joint training curves, and class-mean angles side by side.
/// Geometry is of training features.
///
/// # Errors
///
/// [`Error::Unfinished`] if a run has no result, [`Error::Drawing`].
pub fn comparison_page(runs: &[RunReport]) -> Result<String> {
    let titles = titles(runs);
    let mut results = vec![];
    for run in runs {
        let unfinished = || Error::Unfinished { run: run.directory.display().to_string() };
        results.push(run.result.as_ref().ok_or_else(unfinished)?);
    }
    let mut body = "<h1>Runs side by side</h1>\n<div class=\"wide\"><table>\n<tr><th></th>".to_owned();
    for title in &titles {
        let _ = write!(body, "<th>{}</th>", escape(title));
    }
    body.push_str("</tr>\n");
    let mut row = |name: &str, values: Vec<Option<f64>>, show: &dyn Fn(f64) -> String| {
        if values.iter().any(Option::is_some) {
            let cell = |value: Option<f64>| value.map_or_else(|| "–".into(), show);
            let _ = write!(body, "<tr><td>{}</td>", escape(name));
            for value in values {
                let _ = write!(body, "<td>{}</td>", cell(value));
            }
            body.push_str("</tr>\n");
        }
    };
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let accuracy =
        |of: fn(&nc_metrics::Accuracy) -> Option<f64>| results.iter().map(|r| of(&r.accuracy)).collect();
    row("final test accuracy", accuracy(|accuracy| Some(accuracy.top1)), &percent);
    row("... many (over 100 training images)", accuracy(|accuracy| accuracy.many), &percent);
    row("... medium (20 to 100)", accuracy(|accuracy| accuracy.medium), &percent);
    row("... few (below 20)", accuracy(|accuracy| accuracy.few), &percent);
    row("... worst class", accuracy(|accuracy| accuracy.worst_class), &percent);
    row("macro F1", accuracy(|accuracy| accuracy.macro_f1), &percent);
    row("calibration error (15 bins)", results.iter().map(|r| r.calibration.ece15).collect(), &percent);
    let all: Vec<_> = results.iter().map(|result| figure_rows(&result.nc.train, None)).collect();
    let mut figures_of_any: Vec<&crate::FigureRow> = vec![];
    for figure in all.iter().flatten() {
        if !figures_of_any.iter().any(|other| other.key == figure.key) {
            figures_of_any.push(figure);
        }
    }
    for figure in figures_of_any {
        let of = |rows: &Vec<crate::FigureRow>| rows.iter().find(|row| row.key == figure.key)?.train;
        let same = |row: &crate::FigureRow| row.key != figure.key || row.ideal == figure.ideal;
        let name = match figure.ideal.to_string() {
            ideal if ideal.is_empty() || !all.iter().flatten().all(same) => figure.title.to_owned(),
            ideal => format!("{} ({ideal} at collapse)", figure.title),
        };
        row(&name, all.iter().map(of).collect(), &|value| format!("{value:.3}"));
    }
    body.push_str("</table></div>\n");

    let histories: Vec<History> = runs.iter().map(|run| History::of(&run.events)).collect();
    let marks = common_marks(&histories);
    figures(&mut body, "Training curves", &key(&marks), &curves(&histories, &titles, &marks)?);

    let mut at_the_end: Vec<(&str, Drawing)> = vec![];
    let same_classes = results.windows(2).all(|pair| pair[0].data.class_counts == pair[1].data.class_counts);
    if let Some(first) = results.first().filter(|_| same_classes) {
        let counts = &first.data.class_counts;
        let named = titles.iter().zip(&results).enumerate();
        let lines: Vec<_> =
            named.map(|(hue, (title, result))| (title.clone(), &result.nc.train, hue)).collect();
        at_the_end.extend(norms(&lines, counts)?.map(|drawing| ("Norms of centred class means", drawing)));
        let order = by_size(counts);
        let series = titles.iter().zip(&results).enumerate().map(|(hue, (title, result))| {
            let accuracy = |(place, &class): (usize, &usize)| {
                Some(((place + 1) as f64, result.accuracy.per_class[class]?))
            };
            let points = order.iter().enumerate().filter_map(accuracy).collect();
            Series { name: title.clone(), points, hue, dashed: hue >= COLORS }
        });
        let by_class = Curves {
            label: "test accuracy of each class, largest class first",
            x_title: "class, largest first",
            y_title: "test accuracy",
            scale: Scale::Percent,
            series: series.collect(),
            x_range: None,
            marks: &[],
            reference: None,
        };
        at_the_end.extend(by_class.draw()?.map(|drawing| ("Accuracy by class", drawing)));
    }
    for (title, result) in titles.iter().zip(&results) {
        let drawing = angles(&result.nc.train, &result.data.class_counts)?;
        at_the_end.extend(drawing.map(|drawing| (title.as_str(), drawing)));
    }
    figures(
        &mut body,
        "After the last epoch: norms, accuracy by class, angles between class means",
        "",
        &at_the_end,
    );
    Ok(document("Runs side by side", &body))
}

/// Titles of the runs, with the directory appended to duplicates.
fn titles(runs: &[RunReport]) -> Vec<String> {
    let named: Vec<String> = runs.iter().map(RunReport::title).collect();
    let title = |(run, title): (&RunReport, &String)| {
        let alone = named.iter().filter(|other| *other == title).count() == 1;
        if alone { title.clone() } else { format!("{title} ({})", run.directory.display()) }
    };
    runs.iter().zip(&named).map(title).collect()
}

/// Marks common to all runs.
fn common_marks(histories: &[History]) -> Vec<Mark> {
    let Some(first) = histories.first() else { return vec![] };
    let everywhere = |mark: &&Mark| histories.iter().all(|history| history.marks.contains(mark));
    first.marks.iter().filter(everywhere).cloned().collect()
}

/// Joint curves, one colour per run.
fn curves(histories: &[History], titles: &[String], marks: &[Mark]) -> Result<Drawings> {
    let lines = |of: &dyn Fn(&History) -> Vec<(f64, f64)>| -> Vec<Series> {
        let runs = histories.iter().zip(titles).enumerate();
        runs.map(|(hue, (history, title))| Series {
            name: title.clone(),
            points: of(history),
            hue,
            dashed: hue >= COLORS,
        })
        .collect()
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
    let optima: Vec<Option<f64>> = histories.iter().map(History::optimum).collect();
    let shared = optima.windows(2).all(|pair| pair[0] == pair[1]);
    let optimum = optima.first().copied().flatten().filter(|_| shared).map(|optimum| (optimum, "optimum"));
    let charts = [
        ("Test accuracy", "accuracy", Scale::Percent, accuracy, None),
        ("Supervised training loss", "loss", Scale::Linear, loss, None),
        (
            "NC1, each class the same",
            "tr(S_W pinv(S_B))/K",
            Scale::Log,
            figure("nc1.trace.class_weighted"),
            None,
        ),
        (
            "NC2, mean nearest angle of class means",
            "degrees",
            Scale::Linear,
            figure("nc2.centered_means.mean_nearest_angle_degrees"),
            optimum,
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
    over_epochs(None, marks, charts)
}
