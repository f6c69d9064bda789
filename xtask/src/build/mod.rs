//! Building `nclt` for an accelerator: what the build needs is looked for first, since Candle's build scripts say badly
//! what is missing.

mod cuda;
mod host_compiler;
mod libraries;
#[cfg(test)]
mod tests;
mod tools;

use std::ffi::OsString;

use anyhow::{Result, bail, ensure};

use crate::cargo::Cargo;
use tools::{ThisMachine, Tools};

/// What the build script of intel-mkl-src 0.8.1 does.
const MKL: &str = "MKL: an installed one (pkg-config, MKLROOT, /opt/intel), else the build downloads one from ghcr.io; with \
                   neither, linking fails";

/// Build `nclt` for an accelerator, or for the CPU; looks for what the build needs before it starts.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    accelerators: Accelerators,
    /// Print environment and command in place of building.
    #[arg(long)]
    dry_run: bool,
    /// Further arguments of `cargo build`.
    #[arg(last = true)]
    further: Vec<OsString>,
}

/// What Candle is to compute with.
#[allow(clippy::struct_excessive_bools)] // flags of a command line
#[derive(Default, clap::Args)]
pub(crate) struct Accelerators {
    /// NVIDIA's GPUs.
    #[arg(long)]
    cuda: bool,
    /// NVIDIA's GPUs, with convolutions by cuDNN.
    #[arg(long)]
    cudnn: bool,
    /// Apple's GPUs.
    #[arg(long)]
    metal: bool,
    /// Intel's MKL for matrix products on the CPU.
    #[arg(long)]
    mkl: bool,
    /// Apple's Accelerate for matrix products on the CPU.
    #[arg(long)]
    accelerate: bool,
    /// The GPU's compute capability, as 80; else that of the least of the machine's GPUs.
    #[arg(long, value_name = "N")]
    compute_cap: Option<String>,
}

impl Args {
    pub(crate) fn run(self) -> Result<()> {
        let plan = self.accelerators.plan(&ThisMachine)?;
        let cargo = [vec!["build".into(), "--release".into()], plan.cargo_args(), self.further].concat();
        if self.dry_run { print(&plan.describe(&cargo)) } else { plan.cargo(cargo).run() }
    }
}

impl Accelerators {
    /// Takes its own flags out of arguments for another command.
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
                    let Some(cap) = args.next() else { bail!("--compute-cap needs a number, as 80") };
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

    /// How this machine builds with them.
    ///
    /// # Errors
    ///
    /// What is missing, and how to get it.
    pub(crate) fn plan_here(&self) -> Result<Plan> {
        self.plan(&ThisMachine)
    }

    fn plan(&self, tools: &impl Tools) -> Result<Plan> {
        let (system, processor) = tools.platform();
        let cuda = self.cuda || self.cudnn;
        let mut plan = Plan::default();
        for (wanted, flag) in [(self.metal, "--metal"), (self.accelerate, "--accelerate")] {
            ensure!(!wanted || system == "macos", "{flag}: it is a part of macOS, and this is {system}");
        }
        ensure!(!(cuda && self.metal), "--cuda and --metal are for different machines: choose one");
        ensure!(!(self.mkl && self.accelerate), "--mkl and --accelerate do the same: choose one");
        ensure!(cuda || self.compute_cap.is_none(), "--compute-cap is for --cuda or --cudnn");
        if cuda {
            cuda::probe(tools, self.compute_cap.as_deref(), self.cudnn, &mut plan)?;
            plan.features.push(if self.cudnn { "cudnn" } else { "cuda" });
            plan.device = Some("cuda");
        }
        if self.metal {
            plan.features.push("metal");
            plan.device = Some("metal");
        }
        if self.mkl {
            ensure!(processor == "x86_64", "--mkl: MKL is for x86-64 processors, and this is {processor}");
            plan.note(MKL.into());
            plan.features.push("mkl");
        }
        if self.accelerate {
            plan.features.push("accelerate");
        }
        Ok(plan)
    }
}

/// How to build.
#[derive(Default)]
pub(crate) struct Plan {
    notes: Vec<String>,
    env: Vec<(&'static str, String)>,
    features: Vec<&'static str>,
    device: Option<&'static str>,
}

impl Plan {
    fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    fn env(&mut self, name: &'static str, value: impl Into<String>) {
        self.env.push((name, value.into()));
    }

    /// A variable as the build will see it.
    fn var(&self, tools: &impl Tools, name: &str) -> Option<String> {
        let planned = self.env.iter().find(|(known, _)| *known == name);
        planned.map(|(_, value)| value.clone()).or_else(|| tools.var(name))
    }

    /// The `--device` of `nclt` that it is for.
    pub(crate) fn device(&self) -> Option<&'static str> {
        self.device
    }

    /// Package and features.
    pub(crate) fn cargo_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["--package".into(), "nc-cli".into()];
        if !self.features.is_empty() {
            args.extend(["--features".into(), self.features.join(",").into()]);
        }
        args
    }

    /// Cargo with `args` in the environment it needs; says what was found.
    #[allow(clippy::print_stderr)]
    pub(crate) fn cargo(&self, args: Vec<OsString>) -> Cargo {
        for note in &self.notes {
            eprintln!("{note}");
        }
        self.env.iter().fold(Cargo::new(args), |cargo, (name, value)| cargo.env(name, value))
    }

    /// What was found, and the environment and the command that it comes to, for a shell.
    fn describe(&self, cargo: &[OsString]) -> String {
        let notes = self.notes.iter().map(|note| format!("# {note}\n"));
        let env = self.env.iter().map(|(name, value)| format!("{name}={} \\\n", quoted(value)));
        let command: Vec<_> = cargo.iter().map(|arg| arg.to_string_lossy()).collect();
        notes.chain(env).chain([format!("cargo {}\n", command.join(" "))]).collect()
    }
}

/// For a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=,@".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn print(text: &str) -> Result<()> {
    use std::io::Write;
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
