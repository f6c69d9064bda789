use std::io::Write;

use anyhow::Result;
use nc_kernels::threads;

use crate::{run, summary, terminal::harmless};

/// Evaluate a trained model: test accuracy, and neural collapse on training and test images.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: run::Args,
    /// Print the metrics as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let trained = args.run.open()?;
    let evaluation = threads::install(|| trained.evaluate())?;
    run::say_unsupported_layers();
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&evaluation)?)?;
    } else {
        write!(out, "{}", harmless(&summary::evaluation(&evaluation)))?;
    }
    Ok(())
}
