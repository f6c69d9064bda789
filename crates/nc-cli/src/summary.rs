//! The end of a run, as text.

use std::fmt::Write;

use nc_metrics::NeuralCollapse;
use nc_train::{Finished, RunResult};

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Accuracy, geometry and where the files are.
pub(crate) fn render(finished: &Finished) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = accuracy(&mut out, &finished.result);
    let _ = geometry(&mut out, &finished.result);
    let _ = writeln!(out, "\n{}", finished.directory.display());
    out
}

fn accuracy(out: &mut String, result: &RunResult) -> std::fmt::Result {
    let accuracy = &result.accuracy;
    writeln!(out, "\ntest accuracy, last epoch")?;
    writeln!(out, "  all {}", percent(accuracy.top1))?;
    for (name, share) in [("many", accuracy.many), ("medium", accuracy.medium), ("few", accuracy.few)] {
        writeln!(out, "  {name} {}", share.map_or_else(|| "no such class".into(), percent))?;
    }
    if let Some(best) = &result.best_epoch {
        let (phase, epoch) = (&best.phase, best.epoch + 1);
        writeln!(out, "  (best epoch by test accuracy: {}, {phase} {epoch})", percent(best.accuracy.all))?;
    }
    writeln!(out, "\nclass   training images   test accuracy")?;
    for (class, (count, share)) in result.data.class_counts.iter().zip(&accuracy.per_class).enumerate() {
        let share = share.map_or_else(|| "no images".into(), percent);
        writeln!(out, "{class:>5}   {count:>15}   {share:>13}")?;
    }
    Ok(())
}

fn geometry(out: &mut String, result: &RunResult) -> std::fmt::Result {
    let (train, test) = (&result.nc.train, &result.nc.test);
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
    row("NC3 classifier against means (0)", &|nc| nc.nc3.and_then(|nc3| nc3.duality_gap_squared))?;
    row("NC4 disagreement with nearest mean (0)", &|nc| nc.nc4.and_then(|nc4| nc4.mismatch))?;
    write!(out, "(0): at collapse{angle}")?;
    if !train.etf_exists {
        let (classes, dims) = (train.classes.len(), train.dims);
        write!(out, "; {classes} classes cannot collapse fully in {dims} dimensions")?;
    }
    writeln!(out)
}
