use std::{io::Write, path::PathBuf};

use anyhow::{Result, bail};
use nc_kernels::threads;
use nc_record::write_atomically;
use nc_train::Trained;

use crate::checkpoint;

/// Write the features of a trained model, and its classifier, to a safetensors file.
///
/// The file holds `features` (N, P), `labels` (N) of the training images as the model sees them without augmentation,
/// `weight` (K, P), `bias` (K), `class_counts` (K), `test_features` (M, P), `test_labels` (M).
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    checkpoint: checkpoint::Args,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    if let Some(parent) =
        args.out.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir())
    {
        // Before minutes of work.
        bail!("cannot write {}: there is no directory {}", args.out.display(), parent.display());
    }
    let options = args.checkpoint.start()?;
    let features = threads::install(|| Trained::open(args.checkpoint.path(), &options)?.features())?;
    write_atomically(&args.out, &features.to_safetensors()?)?;
    let test = features.test.as_ref().map_or(0, |test| test.labels.len());
    let (train, dims) = (features.labels.len(), features.dims);
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{train} training and {test} test features of {dims} dimensions in {}",
        args.out.display()
    )?;
    Ok(())
}
