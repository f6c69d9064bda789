use std::path::PathBuf;

use anyhow::Result;
use nc_record::InputSpec;
use nc_train::OnnxExport;

use crate::{
    output, run,
    terminal::{say, show},
};

/// Export a trained model to ONNX, for other runtimes. Needs no images.
///
/// The input `images` is f32 (N, C, H, W): RGB or grey pixels divided by 255, any N. Outputs are `logits` (N, K) and `features`
/// (N, P). Normalisation is part of the model; resizing is not. Metadata: `class_names` (a JSON array in the order of the
/// logits), `input_size` ([H, W]), `mean`, `std`, `resize`, `run_name`, `seed`, `run_hash`, `trained_by`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    model: run::Model,
    /// Output file; - for standard output.
    #[arg(long, value_name = "FILE")]
    onnx: PathBuf,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    output::check(&args.onnx)?;
    let model = OnnxExport::of(args.model.path()?)?;
    output::write(&args.onnx, &model.bytes)?;
    let InputSpec { classes, channels, height, width, .. } = &model.input;
    let (classes, features) = (classes.len(), model.feature_dim);
    let written = format!(
        "images (N, {channels}, {height}, {width}) to logits (N, {classes}) and features (N, {features})"
    );
    if output::is_stdout(&args.onnx) {
        say(&written);
    } else {
        show(&format!("{written} in {}", args.onnx.display()));
    }
    Ok(())
}
