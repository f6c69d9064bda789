use serde_json::{Value, json};

use crate::{Figure, Result, Table};

/// Serialises tables and figures as JSON, with `mean`, `std`, `n` and `difference` added to each cell.
///
/// # Errors
///
/// [`Error::Json`](crate::Error::Json).
pub fn json(tables: &[Table], figures: &[Figure]) -> Result<String> {
    let tables = tables.iter().map(with_means).collect::<Result<Vec<_>>>()?;
    let mut text = serde_json::to_string_pretty(&json!({ "tables": tables, "figures": figures }))?;
    text.push('\n');
    Ok(text)
}

fn with_means(table: &Table) -> Result<Value> {
    let mut value = serde_json::to_value(table)?;
    for (r, row) in table.rows.iter().enumerate() {
        for (c, cell) in row.cells.iter().enumerate() {
            let place = &mut value["rows"][r]["cells"][c];
            place["mean"] = json!(cell.mean());
            place["std"] = json!(cell.std());
            place["n"] = json!(cell.runs.len());
            place["difference"] = json!(cell.difference());
        }
    }
    Ok(value)
}
