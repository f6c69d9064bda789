//! Measuring speed, and the page of what was measured.

mod criterion;
mod machine;
mod page;
mod step;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cargo::workspace;
use criterion::Benchmark;
use machine::Machine;
use step::{Rounds, Steps};

/// Measure speed and write docs/performance.md: whole steps, kernels, losses, metrics and loader.
///
/// Takes about a quarter of an hour on two cores, on which nothing else should run. The figures are kept in
/// docs/performance.json.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Alternate whole steps with the same work in PyTorch (channels last), run by this Python.
    #[arg(long, value_name = "PYTHON")]
    against_torch: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum What {
    Step(step::Args),
    /// Write docs/performance.md anew from docs/performance.json.
    Page,
}

/// All that the page shows.
#[derive(Serialize, Deserialize)]
struct Measured {
    machine: Machine,
    steps: Vec<Steps>,
    benchmarks: Vec<Benchmark>,
}

impl Args {
    pub(crate) fn run(self) -> Result<()> {
        match self.what {
            Some(What::Step(step)) => step.run(),
            Some(What::Page) => write_page(),
            None => {
                let measured = self.measure()?;
                let text = serde_json::to_string_pretty(&measured)? + "\n";
                write("performance.json", &text)?;
                write_page()
            }
        }
    }

    fn measure(&self) -> Result<Measured> {
        let torch = self.against_torch.as_deref();
        let rounds = Rounds { threads: 2, steps: 15, count: 3 };
        let wide = Rounds { steps: 6, ..rounds };
        Ok(Measured {
            machine: Machine::this(torch)?,
            steps: vec![
                Steps::measure("resnet32", torch, rounds, true)?,
                Steps::measure("resnet18", torch, wide, true)?,
            ],
            benchmarks: criterion::measure()?,
        })
    }
}

fn write_page() -> Result<()> {
    let measured = read_json(&workspace().join("docs/performance.json"))?;
    write("performance.md", &page::render(&measured))
}

/// What a JSON file holds.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} does not hold what it should", path.display()))
}

/// What `command` prints.
fn printed(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| format!("cannot start {program}"))?;
    ensure!(output.status.success(), "{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn write(name: &str, text: &str) -> Result<()> {
    let path = workspace().join("docs").join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_figures_that_is_none_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let told = |file: &str| {
            let error = format!("{:#}", read_json::<Measured>(&dir.path().join(file)).err().unwrap());
            error.replace(&dir.path().display().to_string(), "DIRECTORY")
        };
        fs::write(dir.path().join("figures.json"), "{\"machine\": 3}").unwrap();
        assert_eq!(
            told("figures.json"),
            "DIRECTORY/figures.json does not hold what it should: invalid type: integer `3`, expected struct Machine at \
             line 1 column 13"
        );
        assert_eq!(
            told("none.json"),
            "cannot read DIRECTORY/none.json: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn the_page_shows_what_was_measured() {
        let read = |name| fs::read_to_string(workspace().join("docs").join(name)).unwrap();
        let measured: Measured = serde_json::from_str(&read("performance.json")).unwrap();
        assert!(read("performance.md") == page::render(&measured), "run `cargo xtask bench page`");
    }
}
