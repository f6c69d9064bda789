#![doc = include_str!("../README.md")]

mod error;
mod figures;
mod plan;
mod queue;
mod record;
mod render;
mod scale;
mod slurm;
mod tables;

pub use error::{Error, Result};
pub use figures::{FigureGroup, FigureKind, FigureSeries, PaperFigure};
pub use plan::{CellName, Job, Plan, Selection};
pub use queue::{Ended, Queue, Reporter};
pub use record::{AccuracySummary, GeometrySummary, NoisyAccuracy, Record, Records};
pub use render::{fill_figures, fill_tables, write_reports};
pub use scale::Scale;
pub use slurm::slurm_script;
pub use tables::{CellPlan, PaperCell, PaperColumn, PaperRow, PaperRun, PaperTable};
