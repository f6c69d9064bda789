//! Whether the parts of a run's files fit each other, as drawings and tables take them to.

use nc_metrics::{Accuracy, Analysis, Calibration, Geometry, NeuralCollapse, Projection};
use nc_record::RunResult;

/// What does not fit, if something does not.
type Checked = std::result::Result<(), String>;

/// No length of features comes near it, and what is made of it has places on a drawing.
const LONGEST: f64 = 1e30;

pub(super) fn check_result(result: &RunResult<Accuracy, Calibration, Geometry>) -> Checked {
    let counts = &result.data.class_counts;
    let classes = counts.len();
    if counts.iter().try_fold(0usize, |sum, &count| sum.checked_add(count)).is_none() {
        return Err("its class_counts have no sum".into());
    }
    if let Some(input) = &result.input {
        input.check().map_err(|reason| format!("input: {reason}"))?;
        expect("input.classes", "one for each class", classes, input.classes.len())?;
    }
    check_accuracy("", &result.accuracy, classes)?;
    check_calibration("", &result.calibration)?;
    check_collapse("nc.train.", &result.nc.train, classes)?;
    check_collapse("nc.test.", &result.nc.test, classes)
}

/// Names are those of the figures in JSON.
pub(super) fn check_analysis(
    analysis: &Analysis,
    class_counts: &[usize],
    projection: Option<&Projection>,
) -> Checked {
    let nc = &analysis.train.nc;
    let classes = nc.classes.len() + nc.absent_classes.len();
    expect("class_counts", "one for each class", classes, class_counts.len())?;
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
    expect(&named(".per_class"), "one for each class", classes, accuracy.per_class.len())?;
    within(&named(".per_class"), 0.0, 1.0, accuracy.per_class.iter().flatten().copied())?;
    let Accuracy { top1, top5, many, medium, few, worst_class, macro_f1, .. } = accuracy;
    let shares = [Some(*top1), Some(*top5), *many, *medium, *few, *worst_class, *macro_f1];
    within(&named(""), 0.0, 1.0, shares.into_iter().flatten())?;
    if accuracy.confusion.is_empty() {
        return Ok(());
    }
    square(&named(".confusion"), classes, &accuracy.confusion)
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
    let means = &nc.nc2.centered_means;
    let norms = format!("{prefix}nc2.centered_means.norms");
    expect(&norms, "one for each of its classes", measured, means.norms.len())?;
    within(&norms, 0.0, LONGEST, means.norms.iter().copied())?;
    if !means.cosines.is_empty() {
        square(&format!("{prefix}nc2.centered_means.cosines"), measured, &means.cosines)?;
    }
    Ok(())
}

pub(super) fn check_projection(projection: &Projection) -> Checked {
    let classes = projection.classes.len();
    expect("means", "one for each of its classes", classes, projection.means.len())?;
    if !projection.weights.is_empty() {
        expect("weights", "one for each of its classes", classes, projection.weights.len())?;
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

fn expect(name: &str, what: &str, expected: usize, found: usize) -> Checked {
    if expected == found {
        Ok(())
    } else {
        Err(format!("{name}: expected {what}, {expected}, found {found}"))
    }
}

fn within(name: &str, least: f64, most: f64, values: impl IntoIterator<Item = f64>) -> Checked {
    match values.into_iter().find(|value| !(least..=most).contains(value)) {
        Some(value) => Err(format!("{name}: expected numbers from {least} to {most}, found {value}")),
        None => Ok(()),
    }
}

/// Rows and columns for `classes` classes.
fn square<T>(name: &str, classes: usize, rows: &[Vec<T>]) -> Checked {
    expect(name, "a row for each class", classes, rows.len())?;
    rows.iter().try_for_each(|row| expect(name, "a column for each class", classes, row.len()))
}
