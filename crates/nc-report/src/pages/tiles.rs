use std::fmt::Write;

use nc_metrics::{Accuracy, Calibration};

use crate::{format::thousands, html::escape, pages::snapshot::class_name};

/// `81.0 %`.
pub(crate) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".into(), |share| format!("{:.1} %", 100.0 * share))
}

/// Four tiles: accuracy, shot groups, worst class, calibration, of the split `set`.
pub(crate) fn tiles(
    accuracy: &Accuracy,
    calibration: Option<&Calibration>,
    class_names: &[String],
    set: &str,
) -> String {
    let hundredths =
        |share: Option<f64>| share.map_or_else(|| "–".into(), |share| format!("{:.1}", 100.0 * share));
    let groups = [accuracy.many, accuracy.medium, accuracy.few].map(hundredths).join(" / ");
    let worst = accuracy.per_class.iter().enumerate().filter_map(|(class, share)| Some((class, (*share)?)));
    let worst = worst.min_by(|(_, one), (_, other)| one.total_cmp(other));
    let error = (accuracy.top1 * (1.0 - accuracy.top1) / accuracy.samples.max(1) as f64).sqrt();
    let tiles = [
        (
            format!("{set} accuracy"),
            percent(Some(accuracy.top1)),
            format!("standard error {:.1} points, {} samples", 100.0 * error, thousands(accuracy.samples)),
        ),
        (
            "many / medium / few".into(),
            groups,
            "% of classes with over 100, 20 to 100, below 20 training images".into(),
        ),
        (
            "worst class".into(),
            percent(worst.map(|(_, share)| share)),
            worst.map_or_else(String::new, |(class, share)| {
                let tied = accuracy.per_class.iter().filter(|other| **other == Some(share)).count();
                if tied > 1 { format!("{tied} classes") } else { class_name(class, class_names) }
            }),
        ),
        (
            "calibration error".into(),
            percent(calibration.and_then(|calibration| calibration.ece15)),
            "ECE, 15 bins weighted by samples".into(),
        ),
    ];
    let mut out = "<dl class=\"tiles\">\n".to_owned();
    for (name, value, detail) in tiles {
        // Writing to a string cannot fail.
        let _ =
            writeln!(out, "<div><dt>{name}</dt><dd>{value} <small>{}</small></dd></div>", escape(&detail));
    }
    out.push_str("</dl>\n");
    out
}
