use std::fmt::Write;

use crate::{
    Row, Table, format,
    html::{escape, notes},
};

pub(super) fn add_table(out: &mut String, table: &Table) {
    let gains = table.has_gains();
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<h2>Table {}: {}</h2>\n<p>{}, {}.</p>\n<div class=\"wide\"><table>\n<thead><tr><th rowspan=\"2\"></th>",
        escape(&table.id),
        escape(&table.title),
        escape(&table.measure),
        escape(&table.scale)
    );
    for column in &table.columns {
        let _ = write!(out, "<th colspan=\"{}\">{}</th>", if gains { 4 } else { 3 }, escape(column));
    }
    out.push_str("</tr>\n<tr>");
    for _ in &table.columns {
        out.push_str("<th>paper</th><th>ours</th><th>difference</th>");
        if gains {
            out.push_str("<th>gain over control,<br>paper / ours</th>");
        }
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        let (class, built) =
            if row.not_built.is_some() { (" class=\"missing\"", " (not built yet)") } else { ("", "") };
        let _ = write!(out, "<tr{class}><td>{}{built}</td>", escape(&row.name));
        for cell in &row.cells {
            let _ = write!(
                out,
                "<td>{}</td><td class=\"ours\">{}</td><td>{}</td>",
                format::figure(cell.published),
                format::measured(cell),
                format::difference(cell.difference())
            );
            if gains {
                let _ = write!(out, "<td>{}</td>", format::gain(cell.gain));
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    let remarks = table.notes.iter().cloned().chain(table.rows.iter().filter_map(Row::remarks));
    notes(out, remarks.map(|note| escape(&note)));
    add_runs(out, table);
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
