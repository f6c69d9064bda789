use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};

use crate::cargo::{Cargo, workspace};

/// Bundle a check of the CUDA kernels for a machine with a GPU: program, script and PyTorch's steps.
///
/// Copy the directory there and start `run.sh`: no Rust and no CUDA toolkit is needed, but a driver and NVRTC. It compares steps
/// of ResNet-32 with the CPU's, measures them beside PyTorch's if that is installed, and writes table.md.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Output directory.
    #[arg(long, value_name = "DIR", default_value = "target/gpu-check")]
    out: PathBuf,
}

const SCRIPTS: [&str; 2] = ["run.sh", "torch_steps.py"];

impl Args {
    #[allow(clippy::print_stdout)]
    pub(crate) fn run(self) -> Result<()> {
        Cargo::new(["build", "--release", "--package", "nc-train", "--example", "gpu_check"]).run()?;
        fs::create_dir_all(&self.out).with_context(|| format!("cannot create {}", self.out.display()))?;
        for script in SCRIPTS {
            let from = workspace().join("xtask/gpu_check").join(script);
            fs::copy(&from, self.out.join(script))
                .with_context(|| format!("cannot copy {}", from.display()))?;
        }
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
        // Line tables are two thirds of the program.
        let status = Command::new("strip")
            .arg("-o")
            .arg(self.out.join("gpu_check"))
            .arg(target.join("release/examples/gpu_check"))
            .status()
            .context("cannot start strip (binutils)")?;
        ensure!(status.success(), "strip failed");
        println!("{}: copy it to a machine with a GPU and start run.sh", self.out.display());
        Ok(())
    }
}
