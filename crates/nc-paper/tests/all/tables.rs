//! The paper's tables, and what is looked up in them.

use nc_paper::{PaperRow, PaperTable};

pub(crate) fn table(id: &str) -> PaperTable {
    PaperTable::all().unwrap().into_iter().find(|table| table.id == id).unwrap()
}

pub(crate) fn row<'a>(table: &'a PaperTable, name: &str) -> &'a PaperRow {
    table.rows.iter().find(|row| row.name == name).unwrap()
}

/// Whether the paper has this row; the others are controls and variants.
pub(crate) fn is_published(row: &PaperRow) -> bool {
    row.cells.iter().any(|cell| cell.published.is_some())
}
