//! Training curves of a run.

use std::collections::BTreeSet;

use nc_record::{EpochLosses, ShotAccuracy};

use crate::{
    Result,
    charts::{Scale, Series},
    pages::history::{Drawings, EpochChart, History, over_epochs},
};

/// Accuracy, loss, angles and NC1.
pub(crate) fn main_curves(history: &History) -> Result<Drawings> {
    let mut losses = vec![];
    // L_W and L_B have separate charts because their scales differ.
    let names = history.losses.iter().flat_map(|(_, losses)| losses.terms.keys());
    let names: BTreeSet<&String> =
        names.filter(|name| !["within_class", "between_class"].contains(&name.as_str())).collect();
    let terms = history.losses.iter().map(|(_, losses)| losses.terms.len()).max().unwrap_or(0);
    // A single term is the total.
    if terms != 1 {
        losses.push(loss(history, "total", 6, &|losses| Some(losses.total)));
    }
    losses.extend(
        names
            .into_iter()
            .enumerate()
            .map(|(hue, name)| loss(history, name, hue, &|losses| losses.term(name))),
    );
    let mut angles = history.figure("nc2.centered_means.mean_nearest_angle_degrees", "means, ", 0);
    angles.extend(
        history.figure("nc2.weights.mean_nearest_angle_degrees", "classifier, ", 1).into_iter().take(1),
    );
    for series in &mut angles {
        series.name = series.name.replace(", training", "");
    }
    let charts: [EpochChart; 4] = [
        ("Test accuracy", "accuracy", Scale::Percent, accuracy(history), None),
        ("Training loss", "loss", Scale::Linear, losses, None),
        (
            "Mean nearest angle (NC2)",
            "degrees",
            Scale::Linear,
            angles,
            history.optimum().map(|optimum| (optimum, "ideal")),
        ),
        (
            "Within-class over between-class variation (NC1)",
            "tr(S_W pinv(S_B))/K",
            Scale::Log,
            history.figure("nc1.trace.class_weighted", "", 0),
            None,
        ),
    ];
    over_epochs(history.range(), &history.marks, false, charts)
}

/// Regularisers, learning rate, and the other collapse metrics.
pub(crate) fn further_curves(history: &History) -> Result<Drawings> {
    let rates = history.learning_rates.clone();
    let rate = Series { name: "rate".into(), points: rates, hue: 6, ..Series::default() };
    let mut norms = history.figure("nc2.centered_means.equinorm_cov", "means, ", 0);
    norms.extend(history.figure("nc2.weights.equinorm_cov", "classifier, ", 1).into_iter().take(1));
    let within = loss(history, "L_W", 2, &|losses| losses.term("within_class"));
    let between = loss(history, "L_B", 3, &|losses| losses.term("between_class"));
    let charts: [EpochChart; 6] = [
        ("Within-class compactness", "L_W", Scale::Linear, vec![within], None),
        ("Between-class angles", "L_B", Scale::Linear, vec![between], None),
        ("Learning rate", "rate", Scale::Log, vec![rate], None),
        ("NC2, spread of the norms", "std / mean", Scale::Linear, norms, None),
        (
            "NC3, classifier against class means",
            "squared distance",
            Scale::Linear,
            history.figure("nc3.duality_gap_squared", "", 0),
            None,
        ),
        (
            "NC4, disagreement with the nearest mean",
            "share",
            Scale::Percent,
            history.figure("nc4.mismatch", "", 0),
            None,
        ),
    ];
    over_epochs(history.range(), &history.marks, false, charts)
}

/// Test accuracy of all classes and of the shot groups, validation accuracy, and test accuracy of the averaged weights.
fn accuracy(history: &History) -> Vec<Series> {
    type Group = fn(&ShotAccuracy) -> Option<f64>;
    let groups: [(&str, usize, Group); 4] = [
        ("all", 6, |accuracy| Some(accuracy.all)),
        ("many", 0, |accuracy| accuracy.many),
        ("medium", 5, |accuracy| accuracy.medium),
        ("few", 1, |accuracy| accuracy.few),
    ];
    let group = |(name, hue, of): (&str, usize, Group)| {
        let points = history.test_accuracy.iter().filter_map(|(at, accuracy)| Some((*at, of(accuracy)?)));
        Series { name: name.into(), points: points.collect(), hue, ..Series::default() }
    };
    let dashed = |name: &str, hue, of: &[(f64, ShotAccuracy)]| {
        let points = of.iter().map(|(at, accuracy)| (*at, accuracy.all)).collect();
        Series { name: name.into(), points, hue, dashed: true, ..Series::default() }
    };
    let validation = dashed("validation", 6, &history.validation_accuracy);
    let average = dashed("averaged weights", 4, &history.average_accuracy);
    groups.into_iter().map(group).chain([validation, average]).collect()
}

fn loss(history: &History, name: &str, hue: usize, of: &dyn Fn(&EpochLosses) -> Option<f64>) -> Series {
    let points = history.losses.iter().filter_map(|(at, losses)| Some((*at, of(losses)?)));
    Series { name: name.into(), points: points.collect(), hue, ..Series::default() }
}
