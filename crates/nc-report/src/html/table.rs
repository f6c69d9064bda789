use std::fmt::Write;

use crate::{
    Table, format,
    html::{escape, folded, notes},
    layout::{OURS, Section},
};

pub(super) fn add_table(out: &mut String, table: &Table) {
    let (heading, measure) = (escape(&table.heading()), escape(&table.measure));
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<h2>{heading}</h2>\n<p class=\"status\">{measure}.</p>");
    for section in table.sections() {
        let Section { title, summary, header, lines, missing } = section;
        if !lines.is_empty() {
            let _ = writeln!(
                out,
                "<h3>{}</h3>\n<p class=\"status\">{}</p>\n<div class=\"wide\"><table class=\"sortable\">",
                escape(&title),
                escape(&summary)
            );
            row(out, "th", &header, None);
            for line in &lines {
                row(out, "td", &line.cells, line.best.then_some(OURS));
            }
            out.push_str("</table></div>\n");
        }
        if !missing.is_empty() {
            let mut rows = "<table>\n".to_owned();
            row(&mut rows, "th", &["method".into(), "published".into()], None);
            for missing in &missing {
                row(&mut rows, "td", missing, None);
            }
            rows.push_str("</table>\n");
            let name = if lines.is_empty() { format!("{title}: ") } else { String::new() };
            folded(out, &format!("{name}{} rows without a run", missing.len()), &rows);
        }
    }
    let items: Vec<String> =
        table.numbered_notes().iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
    let numbered = format!("<ol class=\"notes\">\n{}</ol>\n", items.concat());
    match items.len() {
        0 => {}
        1..=FEW_NOTES => out.push_str(&numbered),
        count => folded(out, &format!("{count} notes"), &numbered),
    }
    notes(out, table.notes.iter().map(|note| escape(note)));
    add_runs(out, table);
}

/// Largest number of notes shown unfolded.
const FEW_NOTES: usize = 8;

/// Appends a row of `th` or `td` cells, with the cell at index `bold` emphasised.
fn row(out: &mut String, tag: &str, cells: &[String], bold: Option<usize>) {
    let (start, end) = if tag == "th" { ("<thead><tr>", "</tr></thead>\n") } else { ("<tr>", "</tr>\n") };
    out.push_str(start);
    for (place, cell) in cells.iter().enumerate() {
        let class = match place {
            0 => " class=\"text\"",
            _ if bold == Some(place) => " class=\"best\"",
            _ => "",
        };
        let _ = write!(out, "<{tag}{class}>{}</{tag}>", escape(cell));
    }
    out.push_str(end);
}

fn add_runs(out: &mut String, table: &Table) {
    let mut runs = table.runs().peekable();
    if runs.peek().is_none() {
        return;
    }
    let mut rows = "<div class=\"wide\"><table class=\"sortable\">\n<thead><tr>\
         <th>row</th><th class=\"text\">column</th><th>seed</th><th>figure</th><th>best epoch on the test set</th>\
         <th>epochs</th><th>reported</th><th>wall time</th><th class=\"text\">data</th><th class=\"text\">subset, run</th>\
         <th class=\"text\">command</th><th>record</th></tr></thead>\n"
        .to_owned();
    for (row, column, run) in runs {
        let p = &run.provenance;
        let best = run.best_epoch.map_or_else(String::new, |best| format!("{best:.2}"));
        let _ = writeln!(
            rows,
            "<tr><td>{}</td><td class=\"text\">{}</td><td>{}</td><td>{:.2}</td><td>{best}</td><td>{}</td><td>{}</td>\
             <td data-sort=\"{}\">{}</td><td class=\"text\">{}</td><td class=\"text\">{}, {}</td><td class=\"text\"><code>{}</code></td>\
             <td><a href=\"../{}\">JSON</a></td></tr>",
            escape(&row.name),
            escape(column),
            run.seed,
            run.value,
            format::epochs(p),
            escape(&p.epoch),
            p.seconds,
            format::duration(p.seconds),
            escape(&p.data),
            escape(format::short(&p.subset_hash)),
            escape(format::short(&p.run_hash)),
            escape(&p.command),
            escape(&p.record)
        );
    }
    rows.push_str(
        "</table></div>\n<p class=\"notes\">The best epoch is selected on the test set: for comparison only.</p>\n",
    );
    folded(out, "How each cell was run", &rows);
}
