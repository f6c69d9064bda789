use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{
    against::Comparison,
    machine::{Machine, torch_version},
    program::{Figures, Rounds, build, middle, run_for},
};
use crate::cargo::workspace;

/// Benchmark a training step and an evaluation pass (batch 128, 3x32x32), and the shares of a step spent on L_W + L_B
/// and on waiting for the loader.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Compare training steps with another revision: alternate both programs and print the ratio of their times in each
    /// round.
    ///
    /// The other revision is checked out and built below target/against and kept there for the next comparison;
    /// `git worktree remove target/against/tree` removes it. The first comparison compiles Candle again, which takes
    /// minutes.
    #[arg(long, value_name = "REV", conflicts_with = "against_torch")]
    against: Option<String>,
    /// Alternate with the same work in PyTorch (channels last), run by this Python.
    #[arg(long, value_name = "PYTHON")]
    against_torch: Option<PathBuf>,
    /// Network.
    #[arg(long, default_value = "resnet32", value_parser = NETWORKS)]
    model: String,
    /// Threads of each program.
    #[arg(long, default_value_t = 2, value_parser = at_least_one)]
    threads: usize,
    /// Steps per round, after two warm-up steps.
    #[arg(long, default_value_t = 15, value_parser = at_least_one)]
    steps: usize,
    /// Rounds; each figure is the median over the rounds.
    #[arg(long, default_value_t = 3, value_parser = at_least_one)]
    rounds: usize,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Networks for 32x32 pixels.
const SMALL: [&str; 2] = ["resnet32", "resnet18"];
/// Those, and torchvision's for 224x224.
const NETWORKS: [&str; 5] = [SMALL[0], SMALL[1], "imagenet-resnet18", "resnet50", "resnext50-32x4d"];

/// Steps with Candle's own layers, in one round, because they are slow and vary little.
pub(super) const STOCK_STEPS: usize = 3;

/// Measurements of one network.
#[derive(Serialize, Deserialize)]
pub(super) struct Steps {
    pub(super) network: String,
    pub(super) rounds: Rounds,
    pub(super) train: Pass,
    pub(super) eval: Pass,
    /// Shares of a training step in percent.
    pub(super) shares: Figures,
}

/// The same pass by several programs: times in milliseconds, memory in MB.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Pass {
    pub(super) ours: Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) torch: Option<Figures>,
    /// Our median time divided by that of PyTorch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratio: Option<f64>,
    /// Ours with the kernels of processors without AVX-512.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) avx2: Option<Figures>,
    /// Candle's own layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stock: Option<Figures>,
}

impl Args {
    pub(super) fn run(self) -> Result<()> {
        let rounds = Rounds { threads: self.threads, steps: self.steps, count: self.rounds };
        if let Some(revision) = &self.against {
            let compared = Comparison::measure(revision, &self.model, rounds)?;
            return print(&if self.json {
                serde_json::to_string(&compared)? + "\n"
            } else {
                compared.text()
            });
        }
        // Fail before minutes of compiling.
        self.against_torch.as_deref().map(torch_version).transpose()?;
        let steps = Steps::measure(&self.model, self.against_torch.as_deref(), rounds, false)?;
        print(&if self.json { serde_json::to_string(&steps)? + "\n" } else { steps.text() })
    }
}

