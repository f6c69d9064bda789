//! The benchmarked program: the example `step` of nc-train.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::files::printed;
use crate::cargo::Cargo;

/// Number of threads, steps of each run, and runs of each program.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Rounds {
    pub(super) threads: usize,
    pub(super) steps: usize,
    pub(super) count: usize,
}

/// Figures printed by the program, by name.
pub(super) type Figures = BTreeMap<String, f64>;

/// Builds the program in the workspace `source` and returns its path.
pub(super) fn build(source: &Path, target: &Path) -> Result<PathBuf> {
    // An explicit target directory: with another in the user's configuration, an older program would be measured.
    Cargo::new(["build", "--release", "--package", "nc-train", "--example", "step"])
        .args(vec!["--target-dir".into(), target.into()])
        .directory(source)
        .run()?;
    Ok(target.join("release/examples").join(format!("step{}", std::env::consts::EXE_SUFFIX)))
}

/// Runs `command` on `network` and returns its figures. Fails if an expected figure is missing.
pub(super) fn run_for(
    expected: &[&str],
    command: &mut Command,
    mode: &str,
    network: &str,
    rounds: Rounds,
) -> Result<Figures> {
    let text =
        printed(command.args([mode, network, &rounds.threads.to_string(), &rounds.steps.to_string()]))?;
    parse(&text, expected).with_context(|| command.get_program().display().to_string())
}

/// Parses the figures among the lines of `text`.
pub(super) fn parse(text: &str, expected: &[&str]) -> Result<Figures> {
    let figure = |line: &str| {
        line.split_once(' ').and_then(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
    };
    let figures: Figures = text.lines().filter_map(figure).collect();
    for name in expected {
        ensure!(figures.contains_key(*name), "expected {name} in the output, found:\n{text}");
    }
    Ok(figures)
}

/// Median; `None` if `values` is empty.
pub(super) fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    Some(f64::midpoint(values[(values.len() - 1) / 2], upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_parsed_and_a_missing_figure_is_an_error() {
        let text = "a line of something else\nmedian_ms 117.800\nmin_ms 114.900\n";
        assert_eq!(
            parse(text, &["median_ms"]).unwrap(),
            Figures::from([("median_ms".to_owned(), 117.8), ("min_ms".to_owned(), 114.9)])
        );
        let error = parse(text, &["median_ms", "peak_mb"]).unwrap_err().to_string();
        assert_eq!(error, format!("expected peak_mb in the output, found:\n{text}"));
    }
}
