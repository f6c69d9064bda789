#![doc = include_str!("../README.md")]

mod csv;
mod error;
mod figure;
mod format;
mod html;
mod json;
mod markdown;
mod svg;
mod table;

pub use csv::{figures_csv, tables_csv};
pub use error::{Error, Result};
pub use figure::{AngleMap, Figure, NormGroup, NormSeries, Panels};
pub use html::page;
pub use json::json;
pub use markdown::{figure_markdown, table_markdown};
pub use table::{Cell, Gain, Provenance, Row, RunFigure, Table};
