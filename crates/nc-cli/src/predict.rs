use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, ensure};
use nc_data::folder::image_files;
use nc_kernels::threads;
use nc_report::plain_text;
use nc_train::{Prediction, Predictor, RunOptions};

use crate::{
    compute::Threads,
    terminal::{harmless, say},
};

/// Classify images with a trained model.
///
/// Prints for each image its path, class and probability, then the next most probable classes. Images are resized as in
/// training: scaled to cover the network's input and centre-cropped. Files that are no images are listed at the end, and
/// the exit code is then 1.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Directory of a finished run, or a weights file in it.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Image files, and directories that are searched for images.
    #[arg(required = true, value_name = "IMAGE|DIR")]
    images: Vec<PathBuf>,
    /// Print CSV with a header: path, then class and probability of each of the most probable classes.
    #[arg(long)]
    csv: bool,
    /// Number of classes per image.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    #[command(flatten)]
    threads: Threads,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    args.threads.start()?;
    let paths = args.paths()?;
    let predictor = threads::install(|| Predictor::open(&args.run, &RunOptions::default()))?;
    let top = usize::from(args.top).min(predictor.class_names().len());
    let names = predictor.class_names();
    let mut failed = vec![];
    let out = std::io::BufWriter::new(std::io::stdout());
    if args.csv {
        let mut out = csv::Writer::from_writer(out);
        let columns = (1..=top).flat_map(|rank| [format!("class_{rank}"), format!("probability_{rank}")]);
        out.write_record(["path".to_owned()].into_iter().chain(columns))?;
        predict(&predictor, &paths, &mut failed, |found| write_csv(&mut out, found, names, top))?;
        out.flush()?;
    } else {
        let mut out = out;
        predict(&predictor, &paths, &mut failed, |found| write_line(&mut out, found, names, top))?;
        out.flush()?;
    }
    for error in &failed {
        say(&format!("error: {error}"));
    }
    if !failed.is_empty() {
        say(&format!("{} of {} images could not be read", failed.len(), paths.len()));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Passes each prediction to `show`, and collects the errors of unreadable files.
fn predict(
    predictor: &Predictor,
    paths: &[PathBuf],
    failed: &mut Vec<nc_data::Error>,
    mut show: impl FnMut(&Prediction) -> Result<()> + Send,
) -> Result<()> {
    threads::install(|| {
        predictor.predict(paths, |predicted| match predicted {
            Ok(prediction) => show(&prediction),
            Err(error) => {
                failed.push(error);
                Ok(())
            }
        })
    })
}

impl Args {
    /// The files given, and those in the directories given.
    fn paths(&self) -> Result<Vec<PathBuf>> {
        let mut paths = vec![];
        for path in &self.images {
            if !path.is_dir() {
                ensure!(path.exists(), "{} does not exist", path.display());
                paths.push(path.clone());
                continue;
            }
            let (found, skipped) =
                image_files(path).with_context(|| format!("cannot list {}", path.display()))?;
            ensure!(!found.is_empty(), "{}: expected images, found none", path.display());
            if skipped > 0 {
                say(&format!("{}: skipped {skipped} files that are no images", path.display()));
            }
            paths.extend(found);
        }
        Ok(paths)
    }
}

/// `photos/a.jpg  cat 93.1 %  dog 5.2 %`.
fn write_line(out: &mut impl Write, prediction: &Prediction, names: &[String], top: usize) -> Result<()> {
    let classes: Vec<String> = prediction.classes[..top]
        .iter()
        .map(|(class, share)| format!("{} {:.1} %", names[*class], 100.0 * share))
        .collect();
    let line = format!("{}  {}", prediction.path.display(), classes.join("  "));
    Ok(writeln!(out, "{}", harmless(&line))?)
}

/// Cells that a spreadsheet would read as formulas are quoted with an apostrophe.
fn write_csv(
    out: &mut csv::Writer<impl Write>,
    prediction: &Prediction,
    names: &[String],
    top: usize,
) -> Result<()> {
    let mut cells = vec![plain_text(&prediction.path.to_string_lossy())];
    for (class, share) in &prediction.classes[..top] {
        cells.extend([plain_text(&names[*class]), format!("{share:.6}")]);
    }
    Ok(out.write_record(cells)?)
}
