use std::{ffi::OsString, io::Write};

use anyhow::Result;

use super::Accelerators;
use super::tools::ThisMachine;

/// Build `nclt` for an accelerator or the CPU, after checking the prerequisites.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    accelerators: Accelerators,
    /// Print the environment and the command without building.
    #[arg(long)]
    dry_run: bool,
    /// Further arguments of `cargo build`.
    #[arg(last = true)]
    further: Vec<OsString>,
}

impl Args {
    pub(crate) fn run(self) -> Result<()> {
        let plan = self.accelerators.plan(&ThisMachine)?;
        let cargo = [vec!["build".into(), "--release".into()], plan.cargo_args(), self.further].concat();
        if self.dry_run {
            std::io::stdout().write_all(plan.describe(&cargo).as_bytes())?;
            return Ok(());
        }
        plan.cargo(cargo).run()
    }
}
