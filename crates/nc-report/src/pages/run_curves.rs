//! Training curves of a run.

use std::collections::BTreeSet;

use nc_record::{EpochLosses, ShotAccuracy};

use crate::{
    Result,
    charts::{Scale, Series},
    pages::history::{Drawings, History, over_epochs},
};

/// Accuracies, losses and the learning rate.
pub(crate) fn training(history: &History) -> Result<Drawings> {
    type Group = fn(&ShotAccuracy) -> Option<f64>;
    let groups: [(&str, Group); 4] = [
        ("all", |accuracy| Some(accuracy.all)),
        ("many", |accuracy| accuracy.many),
        ("medium", |accuracy| accuracy.medium),
        ("few", |accuracy| accuracy.few),
    ];
    let mut accuracy: Vec<Series> = groups
        .iter()
        .zip([6, 0, 5, 1])
        .map(|((name, of), hue)| {
            let points = history.test_accuracy.iter().filter_map(|(at, accuracy)| Some((*at, of(accuracy)?)));
            Series { name: (*name).into(), points: points.collect(), hue, dashed: false }
        })
        .collect();
    accuracy.push(Series {
        name: "validation".into(),
        points: history.validation_accuracy.iter().map(|(at, accuracy)| (*at, accuracy.all)).collect(),
        hue: 6,
        dashed: true,
    });
    let loss = |name: &str, hue, of: &dyn Fn(&EpochLosses) -> Option<f64>| Series {
        name: name.into(),
        points: history.losses.iter().filter_map(|(at, losses)| Some((*at, of(losses)?))).collect(),
        hue,
        dashed: false,
    };
    let rate = Series {
        name: "learning rate".into(),
        points: history.learning_rates.clone(),
        hue: 6,
        dashed: false,
    };
    let mut losses = vec![loss("total", 6, &|losses| Some(losses.total))];
    // L_W and L_B have separate charts because their scales differ.
    let names = history.losses.iter().flat_map(|(_, losses)| losses.terms.keys());
    let names: BTreeSet<&String> =
        names.filter(|name| !["within_class", "between_class"].contains(&name.as_str())).collect();
    losses.extend(
        names.into_iter().enumerate().map(|(hue, name)| loss(name, hue, &|losses| losses.term(name))),
    );
    let within = vec![loss("L_W", 2, &|losses| losses.term("within_class"))];
    let between = vec![loss("L_B", 3, &|losses| losses.term("between_class"))];
    let charts = [
        ("Test accuracy", "accuracy", Scale::Percent, accuracy),
        ("Training loss", "loss", Scale::Linear, losses),
        ("Within-class compactness", "L_W", Scale::Linear, within),
        ("Between-class angles", "L_B", Scale::Linear, between),
        ("Learning rate", "rate", Scale::Log, vec![rate]),
    ];
    over_epochs(
        history.range(),
        &history.marks,
        charts.map(|(title, y, scale, series)| (title, y, scale, series, None)),
    )
}

/// NC1 to NC4.
pub(crate) fn collapse(history: &History) -> Result<Drawings> {
    let mut nc1 = history.figure("nc1.trace.class_weighted", "each class the same, ", 0);
    nc1.extend(history.figure("nc1.trace.sample_weighted", "each sample the same, ", 1));
    let mut norms = history.figure("nc2.centered_means.equinorm_cov", "class means, ", 0);
    norms.extend(history.figure("nc2.weights.equinorm_cov", "classifier, ", 1).into_iter().take(1));
    let mut angles = history.figure("nc2.centered_means.mean_nearest_angle_degrees", "class means, ", 0);
    angles.extend(
        history.figure("nc2.weights.mean_nearest_angle_degrees", "classifier, ", 1).into_iter().take(1),
    );
    let angle_optimum = history.optimum().map(|optimum| (optimum, "optimum"));
    over_epochs(
        history.range(),
        &history.marks,
        [
            ("NC1, within over between classes", "tr(S_W pinv(S_B))/K", Scale::Log, nc1, None),
            ("NC2, mean nearest angle", "degrees", Scale::Linear, angles, angle_optimum),
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
        ],
    )
}
