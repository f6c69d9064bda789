//! Figures as text.

use crate::{Cell, Gain, Provenance};

/// One decimal; nothing for nothing.
pub(crate) fn figure(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.1}"))
}

/// One decimal with its sign.
pub(crate) fn difference(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:+.1}"))
}

/// `73.2 ± 0.3 (3)`: mean, standard deviation and number of runs.
pub(crate) fn measured(cell: &Cell) -> String {
    match (cell.mean(), cell.std()) {
        (None, _) => String::new(),
        (Some(mean), None) => format!("{mean:.1} ({})", cell.runs.len()),
        (Some(mean), Some(std)) => format!("{mean:.1} ± {std:.1} ({})", cell.runs.len()),
    }
}

/// `+6.8 / +0.4`: published and measured.
pub(crate) fn gain(gain: Gain) -> String {
    match (gain.published, gain.measured) {
        (None, None) => String::new(),
        (published, measured) => {
            let or_dash =
                |value: Option<f64>| value.map_or_else(|| "–".into(), |value| difference(Some(value)));
            format!("{} / {}", or_dash(published), or_dash(measured))
        }
    }
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
