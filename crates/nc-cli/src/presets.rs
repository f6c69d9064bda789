use std::io::Write;

use anyhow::Result;
use nc_train::presets;

/// List the presets, or print one as a configuration file.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A preset to print as TOML: DATA/METHOD, DATA/METHOD+PART, or DATA alone for the paper's method.
    name: Option<String>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(name) = &args.name {
        write!(out, "{}", presets::find(name)?.to_toml()?)?;
        return Ok(());
    }
    writeln!(out, "DATA/METHOD, to which parts are added with +, as in cifar10-lt-r100/ldam-drw+nc+crt")?;
    write_names(&mut out, "data sets", presets::data_sets().collect())?;
    write_names(&mut out, "methods", presets::methods().collect())?;
    write_names(&mut out, "parts", presets::parts().collect())
}

fn write_names(out: &mut impl Write, title: &str, names: Vec<(&str, &str)>) -> Result<()> {
    let width = names.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    writeln!(out, "\n{title}")?;
    for (name, description) in names {
        writeln!(out, "  {name:width$}  {description}")?;
    }
    Ok(())
}
