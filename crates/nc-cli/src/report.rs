use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nc_record::RunDir;
use nc_report::{RunReport, comparison_page};
use nc_train::{RunResult, Trained};

use crate::{
    output,
    terminal::{say, show},
};

/// Write an HTML report page of a run, or a page that compares several runs.
///
/// Pages are self-contained and need no network. The page of an unfinished run shows the events logged so far. The page of
/// several runs averages the seeds of a configuration.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run directories.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Output file; - for standard output [default: report.html in the run directory, for several runs comparison.html
    /// in the current directory].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    if let Some(out) = &args.out {
        output::check(out)?;
    }
    let path = match (&args.runs[..], &args.out) {
        ([run], None) => {
            warn_if_changed(run);
            RunReport::write_page(run).with_context(|| cannot_be_shown(run))?
        }
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
    warn_if_changed(directory);
    RunReport::read(directory).with_context(|| cannot_be_shown(directory))
}

/// Warns if the configuration is not that of the result.
fn warn_if_changed(directory: &Path) {
    let Ok(result) = RunDir::read_result::<RunResult>(directory) else { return };
    let hash = Trained::experiment_of(directory).and_then(|experiment| experiment.hash(&result.data.hash()));
    if hash.is_ok_and(|hash| hash != result.run_hash) {
        say(&format!(
            "warning: {} changed since the run finished; the page shows the changed settings",
            directory.join(RunDir::CONFIG).display()
        ));
    }
}

fn cannot_be_shown(directory: &Path) -> String {
    format!("cannot write a report of {}", directory.display())
}
