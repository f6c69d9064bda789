use std::ffi::OsString;

use anyhow::Result;

use crate::cargo::Cargo;

/// Fetch public data sets and verify them: cifar10, cifar100, fashion-mnist or all.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Arguments of `nclt download`; `cargo xtask download --help` explains them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl Args {
    pub(crate) fn run(self) -> Result<()> {
        Cargo::new(["run", "--release", "--package", "nc-cli", "--", "download"]).args(self.args).run()
    }
}
