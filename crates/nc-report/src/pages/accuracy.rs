//! Accuracy and calibration metrics in reports.

use nc_metrics::{Accuracy, Analysis, Calibration, Measured};

/// A reported accuracy or calibration metric, in [0, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct AccuracyRow {
    /// Title.
    pub title: &'static str,
    /// Value on the training features.
    pub train: Option<f64>,
    /// Value on the test features.
    pub test: Option<f64>,
}

type Share = fn(&Accuracy, &Calibration) -> Option<f64>;

/// Accuracy and calibration on training and test features. Metrics undefined on both are omitted; without a classifier
/// that is all of them.
pub fn accuracy_rows(analysis: &Analysis) -> Vec<AccuracyRow> {
    let shares: [(&str, Share); 12] = [
        ("accuracy", |accuracy, _| Some(accuracy.top1)),
        ("top-5 accuracy", |accuracy, _| Some(accuracy.top5)),
        ("accuracy, many-shot classes (over 100)", |accuracy, _| accuracy.many),
        ("accuracy, medium-shot classes (20 to 100)", |accuracy, _| accuracy.medium),
        ("accuracy, few-shot classes (below 20)", |accuracy, _| accuracy.few),
        ("accuracy, mean over classes", |accuracy, _| Some(accuracy.balanced)),
        ("accuracy, harmonic mean over classes", |accuracy, _| accuracy.harmonic_mean),
        ("accuracy, geometric mean over classes", |accuracy, _| accuracy.geometric_mean),
        ("accuracy, worst class", |accuracy, _| accuracy.worst_class),
        ("macro F1", |accuracy, _| accuracy.macro_f1),
        ("expected calibration error, 15 bins", |_, calibration| calibration.ece15),
        ("maximum calibration error, 15 bins", |_, calibration| calibration.mce15),
    ];
    let row = |(title, share): (&'static str, Share)| {
        let of = |measured: &Measured| share(measured.accuracy.as_ref()?, measured.calibration.as_ref()?);
        AccuracyRow { title, train: of(&analysis.train), test: analysis.test.as_ref().and_then(of) }
    };
    shares.into_iter().map(row).filter(|row| row.train.is_some() || row.test.is_some()).collect()
}
