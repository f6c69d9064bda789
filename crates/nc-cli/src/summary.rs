//! The end of a run, as text.

use std::fmt::Write;

use nc_metrics::Accuracy;
use nc_record::RunDir;
use nc_report::{FigureRow, figure_rows};
use nc_train::{Evaluation, Finished, Geometry, RunResult};

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Accuracy, geometry and where the files are.
pub(crate) fn run(finished: &Finished) -> String {
    let result = &finished.result;
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = (|| {
        groups(&mut out, "test accuracy at the end", &result.accuracy)?;
        chosen_epochs(&mut out, result)?;
        classes(&mut out, &result.accuracy, &result.data.class_counts)?;
        geometry(&mut out, &result.nc)?;
        writeln!(out, "\n{}", finished.directory.join(RunDir::REPORT).display())
    })();
    out
}

/// Accuracy and geometry.
pub(crate) fn evaluation(evaluation: &Evaluation) -> String {
    let mut out = String::new();
    let _ = (|| {
        groups(&mut out, "test accuracy", &evaluation.accuracy)?;
        classes(&mut out, &evaluation.accuracy, &evaluation.class_counts)?;
        geometry(&mut out, &evaluation.nc)
    })();
    out
}

fn groups(out: &mut String, title: &str, accuracy: &Accuracy) -> std::fmt::Result {
    writeln!(out, "\n{title}")?;
    writeln!(out, "  all {}", percent(accuracy.top1))?;
    for (name, share) in [("many", accuracy.many), ("medium", accuracy.medium), ("few", accuracy.few)] {
        writeln!(out, "  {name} {}", share.map_or_else(|| "no such class".into(), percent))?;
    }
    Ok(())
}

fn chosen_epochs(out: &mut String, result: &RunResult) -> std::fmt::Result {
    if let Some(selected) = &result.selected_epoch {
        let (phase, epoch) = (&selected.phase, selected.epoch + 1);
        let (validation, test) = (selected.validation_accuracy.all, selected.test_accuracy.all);
        let (validation, test) = (percent(validation), percent(test));
        writeln!(out, "  (chosen by validation accuracy, {validation}: {test}, {phase} {epoch})")?;
    }
    if let Some(best) = &result.best_epoch {
        let (phase, epoch) = (&best.phase, best.epoch + 1);
        writeln!(out, "  (best epoch by test accuracy: {}, {phase} {epoch})", percent(best.accuracy.all))?;
    }
    Ok(())
}

fn classes(out: &mut String, accuracy: &Accuracy, class_counts: &[usize]) -> std::fmt::Result {
    writeln!(out, "\nclass   training images   test accuracy")?;
    for (class, (count, share)) in class_counts.iter().zip(&accuracy.per_class).enumerate() {
        let share = share.map_or_else(|| "no images".into(), percent);
        writeln!(out, "{class:>5}   {count:>15}   {share:>13}")?;
    }
    Ok(())
}

/// The figures that say most; `nclt analyze` and the page have all.
const SHOWN: [&str; 8] = [
    "nc1.trace.sample_weighted",
    "nc1.trace.class_weighted",
    "nc2.centered_means.equinorm_cov",
    "nc2.centered_means.coherence",
    "nc2.centered_means.mean_nearest_angle_degrees",
    "nc2.centered_means.min_angle_degrees",
    "nc3.duality_gap_squared",
    "nc4.mismatch",
];

fn geometry(out: &mut String, Geometry { train, test }: &Geometry) -> std::fmt::Result {
    writeln!(out, "\n{:<54} {:>10} {:>10}  at collapse", "neural collapse", "training", "test")?;
    let show = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.3}"));
    let rows = figure_rows(train, Some(test));
    for FigureRow { title, ideal, train, test, .. } in rows.iter().filter(|row| SHOWN.contains(&row.key)) {
        let (train, test, ideal) = (show(*train), show(*test), ideal.to_string());
        writeln!(out, "{}", format!("{title:<54} {train:>10} {test:>10}  {ideal}").trim_end())?;
    }
    if !train.etf_exists {
        let (classes, dims) = (train.classes.len(), train.dims);
        writeln!(out, "{classes} classes cannot collapse fully in {dims} dimensions")?;
    }
    Ok(())
}
