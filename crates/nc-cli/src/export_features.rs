use std::path::PathBuf;

use anyhow::Result;
use nc_kernels::threads;

use crate::{
    output, run,
    terminal::{say, show},
};

/// Export the features and the classifier of a trained model to a safetensors file.
///
/// The file contains `features` (N, P) and `labels` (N) of the training images without augmentation, `weight` (K, P)
/// and `bias` (K) of the classifier, `class_counts` (K), `test_features` (M, P) and `test_labels` (M). Its metadata has
/// the class names as a JSON array under `class_names`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: run::Args,
    /// Output file; - for standard output.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    output::check(&args.out)?;
    let trained = args.run.open()?;
    let features = threads::install(|| trained.features())?;
    run::say_unsupported_layers();
    output::write(&args.out, &features.to_safetensors()?)?;
    let test = features.test.as_ref().map_or(0, |test| test.labels.len());
    let (train, dims) = (features.labels.len(), features.dims);
    let written = format!("{train} training and {test} test features of {dims} dimensions");
    if output::is_stdout(&args.out) {
        say(&written);
    } else {
        show(&format!("{written} in {}", args.out.display()));
    }
    Ok(())
}
