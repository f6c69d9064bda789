//! Text summaries of a run and of an evaluation.

use std::fmt::Write;

use nc_metrics::Accuracy;
use nc_record::{AveragedWeights, Expert, RunDir, SelectedEpoch, ShotAccuracy};
use nc_report::{FigureRow, figure_rows};
use nc_train::{Evaluation, Finished, Geometry, RunResult};

/// Formats a fraction as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Accuracy, neural collapse and the path of the report.
pub(crate) fn run(finished: &Finished) -> String {
    let result = &finished.result;
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = (|| {
        let kept = result.selected_epoch.as_ref().filter(|selected| selected.kept);
        let title = match kept {
            Some(SelectedEpoch { phase, epoch, .. }) => {
                format!("test accuracy of {phase} {}, the best epoch by validation", epoch + 1)
            }
            None => "test accuracy at the end".to_owned(),
        };
        groups(&mut out, &title, &result.accuracy)?;
        chosen_epochs(&mut out, result)?;
        let names = result.input.as_ref().map_or(&[][..], |input| &input.classes);
        classes(&mut out, &result.accuracy, &result.data.class_counts, names)?;
        geometry(&mut out, &result.nc)?;
        experts(&mut out, &result.experts, &result.accuracy, &result.nc)?;
        writeln!(out, "\n{}", finished.directory.join(RunDir::REPORT).display())
    })();
    out
}

/// Accuracy and neural collapse.
pub(crate) fn evaluation(evaluation: &Evaluation) -> String {
    let mut out = String::new();
    let _ = (|| {
        groups(&mut out, "test accuracy", &evaluation.accuracy)?;
        classes(&mut out, &evaluation.accuracy, &evaluation.class_counts, &evaluation.class_names)?;
        geometry(&mut out, &evaluation.nc)?;
        experts(&mut out, &evaluation.experts, &evaluation.accuracy, &evaluation.nc)
    })();
    out
}

fn groups(out: &mut String, title: &str, accuracy: &Accuracy) -> std::fmt::Result {
    writeln!(out, "\n{title}")?;
    writeln!(out, "  all {}", percent(accuracy.top1))?;
    // Equal if all classes have the same number of test images.
    if (accuracy.top1 - accuracy.balanced).abs() > 1e-9 {
        writeln!(out, "  balanced {} (mean over classes)", percent(accuracy.balanced))?;
    }
    let groups = accuracy.shot_classes;
    for (name, share, classes) in [
        ("many", accuracy.many, groups.many),
        ("medium", accuracy.medium, groups.medium),
        ("few", accuracy.few, groups.few),
    ] {
        let share = match (share, classes) {
            (Some(share), _) => percent(share),
            (None, 0) => "no classes".into(),
            (None, classes) => format!("no test images of its {classes} classes"),
        };
        writeln!(out, "  {name} {share}")?;
    }
    Ok(())
}

fn chosen_epochs(out: &mut String, result: &RunResult) -> std::fmt::Result {
    if let Some(selected) = &result.selected_epoch {
        let (phase, epoch) = (&selected.phase, selected.epoch + 1);
        let ShotAccuracy { all, balanced, .. } = selected.validation_accuracy;
        let balanced = balanced.map_or_else(String::new, |share| format!(", {} balanced", percent(share)));
        let (validation, test) = (percent(all), percent(selected.test_accuracy.all));
        if selected.kept {
            writeln!(out, "  (validation accuracy {validation}{balanced})")?;
        } else {
            writeln!(
                out,
                "  (epoch chosen by validation: {test}, {phase} {epoch}; validation accuracy {validation}{balanced})"
            )?;
        }
    }
    if let Some(AveragedWeights { accuracy, .. }) = &result.weight_average {
        writeln!(out, "  (averaged weights of the last epoch: {})", percent(accuracy.test_accuracy.all))?;
    }
    if let Some(best) = &result.best_epoch {
        let (phase, epoch) = (&best.phase, best.epoch + 1);
        writeln!(out, "  (best epoch by test accuracy: {}, {phase} {epoch})", percent(best.accuracy.all))?;
    }
    Ok(())
}

/// One row per class, with its name, or its index if `names` is empty.
fn classes(
    out: &mut String,
    accuracy: &Accuracy,
    class_counts: &[usize],
    names: &[String],
) -> std::fmt::Result {
    let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
    let names: Vec<String> = (0..class_counts.len()).map(name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).clamp(5, 30);
    writeln!(out, "\n{:width$}   training images   test accuracy", "class")?;
    for ((name, count), share) in names.iter().zip(class_counts).zip(&accuracy.per_class) {
        let share = share.map_or_else(|| "no images".into(), percent);
        writeln!(out, "{name:width$}   {count:>15}   {share:>13}")?;
    }
    Ok(())
}

/// The main metrics; `nclt analyze` and the report page show all.
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

/// One row per expert; nothing without experts.
fn experts(
    out: &mut String,
    experts: &[Expert],
    accuracy: &Accuracy,
    Geometry { train, .. }: &Geometry,
) -> std::fmt::Result {
    let table = nc_report::expert_table(experts, accuracy, train);
    if !table.is_empty() {
        writeln!(out)?;
    }
    for row in table {
        let (name, figures) = row.split_first().ok_or(std::fmt::Error)?;
        let figures: Vec<String> = figures.iter().map(|figure| format!("{figure:>9}")).collect();
        writeln!(out, "{}", format!("{name:<7}{}", figures.concat()).trim_end())?;
    }
    Ok(())
}

fn geometry(out: &mut String, Geometry { train, test }: &Geometry) -> std::fmt::Result {
    writeln!(out, "\n{:<47} {:>9} {:>9}  at collapse", "neural collapse", "training", "test")?;
    let show = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.3}"));
    let rows = figure_rows(train, Some(test));
    for FigureRow { title, ideal, train, test, .. } in rows.iter().filter(|row| SHOWN.contains(&row.key)) {
        let (train, test, ideal) = (show(*train), show(*test), ideal.to_string());
        writeln!(out, "{}", format!("{title:<47} {train:>9} {test:>9}  {ideal}").trim_end())?;
    }
    if !train.etf_exists {
        let (classes, dims) = (train.classes.len(), train.dims);
        writeln!(out, "{classes} classes cannot collapse fully in {dims} dimensions")?;
    }
    Ok(())
}
