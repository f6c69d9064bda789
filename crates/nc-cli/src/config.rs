use std::io::Write;

use anyhow::Result;

/// Print the configuration reference as Markdown: every key with its type, range and default.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn main(_: &Args) -> Result<()> {
    write!(std::io::stdout().lock(), "{}", nc_train::reference())?;
    Ok(())
}
