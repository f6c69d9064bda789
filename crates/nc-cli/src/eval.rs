use std::io::Write;

use anyhow::Result;
use nc_kernels::threads;
use nc_train::Trained;

use crate::{run, summary};

/// Measure a trained model: accuracy and neural collapse on its training and test images.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: run::Args,
    /// Print the figures as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let options = args.run.start()?;
    let evaluation = threads::install(|| Trained::open(args.run.path(), &options)?.evaluate())?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&evaluation)?)?;
    } else {
        write!(out, "{}", summary::evaluation(&evaluation))?;
    }
    Ok(())
}
