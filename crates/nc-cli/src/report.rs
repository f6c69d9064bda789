use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use nc_record::{RunDir, write_atomically};
use nc_report::{RunReport, comparison_page};

/// Write the page about a run, or one about several runs side by side.
///
/// The pages need no network and no script. Of a run that is not finished, what it logged so far is shown.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run directories.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where to write it [default: report.html in the run's directory, or comparison.html here for several runs].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let path = match &args.runs[..] {
        [run] => {
            let path = args.out.clone().unwrap_or_else(|| run.join(RunDir::REPORT));
            write(run, &path)?;
            path
        }
        runs => {
            let path = args.out.clone().unwrap_or_else(|| "comparison.html".into());
            let runs: Vec<RunReport> = runs.iter().map(|run| read(run)).collect::<Result<_>>()?;
            write_atomically(&path, comparison_page(&runs)?.as_bytes())?;
            path
        }
    };
    writeln!(std::io::stdout().lock(), "{}", path.display())?;
    Ok(())
}

/// Writes the page about the run in `directory`.
pub(crate) fn write(directory: &Path, path: &Path) -> Result<()> {
    write_atomically(path, read(directory)?.to_html()?.as_bytes())?;
    Ok(())
}

fn read(directory: &Path) -> Result<RunReport> {
    RunReport::read(directory).with_context(|| format!("{} cannot be shown", directory.display()))
}
