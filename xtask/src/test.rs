use std::ffi::OsString;

use anyhow::Result;

use crate::cargo::Cargo;

/// Run every test of the workspace, optimised: some of them train.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Further arguments of `cargo test`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl Args {
    pub(crate) fn run(self) -> Result<()> {
        Cargo::new(["test", "--release", "--workspace"]).args(self.args).run()
    }
}
