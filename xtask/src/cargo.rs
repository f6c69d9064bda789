use std::{ffi::OsString, process::Command};

use anyhow::{Context, Result};

/// Runs cargo with `args` in the user's directory and ends this process with its exit code if it fails: the
/// child has said why, and there is nothing to add.
pub(crate) fn cargo(args: impl IntoIterator<Item = OsString>) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(&cargo)
        .args(args)
        .status()
        .with_context(|| format!("cannot start {}", cargo.display()))?;
    if !status.success() {
        #[allow(clippy::exit)]
        std::process::exit(status.code().unwrap_or(1));
    }
    Ok(())
}
