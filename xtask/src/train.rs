use std::ffi::OsString;

use anyhow::Result;

use crate::cargo::Cargo;

/// Build the trainer and train: the paper's method on the embedded data, or what the arguments say.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Arguments of `nclt train`; `cargo xtask train --help` explains them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl Args {
    pub(crate) fn run(self) -> Result<()> {
        Cargo::new(["run", "--release", "--package", "nc-cli", "--", "train"]).args(self.args).run()
    }
}
