use std::{fmt::Write as _, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{
    machine::{Machine, torch_version},
    program::{Figures, Rounds, build},
    step,
};
use crate::cargo::workspace;

/// Measure training steps in f32 and bf16, beside PyTorch in f32 and under bf16 autocast; renew their section of
/// docs/performance.md.
///
/// Takes about three minutes. The programs alternate, each on two threads.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Alternate with PyTorch (channels last), run by this Python.
    #[arg(long, value_name = "PYTHON")]
    pub(super) against_torch: Option<PathBuf>,
    /// Runs of each program.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) rounds: usize,
}

/// Networks, and the steps of each run.
const NETWORKS: [(&str, usize); 2] = [("resnet32", 15), ("resnet18", 5)];

/// Measurements of training in bf16.
#[derive(Serialize, Deserialize)]
pub(super) struct Bf16 {
    machine: Machine,
    rounds: usize,
    networks: Vec<Network>,
}

/// Steps of one network: times in milliseconds, memory in MB.
#[derive(Serialize, Deserialize)]
struct Network {
    name: String,
    ours_f32: Figures,
    torch_f32: Option<Figures>,
    ours_bf16: Figures,
    torch_bf16: Option<Figures>,
}

impl Args {
    pub(super) fn measure(&self) -> Result<Bf16> {
        let torch = self.against_torch.as_deref();
        torch.map(torch_version).transpose()?;
        let ours = build(&workspace(), &workspace().join("target"))?;
        let script = workspace().join("xtask/bench/step.py");
        let mut networks = vec![];
        for (name, steps) in NETWORKS {
            let rounds = Rounds { threads: 2, steps, count: self.rounds };
            let mut measured: [Vec<Figures>; 4] = Default::default();
            for _ in 0..rounds.count {
                for (index, mode) in ["train", "train-bf16"].into_iter().enumerate() {
                    let mut command = Command::new(&ours);
                    command.env_remove("NC_KERNELS_ISA");
                    measured[2 * index].push(step::run(&mut command, mode, name, rounds)?);
                    if let Some(python) = torch {
                        let mut command = Command::new(python);
                        measured[2 * index + 1].push(step::run(command.arg(&script), mode, name, rounds)?);
                    }
                }
            }
            let [ours_f32, torch_f32, ours_bf16, torch_bf16] = measured.map(|rounds| step::median(&rounds));
            let measured = "no round was measured";
            networks.push(Network {
                name: name.to_owned(),
                ours_f32: ours_f32.context(measured)?,
                torch_f32,
                ours_bf16: ours_bf16.context(measured)?,
                torch_bf16,
            });
        }
        Ok(Bf16 { machine: Machine::this(torch)?, rounds: self.rounds, networks })
    }
}

impl Bf16 {
    /// The section of the page.
    pub(super) fn text(&self) -> String {
        let Machine { processor, cores, torch, .. } = &self.machine;
        let torch = torch.as_ref().map(|version| format!(", PyTorch {version}")).unwrap_or_default();
        let mut text = format!(
            "\n## Training in bf16\n\nThe training steps above with `--precision bf16`, and PyTorch's under bf16 autocast; medians of \
             {} alternating runs on two threads ({processor}, {cores} cores{torch}):\n\n```sh\ncargo xtask bench bf16 \
             --against-torch PYTHON\n```\n\n| | ours, f32 | PyTorch, f32 | ours, bf16 | PyTorch, bf16 autocast | ours in bf16 / \
             PyTorch in f32 | ours in bf16 / autocast |\n|---|---:|---:|---:|---:|---:|---:|\n",
            self.rounds
        );
        for network in &self.networks {
            let title = network.name.replace("resnet", "ResNet-");
            for (key, what, unit) in [("median_ms", "step", "ms"), ("peak_mb", "peak memory", "MB")] {
                let figure = |figures: Option<&Figures>| figures?.get(key).copied();
                let show =
                    |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.0} {unit}"));
                let bf16 = figure(Some(&network.ours_bf16));
                let ratio = |of: Option<f64>| {
                    bf16.zip(of)
                        .map_or_else(String::new, |(ours, theirs)| format!("**{:.2}**", ours / theirs))
                };
                let [f32s, bf16s] =
                    [&network.torch_f32, &network.torch_bf16].map(|torch| figure(torch.as_ref()));
                let _ = writeln!(
                    text,
                    "| {title}, {what} | {} | {} | {} | {} | {} | {} |",
                    show(figure(Some(&network.ours_f32))),
                    show(f32s),
                    show(bf16),
                    show(bf16s),
                    ratio(f32s),
                    ratio(bf16s),
                );
            }
        }
        text
    }
}
