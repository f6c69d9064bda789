use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use super::criterion;
use super::files::read_json;
use super::machine::Machine;
use super::page::{self, Measured};
use super::parity::Parity;
use super::{
    bf16, methods,
    program::Rounds,
    step::{self, Steps},
    transforms,
};
use crate::cargo::workspace;

/// Benchmark training steps, kernels, losses, metrics and loader, and write docs/performance.md.
///
/// Takes about half an hour on two otherwise idle cores. The measurements are stored in docs/performance.json.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Alternate training steps with the same work in PyTorch (channels last), run by this Python.
    #[arg(long, value_name = "PYTHON")]
    against_torch: Option<PathBuf>,
}

#[derive(clap::Subcommand)]
enum What {
    Step(step::Args),
    Transforms(transforms::Args),
    Bf16(bf16::Args),
    Methods(methods::Args),
    /// Take the table that the bundle of `cargo xtask gpu-check` wrote on a machine with a GPU.
    Gpu {
        /// `table.md` of the bundle.
        table: PathBuf,
    },
    /// Rewrite docs/performance.md from docs/performance.json and the records of runs.
    Page,
}

impl Args {
    pub(crate) fn run(self) -> Result<()> {
        match self.what {
            Some(What::Step(step)) => step.run(),
            Some(What::Transforms(transforms)) => {
                let mut measured = measured()?;
                measured.transforms = Some(transforms.measure()?);
                store(&measured)
            }
            Some(What::Bf16(bf16)) => {
                let mut measured = measured()?;
                measured.bf16 = Some(bf16.measure()?);
                store(&measured)
            }
            Some(What::Methods(methods)) => {
                let mut measured = measured()?;
                measured.methods = Some(methods.measure()?);
                store(&measured)
            }
            Some(What::Gpu { table }) => {
                let text = fs::read_to_string(&table);
                let text = text.with_context(|| format!("cannot read {}", table.display()))?;
                let mut measured = measured()?;
                measured.gpu = Some(text.trim().to_owned());
                store(&measured)
            }
            Some(What::Page) => write_page(),
            None => store(&self.measure()?),
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
            // Measured elsewhere.
            gpu: measured().ok().and_then(|measured| measured.gpu),
            bf16: Some(
                bf16::Args { against_torch: self.against_torch.clone(), rounds: rounds.count }.measure()?,
            ),
            methods: Some(methods::Args { rounds: rounds.count }.measure()?),
            transforms: Some(
                transforms::Args { against_torch: self.against_torch.clone(), rounds: rounds.count }
                    .measure()?,
            ),
        })
    }
}

/// The stored measurements.
fn measured() -> Result<Measured> {
    read_json(&workspace().join("docs/performance.json"))
}

/// Stores measurements and writes their page.
fn store(measured: &Measured) -> Result<()> {
    write("performance.json", &(serde_json::to_string_pretty(measured)? + "\n"))?;
    write_page()
}

fn write_page() -> Result<()> {
    write("performance.md", &page::render(&measured()?, Parity::read(&workspace().join("results"))?.as_ref()))
}

fn write(name: &str, text: &str) -> Result<()> {
    let path = workspace().join("docs").join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_matches_the_measurements() {
        let read = |name| fs::read_to_string(workspace().join("docs").join(name)).unwrap();
        let measured: Measured = serde_json::from_str(&read("performance.json")).unwrap();
        let parity = Parity::read(&workspace().join("results")).unwrap();
        assert!(
            read("performance.md") == page::render(&measured, parity.as_ref()),
            "run `cargo xtask bench page`"
        );
    }
}
