//! The end of a run, as text.

use std::fmt::Write;

use nc_metrics::{Accuracy, NeuralCollapse};
use nc_record::RunDir;
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
        groups(&mut out, "test accuracy, last epoch", &result.accuracy)?;
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

fn geometry(out: &mut String, Geometry { train, test }: &Geometry) -> std::fmt::Result {
    let angle = train.etf_angle_degrees.map_or_else(String::new, |angle| format!("; {angle:.1} at collapse"));
    writeln!(out, "\nneural collapse{:33}train       test", "")?;
    let mut row = |name: &str, figure: &dyn Fn(&NeuralCollapse) -> Option<f64>| {
        let show = |nc| figure(nc).map_or_else(|| "-".into(), |value| format!("{value:.3}"));
        writeln!(out, "{name:42} {:>10} {:>10}", show(train), show(test))
    };
    row("NC1 within/between, by sample (0)", &|nc| nc.nc1.trace.sample_weighted)?;
    row("NC1 within/between, by class (0)", &|nc| nc.nc1.trace.class_weighted)?;
    row("NC2 spread of the means' norms (0)", &|nc| nc.nc2.centered_means.equinorm_cov)?;
    row("NC2 deviation of the means' cosines (0)", &|nc| nc.nc2.centered_means.coherence)?;
    row("NC2 mean nearest angle, degrees", &|nc| nc.nc2.centered_means.mean_nearest_angle_degrees)?;
    row("NC2 smallest angle, degrees", &|nc| nc.nc2.centered_means.min_angle_degrees)?;
    row("NC3 classifier against means (0)", &|nc| nc.nc3.as_ref().and_then(|nc3| nc3.duality_gap_squared))?;
    row("NC4 disagreement with nearest mean (0)", &|nc| nc.nc4.and_then(|nc4| nc4.mismatch))?;
    write!(out, "(0): at collapse{angle}")?;
    if !train.etf_exists {
        let (classes, dims) = (train.classes.len(), train.dims);
        write!(out, "; {classes} classes cannot collapse fully in {dims} dimensions")?;
    }
    writeln!(out)
}
