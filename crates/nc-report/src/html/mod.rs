//! HTML pages.

mod document;
mod escape;
mod figure;
mod index;
mod page;
mod table;

pub(crate) use document::{command, document, figures, folded, live_document, notes, panels};
pub(crate) use escape::escape;
pub use index::{IndexRun, IndexSection, index_page};
pub use page::page;
