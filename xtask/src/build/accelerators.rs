use std::ffi::OsString;

use anyhow::{Result, bail, ensure};

use super::tools::{ThisMachine, Tools};
use super::{Plan, cuda};

/// Where the build script of intel-mkl-src 0.8.1 finds MKL.
const MKL: &str = "MKL: the installed version (pkg-config, MKLROOT, /opt/intel), or else a download from ghcr.io; \
                   without either, linking fails";

/// Accelerators of Candle.
#[allow(clippy::struct_excessive_bools)] // flags of a command line
#[derive(Default, clap::Args)]
pub(crate) struct Accelerators {
    /// NVIDIA GPUs.
    #[arg(long)]
    pub(super) cuda: bool,
    /// NVIDIA GPUs, with cuDNN for convolutions.
    #[arg(long)]
    pub(super) cudnn: bool,
    /// Apple GPUs.
    #[arg(long)]
    metal: bool,
    /// Intel MKL for matrix products on the CPU.
    #[arg(long)]
    mkl: bool,
    /// Apple's Accelerate for matrix products on the CPU.
    #[arg(long)]
    accelerate: bool,
    /// Compute capability of the GPU, such as 80 [default: the lowest among this machine's GPUs].
    #[arg(long, value_name = "N")]
    pub(super) compute_cap: Option<String>,
}

impl Accelerators {
    /// Splits the accelerator flags from the arguments of another command.
    pub(crate) fn take(args: Vec<OsString>) -> Result<(Self, Vec<OsString>)> {
        let mut taken = Self::default();
        let mut rest = vec![];
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.to_str() {
                Some("--cuda") => taken.cuda = true,
                Some("--cudnn") => taken.cudnn = true,
                Some("--metal") => taken.metal = true,
                Some("--mkl") => taken.mkl = true,
                Some("--accelerate") => taken.accelerate = true,
                Some("--compute-cap") => {
                    let Some(cap) = args.next() else { bail!("--compute-cap needs a number, such as 80") };
                    taken.compute_cap = Some(cap.to_string_lossy().into_owned());
                }
                Some(text) if text.starts_with("--compute-cap=") => {
                    taken.compute_cap = text.split_once('=').map(|(_, cap)| cap.to_owned());
                }
                _ => rest.push(arg),
            }
        }
        Ok((taken, rest))
    }

    /// Plans the build on this machine.
    ///
    /// # Errors
    ///
    /// Reports a missing prerequisite and how to install it.
    pub(crate) fn plan_here(&self) -> Result<Plan> {
        self.plan(&ThisMachine)
    }

    pub(super) fn plan(&self, tools: &impl Tools) -> Result<Plan> {
        let (system, processor) = tools.platform();
        let cuda = self.cuda || self.cudnn;
        let mut plan = Plan::default();
        for (wanted, flag) in [(self.metal, "--metal"), (self.accelerate, "--accelerate")] {
            ensure!(!wanted || system == "macos", "{flag} needs macOS, found {system}");
        }
        ensure!(!(cuda && self.metal), "--cuda and --metal cannot be combined: choose one");
        ensure!(!(self.mkl && self.accelerate), "--mkl and --accelerate cannot be combined: choose one");
        ensure!(cuda || self.compute_cap.is_none(), "--compute-cap needs --cuda or --cudnn");
        if cuda {
            cuda::probe(tools, self.compute_cap.as_deref(), self.cudnn, &mut plan)?;
            plan.features.push(if self.cudnn { "cudnn" } else { "cuda" });
            plan.device = Some("candle-cuda");
        }
        if self.metal {
            plan.features.push("metal");
            plan.device = Some("metal");
        }
        if self.mkl {
            ensure!(processor == "x86_64", "--mkl needs an x86-64 processor, found {processor}");
            plan.note(MKL.into());
            plan.features.push("mkl");
        }
        if self.accelerate {
            plan.features.push("accelerate");
        }
        Ok(plan)
    }
}
