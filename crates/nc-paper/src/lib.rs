//! The tables and figures of Liu et al. (2023) as data: what was published, and the run that stands beside it.

mod error;
mod figures;
mod tables;

pub use error::{Error, Result};
pub use figures::{FigureGroup, FigureKind, FigureSeries, PaperFigure};
pub use tables::{CellPlan, PaperCell, PaperColumn, PaperRow, PaperRun, PaperTable};
