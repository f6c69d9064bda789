use std::ffi::OsString;

use anyhow::Result;

use crate::cargo::Cargo;

/// Arguments for a command of `nclt`, which explains them itself.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Arguments of the same command of `nclt`; `--help` explains them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl Args {
    /// Builds `nclt` and runs its command `command`.
    pub(crate) fn run(self, command: &str) -> Result<()> {
        Cargo::new(["run", "--release", "--package", "nc-cli", "--", command]).args(self.args).run_last()
    }
}
