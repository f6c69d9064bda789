//! Consistency checks of a run's files, on which drawings and tables rely.

use nc_metrics::{Accuracy, Analysis, Calibration, Geometry, NeuralCollapse, Projection};
use nc_record::{Decisions, Examples, RunResult, ShotAccuracy};

/// The first inconsistency, if any.
type Checked = std::result::Result<(), String>;

/// Upper limit on labels, far above real numbers of classes.
const MOST_CLASSES: usize = 1 << 24;

/// Upper limit on feature norms, above those of f32 features and small enough to draw.
const LONGEST: f64 = 1e60;

pub(super) fn check_result(result: &RunResult<Accuracy, Calibration, Geometry>) -> Checked {
    let counts = &result.data.class_counts;
    let classes = counts.len();
    if counts.iter().try_fold(0usize, |sum, &count| sum.checked_add(count)).is_none() {
        return Err("class_counts: the sum overflows".into());
    }
    if let Some(input) = &result.input {
        input.check().map_err(|reason| format!("input: {reason}"))?;
        expect("input.classes", "entries (one per class)", classes, input.classes.len())?;
    }
    let best = result.best_epoch.iter().map(|best| (best.epoch, best.accuracy));
    let selected = result.selected_epoch.iter();
    let selected =
        selected.flat_map(|at| [at.validation_accuracy, at.test_accuracy].map(|share| (at.epoch, share)));
    let epochs = result.epochs.iter().copied().max().unwrap_or(0);
    for average in result.weight_average.iter().map(|average| average.accuracy) {
        let accuracies = [Some(average.test_accuracy), average.validation_accuracy];
        accuracies.into_iter().flatten().try_for_each(|accuracy| check_shares(&accuracy))?;
    }
    for (epoch, accuracy) in best.chain(selected) {
        check_shares(&accuracy)?;
        if epoch >= epochs {
            return Err(format!("expected an epoch below {epochs}, found {epoch}"));
        }
    }
    for expert in &result.experts {
        let (experts, entries) = (result.experts.len(), expert.agreement.len());
        expect("experts.agreement", "entries (one per expert)", experts, entries)?;
        within("experts.agreement", 0.0, 1.0, expert.agreement.iter().copied())?;
    }
    check_accuracy("", &result.accuracy, classes)?;
    check_calibration("", &result.calibration)?;
    check_collapse("nc.train.", &result.nc.train, classes)?;
    check_collapse("nc.test.", &result.nc.test, classes)
}

fn check_shares(accuracy: &ShotAccuracy) -> Checked {
    let ShotAccuracy { all, balanced, many, medium, few } = *accuracy;
    within("epoch's accuracy", 0.0, 1.0, [Some(all), balanced, many, medium, few].into_iter().flatten())
}

pub(super) fn check_decisions(decisions: &Decisions) -> Checked {
    let most = decisions.labels.iter().max().map_or(0, |&label| label as usize);
    expect("predictions", "entries (one per label)", decisions.labels.len(), decisions.predictions.len())?;
    if most > MOST_CLASSES {
        Err(format!("expected labels up to {MOST_CLASSES}, found {most}"))
    } else {
        Ok(())
    }
}

/// Checks an analysis; error messages use the JSON names.
pub(super) fn check_analysis(
    analysis: &Analysis,
    class_counts: &[usize],
    projection: Option<&Projection>,
) -> Checked {
    let nc = &analysis.train.nc;
    let classes = nc.classes.len() + nc.absent_classes.len();
    expect("class_counts", "entries (one per class)", classes, class_counts.len())?;
    let test = analysis.test.as_ref().map(|test| ("test.", test));
    for (prefix, measured) in std::iter::once(("", &analysis.train)).chain(test) {
        check_collapse(prefix, &measured.nc, classes)?;
        measured.accuracy.iter().try_for_each(|accuracy| check_accuracy(prefix, accuracy, classes))?;
        measured.calibration.iter().try_for_each(|calibration| check_calibration(prefix, calibration))?;
    }
    let projection = projection.map_or(Ok(()), check_projection);
    projection.map_err(|reason| format!("projection: {reason}"))
}

