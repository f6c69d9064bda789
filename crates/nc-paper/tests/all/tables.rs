//! Look-ups in the paper's tables.

use nc_paper::{PaperRow, PaperTable};

pub(crate) fn table(id: &str) -> PaperTable {
    PaperTable::all().unwrap().into_iter().find(|table| table.id == id).unwrap()
}

pub(crate) fn row<'a>(table: &'a PaperTable, name: &str) -> &'a PaperRow {
    table.rows.iter().find(|row| row.name == name).unwrap()
}

/// True for rows of the paper, false for controls and variants.
pub(crate) fn is_published(row: &PaperRow) -> bool {
    row.cells.iter().any(|cell| cell.published.is_some())
}
