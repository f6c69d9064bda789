use std::ffi::OsString;

use anyhow::Result;

use crate::cargo::Cargo;

/// Run all tests of the workspace, or of the packages given by -p, in release mode, because some of them train.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Further arguments of `cargo test`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

impl Args {
    pub(crate) fn run(self) -> Result<()> {
        let names_package =
            |arg: &str| arg.starts_with("-p") || arg == "--package" || arg.starts_with("--package=");
        let mut of_cargo = self.args.iter().take_while(|arg| *arg != "--").filter_map(|arg| arg.to_str());
        // --workspace would override -p.
        let workspace = if of_cargo.any(names_package) { None } else { Some("--workspace") };
        Cargo::new(["test", "--release"].into_iter().chain(workspace)).args(self.args).run()
    }
}
