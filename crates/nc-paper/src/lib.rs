#![doc = include_str!("../README.md")]

mod error;
mod expected;
mod figures;
mod index;
mod job;
mod plan;
mod planned;
mod record;
mod records;
mod render;
mod scale;
mod slurm;
mod tables;

pub use error::{Error, Result};
pub use figures::{FigureGroup, FigureKind, FigureSeries, PaperFigure};
pub use job::{CellName, Job};
pub use plan::{Plan, Selection};
pub use planned::PlannedRuns;
pub use record::{AccuracySummary, GeometrySummary, NoisyAccuracy, Record};
pub use records::Records;
pub use render::{fill_figures, fill_tables, write_reports};
pub use scale::Scale;
pub use slurm::{SlurmTasks, slurm_script, write_slurm_script};
pub use tables::{PaperCell, PaperColumn, PaperRow, PaperRun, PaperTable, Shots};
