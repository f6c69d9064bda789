//! Number formatting.

use crate::{Cell, Provenance};

/// One decimal; empty for none.
pub(crate) fn figure(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.1}"))
}

/// As published, with one decimal or more; empty for none.
pub(crate) fn published(value: Option<f64>) -> String {
    // Debug keeps the decimal of whole numbers.
    value.map_or_else(String::new, |value| format!("{value:?}"))
}

/// One decimal with sign; empty for none.
pub(crate) fn difference(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:+.1}"))
}

/// `73.2 ± 0.3 (3 seeds)`: mean, standard deviation and number of runs.
pub(crate) fn measured(cell: &Cell) -> String {
    match (cell.mean(), cell.std()) {
        (None, _) => String::new(),
        (Some(mean), None) => format!("{mean:.1} (1 seed)"),
        (Some(mean), Some(std)) => format!("{mean:.1} ± {std:.1} ({} seeds)", cell.runs.len()),
    }
}

/// `83.4 / 71.5 / -`: means over the runs.
pub(crate) fn shots(cell: &Cell) -> String {
    let means = [0, 1, 2].map(|group: usize| mean(cell.runs.iter().map(|run| run.shots[group])));
    if means == [None; 3] {
        return String::new();
    }
    means.map(|mean| mean.map_or_else(|| "-".into(), |mean| format!("{mean:.1}"))).join(" / ")
}

/// `83.5°`: mean over the runs, with the ideal angle if it differs from the header's.
pub(crate) fn angle(cell: &Cell, header: Option<f64>) -> String {
    let own = cell.runs.first().and_then(|run| run.ideal_angle);
    let ideal = own.filter(|_| own != header).map_or_else(String::new, |ideal| format!(" of {ideal:.1}°"));
    mean(cell.runs.iter().map(|run| run.nearest_angle))
        .map_or_else(String::new, |mean| format!("{mean:.1}°{ideal}"))
}

/// The mean; none if any run has no value.
pub(crate) fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// `40 + 2`.
pub(crate) fn epochs(provenance: &Provenance) -> String {
    let epochs: Vec<String> = provenance.epochs.iter().map(ToString::to_string).collect();
    epochs.join(" + ")
}

/// `29 min`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else if seconds < 5400.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}

/// The first 8 digits.
pub(crate) fn short(hash: &str) -> &str {
    hash.char_indices().nth(8).map_or(hash, |(end, _)| &hash[..end])
}

/// `12,406`.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
