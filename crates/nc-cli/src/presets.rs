use std::io::Write;

use anyhow::Result;
use nc_train::presets;

/// List the presets, or print one as a configuration file.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A preset to print as TOML.
    name: Option<String>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(name) = &args.name {
        write!(out, "{}", presets::find(name)?.to_toml()?)?;
        return Ok(());
    }
    let presets: Vec<_> = presets::list().collect();
    let width = presets.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, description) in presets {
        writeln!(out, "{name:width$}  {description}")?;
    }
    Ok(())
}
