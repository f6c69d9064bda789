use super::{document::document, escape, figure::add_figure, table::add_table};
use crate::{Figure, Result, Table};

/// Renders tables and figures as one self-contained HTML page.
///
/// # Errors
///
/// [`Error::Drawing`](crate::Error::Drawing).
pub fn page(title: &str, tables: &[Table], figures: &[Figure]) -> Result<String> {
    let mut body = format!("<h1>{}</h1>\n", escape(title));
    for table in tables {
        add_table(&mut body, table);
    }
    for figure in figures {
        add_figure(&mut body, figure)?;
    }
    Ok(document(title, &body))
}
