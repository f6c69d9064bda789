//! The experts of a network of several, beside each other.

use std::fmt::Write;

use nc_record::Expert;

use super::tiles::percent;

/// Titles of [`expert_rows`].
pub fn expert_titles(experts: usize) -> Vec<String> {
    let fixed = ["expert", "accuracy", "many", "medium", "few", "nearest angle", "NC1"];
    let agreement = (1..=experts).map(|number| format!("as expert {number}"));
    fixed.map(str::to_owned).into_iter().chain(agreement).collect()
}

/// One row per expert: its number from 1, test accuracy and that of the shot groups, mean nearest angle in degrees and NC1
/// (each class the same) of the training features, and the share of test images on which it decides as each expert.
pub fn expert_rows(experts: &[Expert]) -> Vec<Vec<String>> {
    let row = |(number, expert): (usize, &Expert)| {
        let accuracy = expert.test_accuracy;
        let shares = [Some(accuracy.all), accuracy.many, accuracy.medium, accuracy.few].map(percent);
        let figure = |key: &str, decimals: usize| {
            expert.train.get(key).map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
        };
        let angle = figure("nc2.centered_means.mean_nearest_angle_degrees", 1);
        let within = figure("nc1.trace.class_weighted", 3);
        let agreement = expert.agreement.iter().map(|&share| percent(Some(share)));
        [number.to_string()].into_iter().chain(shares).chain([angle, within]).chain(agreement).collect()
    };
    (1..).zip(experts).map(row).collect()
}

/// A section with the table of experts; empty without experts.
pub(super) fn experts_section(experts: &[Expert]) -> String {
    if experts.is_empty() {
        return String::new();
    }
    let cells = |row: &[String], tag: &str| {
        row.iter().map(|cell| format!("<{tag}>{cell}</{tag}>")).collect::<Vec<_>>().concat()
    };
    let mut out = format!(
        "<section>\n<h2>Experts</h2>\n<p class=\"notes\">Each expert with its own classifier. Accuracy is that of the test \
         images, angle and NC1 those of the training features; the last columns are the share of test images on which two \
         experts decide alike. All other figures of this page are those of the mean of their logits, on the features of \
         all experts side by side.</p>\n<div class=\"wide\"><table>\n<thead><tr>{}</tr></thead>\n",
        cells(&expert_titles(experts.len()), "th")
    );
    for row in expert_rows(experts) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "<tr>{}</tr>", cells(&row, "td"));
    }
    out.push_str("</table></div>\n</section>\n");
    out
}
