use std::fmt::Write;

use crate::{
    Figure, Panels, Table,
    figure::{mean_nearest, smallest, spread},
    format, svg,
};

const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 0 auto; padding: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #8884; text-align: right; white-space: nowrap; }
th:first-child, td:first-child, .runs td, .runs th { text-align: left; }
td { font-variant-numeric: tabular-nums; }
td.ours { font-weight: 600; }
tr.missing { opacity: .55; }
.notes { font-size: 14px; }
.panels { display: flex; flex-wrap: wrap; gap: 1.5rem; }
figure { margin: 0; flex: 1 1 22rem; max-width: 36rem; }
svg { width: 100%; height: auto; }
code { font-size: 12px; }
@media print { details { display: none; } body { max-width: none; } }
";

/// One page of tables and figures that needs no network and no script.
pub fn page(title: &str, tables: &[Table], figures: &[Figure]) -> String {
    let title = escape(title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    for table in tables {
        add_table(&mut out, table);
    }
    for figure in figures {
        add_figure(&mut out, figure);
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn add_table(out: &mut String, table: &Table) {
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
    out.push_str("</tbody></table></div>\n<ul class=\"notes\">\n");
    for note in table.notes.iter().cloned().chain(table.rows.iter().filter_map(crate::Row::remarks)) {
        let _ = writeln!(out, "<li>{}</li>", escape(&note));
    }
    out.push_str("</ul>\n");
    add_runs(out, table);
}

fn add_runs(out: &mut String, table: &Table) {
    out.push_str(
        "<details><summary>How each cell was run</summary>\n<div class=\"wide\"><table class=\"runs\">\n<tr><th>row</th>\
         <th>column</th><th>seed</th><th>figure</th><th>best epoch on the test set,<br>for comparison only</th>\
         <th>epochs</th><th>reported</th><th>data</th><th>subset</th><th>configuration</th><th>wall time</th>\
         <th>command</th><th>record</th></tr>\n",
    );
    for (row, column, run) in table.runs() {
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
            format::short(&p.subset_hash),
            format::short(&p.run_hash),
            format::duration(p.seconds),
            escape(&p.command),
            escape(&p.record)
        );
    }
    out.push_str("</table></div></details>\n");
}

fn add_figure(out: &mut String, figure: &Figure) {
    let _ = write!(
        out,
        "<h2>Figure {}: {}</h2>\n<p>{}.</p>\n<div class=\"panels\">\n",
        escape(&figure.id),
        escape(&figure.title),
        escape(&figure.scale)
    );
    match &figure.panels {
        Panels::Angles { maps } => {
            for map in maps.iter().filter(|map| !map.degrees.is_empty()) {
                let caption = format!(
                    "{}: mean nearest angle {}°, smallest {}°; at collapse all are {}°",
                    map.name,
                    format::figure(mean_nearest(&map.degrees)),
                    format::figure(smallest(&map.degrees)),
                    format::figure(map.optimum_degrees())
                );
                add_panel(out, &svg::heat_map(map), &caption);
            }
        }
        Panels::Norms { groups } => {
            for group in
                groups.iter().filter(|group| group.series.iter().any(|series| !series.norms.is_empty()))
            {
                let spreads: Vec<String> = group
                    .series
                    .iter()
                    .filter_map(|series| Some(format!("{} {:.3}", series.name, spread(&series.norms)?)))
                    .collect();
                let caption = format!("{}: standard deviation / mean of {}", group.title, spreads.join(", "));
                add_panel(out, &svg::norm_chart(group), &caption);
            }
        }
    }
    out.push_str("</div>\n<ul class=\"notes\">\n");
    for note in &figure.notes {
        let _ = writeln!(out, "<li>{}</li>", escape(note));
    }
    out.push_str("</ul>\n");
}

fn add_panel(out: &mut String, drawing: &str, caption: &str) {
    let _ = writeln!(out, "<figure>{drawing}<figcaption>{}</figcaption></figure>", escape(caption));
}

/// Text as HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
