use std::io::Write;

use anyhow::Result;

/// Print the reference of everything a configuration may hold, as Markdown.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn main(_: &Args) -> Result<()> {
    write!(std::io::stdout().lock(), "{}", nc_train::reference())?;
    Ok(())
}
