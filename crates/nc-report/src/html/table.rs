use std::fmt::Write;

use crate::{
    Table, format,
    html::{escape, notes},
    layout::OURS,
};

pub(super) fn add_table(out: &mut String, table: &Table) {
    let (id, title, measure) = (escape(&table.id), escape(&table.title), escape(&table.measure));
    // Writing to a string cannot fail.
    let _ = writeln!(out, "<h2>Table {id}: {title}</h2>\n<p>{measure}.</p>");
    for section in table.sections() {
        let (title, summary) = (escape(&section.title), escape(&section.summary));
        let _ = writeln!(out, "<h3>{title}</h3>\n<p>{summary}</p>");
        if !section.lines.is_empty() {
            out.push_str("<div class=\"wide\"><table>\n");
            row(out, "th", &section.header, None);
            for line in &section.lines {
                row(out, "td", &line.cells, line.best.then_some(OURS));
            }
            out.push_str("</table></div>\n");
        }
        if !section.missing.is_empty() {
            let rows = section.missing.len();
            let _ = write!(out, "<details><summary>{rows} rows without a run</summary>\n<table>\n");
            row(out, "th", &["method".into(), "paper".into()], None);
            section.missing.iter().for_each(|missing| row(out, "td", missing, None));
            out.push_str("</table></details>\n");
        }
    }
    let numbered = table.numbered_notes();
    if !numbered.is_empty() {
        let items: Vec<String> = numbered.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
        let _ = write!(out, "<ol class=\"notes\">\n{}</ol>\n", items.concat());
    }
    notes(out, table.notes.iter().map(|note| escape(note)));
    add_runs(out, table);
}

/// Appends a row of `th` or `td` cells, with the cell at index `bold` emphasised.
fn row(out: &mut String, tag: &str, cells: &[String], bold: Option<usize>) {
    out.push_str("<tr>");
    for (place, cell) in cells.iter().enumerate() {
        let class = if bold == Some(place) { " class=\"ours\"" } else { "" };
        let _ = write!(out, "<{tag}{class}>{}</{tag}>", escape(cell));
    }
    out.push_str("</tr>\n");
}

fn add_runs(out: &mut String, table: &Table) {
    let mut runs = table.runs().peekable();
    if runs.peek().is_none() {
        return;
    }
    out.push_str(
        "<details><summary>How each cell was run</summary>\n<div class=\"wide\"><table class=\"runs\">\n<tr><th>row</th>\
         <th>column</th><th>seed</th><th>figure</th><th>best epoch on the test set,<br>for comparison only</th>\
         <th>epochs</th><th>reported</th><th>data</th><th>subset</th><th>configuration</th><th>wall time</th>\
         <th>command</th><th>record</th></tr>\n",
    );
    for (row, column, run) in runs {
        let p = &run.provenance;
        let best = run.best_epoch.map_or_else(String::new, |best| format!("{best:.2}"));
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.2}</td><td>{best}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td>{}</td><td><code>{}</code></td><td><code>{}</code></td></tr>",
            escape(&row.name),
            escape(column),
            run.seed,
            run.value,
            format::epochs(p),
            escape(&p.epoch),
            escape(&p.data),
            escape(format::short(&p.subset_hash)),
            escape(format::short(&p.run_hash)),
            format::duration(p.seconds),
            escape(&p.command),
            escape(&p.record)
        );
    }
    out.push_str("</table></div></details>\n");
}
