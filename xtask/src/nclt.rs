use std::ffi::OsString;

use anyhow::Result;

use crate::{build::Accelerators, cargo::Cargo};

/// Arguments passed on to a command of `nclt`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Arguments of the `nclt` command; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl Args {
    /// Builds `nclt` and runs its command `command`.
    pub(crate) fn run(self, command: &str) -> Result<()> {
        Cargo::new(["run", "--release", "--package", "nc-cli", "--", command]).args(self.args).run_last()
    }

    /// Like [`run`](Self::run), with the accelerator flags taken out of the arguments and their device added.
    pub(crate) fn run_accelerated(self, command: &str) -> Result<()> {
        let (accelerators, mut args) = Accelerators::take(self.args)?;
        let plan = accelerators.plan_here()?;
        let names_device = |arg: &OsString| {
            arg.to_str().is_some_and(|arg| arg == "--device" || arg.starts_with("--device="))
        };
        if let Some(device) = plan.device().filter(|_| !args.iter().any(names_device)) {
            args.extend(["--device".into(), device.into()]);
        }
        let run = ["run".into(), "--release".into()];
        plan.cargo([&run[..], &plan.cargo_args(), &["--".into(), command.into()], &args].concat()).run_last()
    }
}
