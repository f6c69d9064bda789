use std::{io::Write, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::ValueEnum;
use nc_data::counted;
use nc_paper::{
    PaperFigure, PaperTable, Plan, PlannedRuns, Records, Scale, Selection, write_reports, write_slurm_script,
};
use nc_train::queue::Runs;

use crate::{queue, terminal::show};

/// Train the missing runs of the paper's tables and figures and of methods beyond it, and write published beside measured values.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Select tables and figures, as in 3,beyond,figure2.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    tables: Vec<String>,
    /// Select cells by name, with * and ?, as in '*/cifar10-lt-r100/nc-*'; --list prints the names.
    #[arg(long, value_name = "GLOB", default_value = "*")]
    cells: String,
    /// Seeds [default: 0; at paper scales 0,1,2].
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = queue::parse_seed())]
    seeds: Vec<u64>,
    /// Length and precision of the runs.
    #[arg(long, value_enum, default_value_t = ScaleName::Quick)]
    scale: ScaleName,
    /// Directory of records, tables and runs; several machines may share it.
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Also train the cells on ImageNet-LT (Table 4 and a column of Table 5), with its lists and images in DIR.
    #[arg(long, value_name = "DIR")]
    imagenet_lt: Option<PathBuf>,
    /// Print the cells and how many of their seeds are recorded, without training.
    #[arg(long, conflicts_with_all = ["dry_run", "slurm"])]
    list: bool,
    #[command(flatten)]
    queue: queue::Args,
}

#[derive(Clone, Copy, ValueEnum)]
enum ScaleName {
    /// One epoch on a few embedded images: tests that everything runs, accuracies are meaningless.
    Smoke,
    /// 40 epochs.
    Quick,
    /// 40 epochs in bf16, with tables of their own.
    #[value(name = "quick-bf16")]
    QuickBf16,
    /// 200 epochs.
    Paper,
    /// 200 epochs in bf16, with tables of their own.
    #[value(name = "paper-bf16")]
    PaperBf16,
}

impl From<ScaleName> for Scale {
    fn from(name: ScaleName) -> Self {
        match name {
            ScaleName::Smoke => Self::Smoke,
            ScaleName::Quick => Self::Quick,
            ScaleName::QuickBf16 => Self::QuickBf16,
            ScaleName::Paper => Self::Paper,
            ScaleName::PaperBf16 => Self::PaperBf16,
        }
    }
}

/// Memory of a Slurm task. Batches of 256 photographs take 29 GB with ResNeXt-50.
const CIFAR_GIGABYTES: usize = 4;
const IMAGENET_GIGABYTES: usize = 40;

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    let scale = Scale::from(args.scale);
    let selection = Selection {
        tables: args.tables.clone(),
        cells: args.cells.clone(),
        seeds: args.seeds.clone(),
        scale,
        imagenet_lt: args.imagenet_lt.is_some() || args.list,
    };
    let plan = Plan::new(&PaperTable::all()?, &PaperFigure::all()?, &selection)?;
    if args.list {
        list(&plan, &Records::read(&args.results, scale)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let runs = PlannedRuns { plan: &plan, results: &args.results };
    let missing = runs.missing()?.len();
    if args.queue.slurm {
        let gigabytes = if args.imagenet_lt.is_some() { IMAGENET_GIGABYTES } else { CIFAR_GIGABYTES };
        let script = args.queue.slurm_script(missing, gigabytes)?;
        let path = write_slurm_script(&args.results, scale, &script)?;
        let missing = counted(missing, "run", "runs");
        show(&format!("{missing} missing: sbatch {}", path.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let summary =
        format!("{} at {}; {missing} missing", counted(plan.jobs.len(), "run", "runs"), scale.description());
    let Some(worked) = args.queue.work(runs, &summary, args.imagenet_lt.as_deref(), None)? else {
        return Ok(ExitCode::SUCCESS);
    };
    write_reports(&args.results, scale)?;
    show(&args.results.join(scale.name()).join("tables.md").display().to_string());
    Ok(worked.end())
}

fn list(plan: &Plan, records: &Records) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let cells = plan.cells(records);
    let width = cells.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    for (name, done, seeds) in cells {
        writeln!(out, "{name:width$}  {done} of {seeds}")?;
    }
    Ok(())
}
