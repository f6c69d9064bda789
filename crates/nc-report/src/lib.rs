#![doc = include_str!("../README.md")]

mod charts;
mod csv;
mod error;
mod figure;
mod format;
mod html;
mod json;
mod layout;
mod markdown;
mod pages;
mod table;

pub use csv::{figures_csv, plain_text, tables_csv};
pub use error::{Error, Result};
pub use figure::{AngleMap, Figure, NormGroup, NormSeries, Panels};
pub use html::{IndexRun, IndexSection, index_page, page};
pub use json::json;
pub use markdown::{figure_markdown, table_markdown};
pub use pages::{
    AccuracyRow, AnalysisReport, FigureRow, Ideal, RankedMethod, Ranking, RunReport, TestSummary,
    accuracy_rows, class_list, comparison_page, expert_table, figure_rows,
};
pub use table::{Cell, Gain, Provenance, Row, RunFigure, Table};
