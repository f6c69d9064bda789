//! Whether the parts of a run's files fit each other, as drawings and tables take them to.

use nc_metrics::{Accuracy, Calibration, Geometry, NeuralCollapse, Projection};
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
    expect("accuracy.per_class", "one for each class", classes, result.accuracy.per_class.len())?;
    let shares = result.accuracy.per_class.iter().flatten();
    within("accuracy.per_class", 0.0, 1.0, shares.copied())?;
    let bins = result.calibration.bins.iter();
    let Accuracy { top1, top5, many, medium, few, worst_class, macro_f1, .. } = &result.accuracy;
    let shares = [Some(*top1), Some(*top5), *many, *medium, *few, *worst_class, *macro_f1];
    within("accuracy", 0.0, 1.0, shares.into_iter().flatten())?;
    within("calibration.ece15", 0.0, 1.0, result.calibration.ece15)?;
    within("calibration.bins", 0.0, 1.0, bins.filter_map(|bin| bin.accuracy))?;
    if !result.accuracy.confusion.is_empty() {
        square("accuracy.confusion", classes, &result.accuracy.confusion)?;
    }
    for (name, nc) in [("nc.train", &result.nc.train), ("nc.test", &result.nc.test)] {
        check_collapse(name, nc, classes)?;
    }
    Ok(())
}

fn check_collapse(name: &str, nc: &NeuralCollapse, classes: usize) -> Checked {
    let measured = nc.classes.len();
    if measured == 0 || measured > classes {
        return Err(format!("{name}.classes: expected 1 to {classes} classes, found {measured}"));
    }
    let ascending = nc.classes.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending || nc.classes.iter().any(|&class| class as usize >= classes) {
        return Err(format!(
            "{name}.classes: expected ascending classes below {classes}, found {:?}",
            nc.classes
        ));
    }
    let means = &nc.nc2.centered_means;
    let norms = format!("{name}.nc2.centered_means.norms");
    expect(&norms, "one for each of its classes", measured, means.norms.len())?;
    within(&norms, 0.0, LONGEST, means.norms.iter().copied())?;
    if !means.cosines.is_empty() {
        square(&format!("{name}.nc2.centered_means.cosines"), measured, &means.cosines)?;
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
