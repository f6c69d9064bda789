//! The experts of a network of several, beside each other.

use std::fmt::Write;

use nc_metrics::{Accuracy, NeuralCollapse};
use nc_record::{Expert, Figures, figures};

use super::tiles::percent;

/// A table of experts as cells: a row of titles, a row for each expert with its number from 1, and a row for the mean of
/// their logits, with this `accuracy` and the neural collapse `train` of the training features. Columns: test accuracy,
/// that of the shot groups, mean nearest angle in degrees and NC1 (each class the same) of the training features, and the
/// agreement with each expert, the share of test images with the same prediction. Empty without experts.
pub fn expert_table(experts: &[Expert], accuracy: &Accuracy, train: &NeuralCollapse) -> Vec<Vec<String>> {
    if experts.is_empty() {
        return vec![];
    }
    let titles = ["expert", "accuracy", "many", "medium", "few", "angle", "NC1"].map(str::to_owned);
    let agreement = (1..=experts.len()).map(|number| format!("as {number}"));
    let mut rows = vec![titles.into_iter().chain(agreement).collect()];
    for (number, expert) in (1..).zip(experts) {
        let shares = expert.test_accuracy;
        let shares = [Some(shares.all), shares.many, shares.medium, shares.few];
        let agreement = expert.agreement.iter().map(|&share| percent(Some(share)));
        rows.push(row(&number.to_string(), shares, &expert.train).chain(agreement).collect());
    }
    let shares = [Some(accuracy.top1), accuracy.many, accuracy.medium, accuracy.few];
    let empty = experts.iter().map(|_| String::new());
    rows.push(row("mean", shares, &figures(train)).chain(empty).collect());
    rows
}

/// Cells up to NC1.
fn row(name: &str, shares: [Option<f64>; 4], train: &Figures) -> impl Iterator<Item = String> + use<> {
    let figure = |key: &str, decimals: usize| {
        train.get(key).map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
    };
    let angle = figure("nc2.centered_means.mean_nearest_angle_degrees", 1);
    let within = figure("nc1.trace.class_weighted", 3);
    [name.to_owned()].into_iter().chain(shares.map(percent)).chain([angle, within])
}

/// A section with the table of experts; empty without experts.
pub(super) fn experts_section(experts: &[Expert], accuracy: &Accuracy, train: &NeuralCollapse) -> String {
    let table = expert_table(experts, accuracy, train);
    let Some((titles, rows)) = table.split_first() else { return String::new() };
    let cells = |row: &[String], tag: &str| {
        row.iter().map(|cell| format!("<{tag}>{cell}</{tag}>")).collect::<Vec<_>>().concat()
    };
    let mut out = format!(
        "<section>\n<h2>Experts</h2>\n<p class=\"notes\">Each expert with its own classifier, and the mean of their logits, \
         which gives the predictions. Accuracy is that of the test images; the mean nearest angle in degrees and NC1 are \
         those of the training features, scaled to unit norm for a cosine classifier; the last columns are the share of \
         test images on which two experts agree.</p>\n<div class=\"wide\"><table>\n\
         <thead><tr>{}</tr></thead>\n",
        cells(titles, "th")
    );
    for row in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "<tr>{}</tr>", cells(row, "td"));
    }
    out.push_str("</table></div>\n</section>\n");
    out
}
