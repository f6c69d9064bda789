use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nc_report::{RunReport, comparison_page};

use crate::{output, terminal::show};

/// Write the page about a run, or one about several runs side by side.
///
/// The pages need no network and no script. Of a run that is not finished, what it logged so far is shown.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run directories.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Where to write it [default: report.html in the run's directory, or comparison.html here for several runs];
    /// - for standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    if let Some(out) = &args.out {
        output::check(out)?;
    }
    let path = match (&args.runs[..], &args.out) {
        ([run], None) => RunReport::write_page(run).with_context(|| cannot_be_shown(run))?,
        ([run], Some(out)) => write(out, &read(run)?.to_html()?)?,
        (runs, out) => {
            let runs: Vec<RunReport> = runs.iter().map(|run| read(run)).collect::<Result<_>>()?;
            write(out.as_deref().unwrap_or("comparison.html".as_ref()), &comparison_page(&runs)?)?
        }
    };
    if !output::is_stdout(&path) {
        show(&path.display().to_string());
    }
    Ok(())
}

fn write(path: &Path, page: &str) -> Result<PathBuf> {
    output::write(path, page.as_bytes())?;
    Ok(path.to_owned())
}

fn read(directory: &Path) -> Result<RunReport> {
    RunReport::read(directory).with_context(|| cannot_be_shown(directory))
}

fn cannot_be_shown(directory: &Path) -> String {
    format!("{} cannot be shown", directory.display())
}
