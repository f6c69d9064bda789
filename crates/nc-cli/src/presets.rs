use std::io::Write;

use anyhow::Result;
use nc_train::{ValidExperiment, presets};

/// List the presets, or print one as a TOML configuration.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Preset to print: DATA/METHOD, DATA/METHOD+PART, or DATA alone for the paper's method.
    name: Option<String>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(name) = &args.name {
        write!(out, "{}", ValidExperiment::try_from(presets::find(name)?)?.to_toml()?)?;
        return Ok(());
    }
    writeln!(out, "A preset is DATA/METHOD; + adds parts, as in cifar10-lt-r100/ldam-drw+nc+crt")?;
    write_names(&mut out, "data sets", presets::data_sets().collect(), DATA_ADVICE)?;
    let methods = presets::methods().chain([presets::BEST]).collect();
    write_names(&mut out, "methods", methods, METHOD_ADVICE)?;
    write_names(&mut out, "parts", presets::parts().collect(), PART_ADVICE)
}

const DATA_ADVICE: &str =
    "Start with fashion-mnist-lt, which needs no download; for CIFAR, see `nclt download`";
const METHOD_ADVICE: &str = "Baselines: ce, and balanced-softmax for a balanced test set. For features near neural \
                             collapse: nc-drw, with ce-drw-mixup as its control";
const PART_ADVICE: &str = "L_W + L_B on any method: nc. If the classifier favours large classes: tau-norm (no \
                           training), lws or crt (a second phase)";

fn write_names(out: &mut impl Write, title: &str, names: Vec<(&str, &str)>, advice: &str) -> Result<()> {
    let width = names.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    writeln!(out, "\n{title}")?;
    for (name, description) in names {
        writeln!(out, "  {name:width$}  {description}")?;
    }
    writeln!(out, "{advice}")?;
    Ok(())
}