fn check_accuracy(prefix: &str, accuracy: &Accuracy, classes: usize) -> Checked {
    let named = |name: &str| format!("{prefix}accuracy{name}");
    expect(&named(".per_class"), "entries (one per class)", classes, accuracy.per_class.len())?;
    within(&named(".per_class"), 0.0, 1.0, accuracy.per_class.iter().flatten().copied())?;
    let Accuracy { top1, top5, many, medium, few, worst_class, macro_f1, .. } = accuracy;
    let Accuracy { balanced, harmonic_mean, geometric_mean, .. } = accuracy;
    let shares = [Some(*top1), Some(*top5), *many, *medium, *few, *worst_class, *macro_f1, Some(*balanced)];
    let shares = shares.into_iter().chain([*harmonic_mean, *geometric_mean]);
    within(&named(""), 0.0, 1.0, shares.flatten())?;
    if accuracy.confusion.is_empty() {
        return Ok(());
    }
    square(&named(".confusion"), classes, &accuracy.confusion)?;
    let samples: u128 = accuracy.confusion.iter().flatten().map(|&count| u128::from(count)).sum();
    let right: u128 = accuracy.confusion.iter().enumerate().map(|(class, row)| u128::from(row[class])).sum();
    let expected = right as f64 / samples.max(1) as f64;
    if samples != accuracy.samples as u128 || (top1 - expected).abs() > 1e-9 {
        let found = format!("{top1} of {}", accuracy.samples);
        return Err(format!(
            "{}: expected {expected} of {samples} as in confusion, found {found}",
            named(".top1")
        ));
    }
    Ok(())
}

fn check_calibration(prefix: &str, calibration: &Calibration) -> Checked {
    within(&format!("{prefix}calibration.ece15"), 0.0, 1.0, calibration.ece15)?;
    let accuracies = calibration.bins.iter().filter_map(|bin| bin.accuracy);
    within(&format!("{prefix}calibration.bins"), 0.0, 1.0, accuracies)
}

fn check_collapse(prefix: &str, nc: &NeuralCollapse, classes: usize) -> Checked {
    let measured = nc.classes.len();
    if measured == 0 || measured > classes {
        return Err(format!("{prefix}classes: expected 1 to {classes} classes, found {measured}"));
    }
    let ascending = nc.classes.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || nc.classes.iter().any(|&class| class as usize >= classes) {
        return Err(format!(
            "{prefix}classes: expected ascending classes below {classes}, found {:?}",
            nc.classes
        ));
    }
    let nc1 = [&nc.nc1.trace, &nc.nc1.quotient, &nc.nc1.normalized];
    let nc1 = nc1.into_iter().flat_map(|weighted| [weighted.sample_weighted, weighted.class_weighted]);
    within(&format!("{prefix}nc1"), 0.0, f64::MAX, nc1.chain([nc.nc1.cdnv]).flatten())?;
    let means = &nc.nc2.centered_means;
    let norms = format!("{prefix}nc2.centered_means.norms");
    expect(&norms, "entries (one per class)", measured, means.norms.len())?;
    within(&norms, 0.0, LONGEST, means.norms.iter().copied())?;
    if !means.cosines.is_empty() {
        square(&format!("{prefix}nc2.centered_means.cosines"), measured, &means.cosines)?;
    }
    Ok(())
}

pub(super) fn check_projection(projection: &Projection) -> Checked {
    let classes = projection.classes.len();
    expect("means", "entries (one per class)", classes, projection.means.len())?;
    if !projection.weights.is_empty() {
        expect("weights", "entries (one per class)", classes, projection.weights.len())?;
    }
    if let Some(sample) = projection.samples.iter().find(|sample| !projection.classes.contains(&sample.class))
    {
        return Err(format!(
            "samples: expected classes among {:?}, found {}",
            projection.classes, sample.class
        ));
    }
    within("explained", 0.0, 1.0 + 1e-6, projection.explained)?;
    within("weights", -1.0 - 1e-6, 1.0 + 1e-6, projection.weights.iter().flatten().copied())?;
    within("means", -LONGEST, LONGEST, projection.means.iter().flatten().copied())?;
    within("samples", -LONGEST, LONGEST, projection.samples.iter().flat_map(|sample| sample.at))?;
    Ok(())
}

pub(super) fn check_examples(examples: &Examples) -> Checked {
    let images = examples.mistakes.iter().flat_map(|class| &class.images);
    within("mistakes.probability", 0.0, 1.0, images.map(|mistake| mistake.probability))
}

fn expect(name: &str, what: &str, expected: usize, found: usize) -> Checked {
    if expected == found { Ok(()) } else { Err(format!("{name}: expected {expected} {what}, found {found}")) }
}

fn within(name: &str, least: f64, most: f64, values: impl IntoIterator<Item = f64>) -> Checked {
    match values.into_iter().find(|value| !(least..=most).contains(value)) {
        Some(value) => Err(format!("{name}: expected values from {least} to {most}, found {value}")),
        None => Ok(()),
    }
}

/// Checks for a `classes` x `classes` matrix.
fn square<T>(name: &str, classes: usize, rows: &[Vec<T>]) -> Checked {
    expect(name, "rows (one per class)", classes, rows.len())?;
    rows.iter().try_for_each(|row| expect(name, "columns (one per class)", classes, row.len()))
}
