//! Reports of runs and feature sets.

mod accuracy;
mod analysis;
mod comparison;
mod consistency;
mod experts;
mod figures;
mod finished;
mod history;
mod images;
mod methods;
mod ranking;
mod run;
mod run_curves;
mod snapshot;
mod tiles;

pub use accuracy::{AccuracyRow, accuracy_rows};
pub use analysis::{AnalysisReport, class_list};
pub use comparison::comparison_page;
pub use experts::expert_table;
pub use figures::{FigureRow, Ideal, figure_rows};
pub use ranking::{RankedMethod, Ranking, TestSummary};
pub use run::RunReport;
