use csv::Writer;

use crate::{Error, Figure, Panels, Result, Row, RunFigure, Table, format};

/// Writes tables as CSV: one line per run, and one per cell without runs.
///
/// # Errors
///
/// [`Error::Csv`].
pub fn tables_csv(tables: &[Table]) -> Result<String> {
    let mut out = Writer::from_writer(vec![]);
    out.write_record([
        "table",
        "scale",
        "row",
        "column",
        "published",
        "seed",
        "measured",
        "best_epoch_on_test",
        "many",
        "medium",
        "few",
        "nearest_angle",
        "epochs",
        "reported",
        "data",
        "subset_hash",
        "run_hash",
        "seconds",
        "command",
        "record",
    ])?;
    for table in tables {
        for row in &table.rows {
            for (cell, column) in row.cells.iter().zip(&table.columns) {
                let published = cell.published.map_or_else(String::new, |figure| figure.to_string());
                let mut line = |run: Option<&RunFigure>| write(&mut out, table, row, column, &published, run);
                if cell.runs.is_empty() {
                    line(None)?;
                }
                cell.runs.iter().try_for_each(|run| line(Some(run)))?;
            }
        }
    }
    text(out)
}

fn write(
    out: &mut Writer<Vec<u8>>,
    table: &Table,
    row: &Row,
    column: &str,
    published: &str,
    run: Option<&RunFigure>,
) -> Result<()> {
    let cell = [&table.id, &table.scale, &row.name, column]
        .map(plain_text)
        .into_iter()
        .chain([published.to_owned()]);
    let measured = match run {
        None => vec![String::new(); 15],
        Some(RunFigure { seed, value, best_epoch, shots, nearest_angle, provenance: p, .. }) => vec![
            seed.to_string(),
            value.to_string(),
            number(*best_epoch),
            number(shots[0]),
            number(shots[1]),
            number(shots[2]),
            number(*nearest_angle),
            format::epochs(p),
            plain_text(&p.epoch),
            plain_text(&p.data),
            plain_text(&p.subset_hash),
            plain_text(&p.run_hash),
            format!("{:.1}", p.seconds),
            plain_text(&p.command),
            plain_text(&p.record),
        ],
    };
    Ok(out.write_record(cell.chain(measured))?)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Writes the data of figures as CSV: angles in degrees between two classes, or norms of one class.
///
/// # Errors
///
/// [`Error::Csv`].
pub fn figures_csv(figures: &[Figure]) -> Result<String> {
    let mut out = Writer::from_writer(vec![]);
    out.write_record(["figure", "panel", "series", "class", "other_class", "value"])?;
    for figure in figures {
        match &figure.panels {
            Panels::Angles { maps } => {
                for map in maps {
                    for (class, row) in map.classes.iter().zip(&map.degrees) {
                        for (other, angle) in map.classes.iter().zip(row) {
                            let (map, class, other) =
                                (plain_text(&map.name), plain_text(class), plain_text(other));
                            out.write_record([&figure.id, "", &map, &class, &other, &angle.to_string()])?;
                        }
                    }
                }
            }
            Panels::Norms { groups } => {
                for group in groups {
                    for series in &group.series {
                        for (class, norm) in series.classes.iter().zip(&series.norms) {
                            let (panel, norm) = (&group.title, norm.to_string());
                            let (series, class) = (plain_text(&series.name), plain_text(class));
                            out.write_record([&figure.id, &plain_text(panel), &series, &class, "", &norm])?;
                        }
                    }
                }
            }
        }
    }
    text(out)
}

/// Prefixes an apostrophe to text that a spreadsheet would interpret as a formula.
pub fn plain_text(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

fn text(out: Writer<Vec<u8>>) -> Result<String> {
    let bytes = out.into_inner().map_err(|error| Error::Csv(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
