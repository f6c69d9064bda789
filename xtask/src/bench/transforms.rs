use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{
    files::printed,
    machine::Machine,
    program::{self, Rounds, middle, parse},
};
use crate::cargo::{Cargo, workspace};

/// Measure image transforms, beside torchvision on Pillow images and on tensors, and the time that training waits for two
/// strong views; renew their section of docs/performance.md.
///
/// Takes about two minutes. The programs alternate, each on one thread.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Alternate with torchvision, run by this Python.
    #[arg(long, value_name = "PYTHON")]
    pub(super) against_torch: Option<PathBuf>,
    /// Runs of each program.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) rounds: usize,
}

/// Chains of transforms, the images of a run of ours, and of torchvision's.
const CHAINS: [(&str, &str, usize, usize); 2] = [
    ("cifar", "crop, flip, AutoAugment, Cutout, 3x32x32", 100_000, 3_000),
    ("imagenet", "random resized crop to 224, flip, colour jitter, 3x256x256", 2_000, 300),
];

/// Steps of training with two views.
const STEPS: usize = 20;

/// Measurements of image transforms.
#[derive(Serialize, Deserialize)]
pub(super) struct Transforms {
    pub(super) machine: Machine,
    pub(super) rounds: usize,
    pub(super) chains: Vec<Chain>,
    /// Time waiting for the loader of two strong views, in percent of a training step.
    pub(super) waiting_percent: f64,
}

/// Images per second on one thread: medians over the rounds.
#[derive(Serialize, Deserialize)]
pub(super) struct Chain {
    pub(super) name: String,
    pub(super) ours: f64,
    pub(super) pillow: Option<f64>,
    pub(super) tensors: Option<f64>,
}

impl Args {
    pub(super) fn measure(&self) -> Result<Transforms> {
        let torch = self.against_torch.as_deref();
        let ours = build()?;
        let mut chains = vec![];
        for (chain, name, images, images_of_torch) in CHAINS {
            let mut speeds: [Vec<f64>; 3] = Default::default();
            for _ in 0..self.rounds {
                speeds[0].push(speed(Command::new(&ours).args([chain, &images.to_string()]))?);
                if let Some(python) = torch {
                    for (speeds, backend) in speeds[1..].iter_mut().zip(["pillow", "tensors"]) {
                        let mut command = Command::new(python);
                        command.arg(workspace().join("xtask/bench/transforms.py"));
                        speeds.push(speed(command.args([backend, chain, &images_of_torch.to_string()]))?);
                    }
                }
            }
            let [ours, pillow, tensors] = speeds.map(middle);
            chains.push(Chain { name: name.into(), ours: ours.unwrap_or(f64::NAN), pillow, tensors });
        }
        Ok(Transforms {
            machine: Machine::this(torch)?,
            rounds: self.rounds,
            chains,
            waiting_percent: waiting(self.rounds)?,
        })
    }
}

/// Builds the example of nc-data and returns its path.
fn build() -> Result<PathBuf> {
    let target = workspace().join("target");
    Cargo::new(["build", "--release", "--package", "nc-data", "--example", "transforms"])
        .args(vec!["--target-dir".into(), target.clone().into()])
        .directory(&workspace())
        .run()?;
    Ok(target.join("release/examples").join(format!("transforms{}", std::env::consts::EXE_SUFFIX)))
}

fn speed(command: &mut Command) -> Result<f64> {
    const NAME: &str = "images_per_second";
    Ok(parse(&printed(command)?, &[NAME])?[NAME])
}

/// Median over `rounds` runs with two compute threads.
fn waiting(rounds: usize) -> Result<f64> {
    const NAME: &str = "two_views_loader_wait_percent";
    let program = program::build(&workspace(), Path::new(&workspace().join("target")))?;
    let each = Rounds { threads: 2, steps: STEPS, count: rounds };
    let run =
        |_| Ok(program::run_for(&[NAME], &mut Command::new(&program), "waiting", "resnet32", each)?[NAME]);
    Ok(middle((0..rounds).map(run).collect::<Result<_>>()?).unwrap_or(f64::NAN))
}
