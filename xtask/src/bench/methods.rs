use std::{fmt::Write as _, process::Command};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{
    machine::Machine,
    program::{Rounds, build, middle, run_for},
};
use crate::cargo::workspace;

/// Measure training steps of methods relative to cross entropy, in f32 and bf16; renew their section of docs/performance.md.
///
/// Takes about seven minutes. Each run of a method follows one of cross entropy, each on two threads.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Runs of each method.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) rounds: usize,
}

/// Steps of each run.
const STEPS: usize = 8;
const DATA: &str = "cifar100-lt-r100";
const CONTROL: &str = "ce";
/// Methods, and the views of each batch that their network sees.
const METHODS: [(&str, usize); 11] = [
    ("ce+sam", 1),
    ("ce+weight-average", 1),
    ("bbn", 2),
    ("ride-2", 1),
    ("ride-3", 1),
    ("ride-3+nc", 1),
    ("ride-4", 1),
    ("kcl-200", 2),
    ("bcl", 3),
    ("proco", 3),
    ("class-mean-contrast", 3),
];
/// Modes of the program, and their names.
const PRECISIONS: [(&str, &str); 2] = [("train", "f32"), ("train-bf16", "bf16")];

/// Measurements of training steps.
#[derive(Serialize, Deserialize)]
pub(super) struct Methods {
    machine: Machine,
    rounds: usize,
    /// Milliseconds of a step of cross entropy in each precision.
    control: [f64; 2],
    relative: Vec<Method>,
}

/// A method relative to cross entropy.
#[derive(Serialize, Deserialize)]
struct Method {
    name: String,
    views: usize,
    /// Multiply-adds of the forward pass of an image.
    multiply_adds: f64,
    /// Times of a step in each precision.
    times: [Times; 2],
}

/// Ratios of the rounds.
#[derive(Serialize, Deserialize)]
struct Times {
    median: f64,
    least: f64,
    most: f64,
}

impl Args {
    pub(super) fn measure(&self) -> Result<Methods> {
        const TIME: &str = "median_ms";
        const WORK: &str = "multiply_adds";
        let program = build(&workspace(), &workspace().join("target"))?;
        let rounds = Rounds { threads: 2, steps: STEPS, count: self.rounds };
        let run = |method: &str, mode| {
            let mut command = Command::new(&program);
            command.env_remove("NC_KERNELS_ISA");
            run_for(&[TIME, WORK], &mut command, mode, &format!("{DATA}/{method}"), rounds)
        };
        let (mut relative, mut controls) = (vec![], [vec![], vec![]]);
        for (name, views) in METHODS {
            let mut multiply_adds = f64::NAN;
            let mut times = vec![];
            for ((mode, _), controls) in PRECISIONS.into_iter().zip(&mut controls) {
                let mut ratios = vec![];
                for _ in 0..rounds.count {
                    let (control, method) = (run(CONTROL, mode)?, run(name, mode)?);
                    controls.push(control[TIME]);
                    ratios.push(method[TIME] / control[TIME]);
                    multiply_adds = method[WORK] / control[WORK];
                }
                let [least, most] = [f64::min, f64::max].map(|of| ratios.iter().copied().fold(f64::NAN, of));
                times.push(Times { median: middle(ratios).context("no round was measured")?, least, most });
            }
            let times = times.try_into().map_err(|_| anyhow::anyhow!("expected a time per precision"))?;
            relative.push(Method { name: name.into(), views, multiply_adds, times });
        }
        let control = controls.map(|times| middle(times).unwrap_or(f64::NAN));
        Ok(Methods { machine: Machine::this(None)?, rounds: self.rounds, control, relative })
    }
}

impl Methods {
    /// The section of the page.
    pub(super) fn text(&self) -> String {
        let Machine { processor, cores, vectors, .. } = &self.machine;
        let [f32s, bf16] = self.control;
        let mut text = format!(
            "\n## Training steps of methods\n\nTime of a training step of ResNet-32, 128 images in each view, 100 classes, without the \
             loader, relative to a step of `{CONTROL}` ({f32s:.0} ms in f32, {bf16:.0} ms in bf16) just before it: median of {} runs, \
             least and most; {STEPS} steps each on two threads ({processor}, {cores} cores, {vectors}). Multiply-adds of the forward pass \
             of one image are relative to those of `{CONTROL}`; those of `bbn` are of evaluation, where an image passes through both branches.\n\n\
             ```sh\ncargo xtask bench methods\n```\n\n| preset of {DATA} | views | multiply-adds | f32 | bf16 |\n\
             |---|---:|---:|---:|---:|\n",
            self.rounds
        );
        for Method { name, views, multiply_adds, times } in &self.relative {
            let times = times
                .each_ref()
                .map(|Times { median, least, most }| format!("**{median:.2}** ({least:.2} to {most:.2})"));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| `{name}` | {views} | {multiply_adds:.2} | {} |", times.join(" | "));
        }
        text
    }
}