impl Steps {
    /// Measures `network`; with `more`, also without AVX-512 and with Candle's own layers.
    pub(super) fn measure(network: &str, torch: Option<&Path>, rounds: Rounds, more: bool) -> Result<Self> {
        let ours = build(&workspace(), &workspace().join("target"))?;
        let script = workspace().join("xtask/bench/step.py");
        let pass = |mode| {
            let torch = torch.map(|python| (python, &script));
            let avx2 = more && Machine::has_avx512();
            let mut measured: [Vec<Figures>; 3] = Default::default();
            for _ in 0..rounds.count {
                let mut command = Command::new(&ours);
                measured[0].push(run(command.env_remove("NC_KERNELS_ISA"), mode, network, rounds)?);
                if let Some((python, script)) = torch {
                    measured[1].push(run(Command::new(python).arg(script), mode, network, rounds)?);
                }
                if avx2 {
                    let mut command = Command::new(&ours);
                    measured[2].push(run(command.env("NC_KERNELS_ISA", "avx2"), mode, network, rounds)?);
                }
            }
            let [ours_figures, torch, avx2] = measured.map(|rounds| median(&rounds));
            let ours_figures = ours_figures.context("no round was measured")?;
            let stock = if more && network == "resnet32" {
                let few = Rounds { steps: STOCK_STEPS, ..rounds };
                Some(run(&mut Command::new(&ours), mode, "stock-resnet32", few)?)
            } else {
                None
            };
            let time = |figures: &Figures| figures.get("median_ms").copied();
            let ratio = torch.as_ref().and_then(|torch| Some(time(&ours_figures)? / time(torch)?));
            Ok::<_, anyhow::Error>(Pass { ours: ours_figures, torch, ratio, avx2, stock })
        };
        Ok(Self {
            network: network.to_owned(),
            rounds,
            train: pass("train")?,
            eval: pass("eval")?,
            shares: if SMALL.contains(&network) {
                run(&mut Command::new(&ours), "shares", network, rounds)?
            } else {
                Figures::default()
            },
        })
    }

    fn text(&self) -> String {
        let mut lines = vec![];
        for (mode, pass) in [("train", &self.train), ("eval", &self.eval)] {
            for (who, figures) in [("ours", Some(&pass.ours)), ("PyTorch", pass.torch.as_ref())] {
                let Some(figures) = figures else { continue };
                let figure = |name: &str| figures.get(name).copied().unwrap_or(f64::NAN);
                let (median, least, peak) = (figure("median_ms"), figure("min_ms"), figure("peak_mb"));
                lines.push(format!(
                    "{mode:5} {who:8} median {median:8.1} ms   least {least:8.1} ms   peak {peak:6.0} MB"
                ));
            }
            lines.extend(pass.ratio.map(|ratio| format!("{mode:5} ratio    {ratio:.2}")));
        }
        for (name, percent) in &self.shares {
            let words = name.replace("_percent", "").replace('_', " ");
            lines.push(format!("{words}: {percent:.2} % of a step"));
        }
        lines.join("\n") + "\n"
    }
}

/// Runs `command` on `network` and returns its figures.
pub(super) fn run(command: &mut Command, mode: &str, network: &str, rounds: Rounds) -> Result<Figures> {
    let expected: &[&str] = match mode {
        "shares" => &["K10_regularisers_percent", "K100_regularisers_percent", "K10_loader_wait_percent"],
        _ => &["median_ms", "min_ms", "peak_mb"],
    };
    run_for(expected, command, mode, network, rounds)
}

/// Median of each figure over the rounds; `None` without rounds.
pub(super) fn median(rounds: &[Figures]) -> Option<Figures> {
    let names = rounds.first()?.keys();
    let median_of = |name: &String| {
        let values = rounds.iter().filter_map(|round| round.get(name).copied()).collect();
        Some((name.clone(), middle(values)?))
    };
    names.map(median_of).collect()
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "expected a whole number from 1".into())
}

fn print(text: &str) -> Result<()> {
    use std::io::Write;
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_rounds_is_a_midpoint() {
        let round = |time: f64| Figures::from([("median_ms".to_owned(), time)]);
        let of = |times: &[f64]| median(&times.iter().map(|&time| round(time)).collect::<Vec<_>>());
        assert_eq!(of(&[5.0, 1.0, 2.0]).unwrap()["median_ms"], 2.0);
        assert_eq!(of(&[5.0, 1.0, 2.0, 4.0]).unwrap()["median_ms"], 3.0);
        assert!(of(&[]).is_none());
    }
}
