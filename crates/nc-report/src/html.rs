use std::fmt::Write;

use crate::{
    AngleMap, Figure, NormGroup, Panels, Result, Table,
    charts::{Cells, Curves, Drawing, HeatMap, Scale, Series},
    figure::{mean_nearest, smallest, spread},
    format,
};

const STYLE: &str = "
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 76rem; margin: 0 auto;
  padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin: 0 0 .3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th { vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child, .name, .runs td, .runs th { text-align: left; }
td { font-variant-numeric: tabular-nums; }
td.ours { font-weight: 600; }
tr.missing { opacity: .55; }
.notes { font-size: 14px; color: #555; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.8rem 1.6rem; }
figure { margin: 0; max-width: 36rem; break-inside: avoid; }
figcaption { font-size: 13px; color: #555; } figcaption p { margin: .3rem 0 0; }
figure > svg { display: block; width: 100%; height: auto; }
.swatch { display: inline-block; margin-right: .9rem; } .swatch svg { width: 22px; height: 8px; margin-right: .35rem;
  vertical-align: middle; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .8rem; margin: 1rem 0; }
.cards div { border: 1px solid #ddd; border-radius: 6px; padding: .5rem .8rem; }
.cards dt { font-size: 13px; color: #555; } .cards dd { margin: 0; font-size: 1.15rem; font-weight: 600;
  font-variant-numeric: tabular-nums; }
code, pre { font-size: 12.5px; } pre { background: #f6f6f6; padding: .8rem; white-space: pre-wrap; }
@media (max-width: 36rem) { td:first-child, th:first-child { white-space: normal; min-width: 9rem; } .name { display: none; } }
@media print { details { display: none; } body { max-width: none; font-size: 12px; } .panels { grid-template-columns: 1fr 1fr; } }
";

/// One page of tables and figures that needs no network and no script.
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

/// A whole page.
pub(crate) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(title)
    )
}

/// A section of drawings, if there are any, under a note.
pub(crate) fn figures(body: &mut String, title: &str, note: &str, drawings: &[(&str, Drawing)]) {
    if drawings.is_empty() {
        return;
    }
    let note =
        if note.is_empty() { String::new() } else { format!("<p class=\"notes\">{}</p>\n", escape(note)) };
    let _ = write!(body, "<section>\n<h2>{}</h2>\n{note}<div class=\"panels\">\n", escape(title));
    for (title, drawing) in drawings {
        body.push_str(&drawing.to_html(title));
    }
    body.push_str("</div>\n</section>\n");
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
            escape(format::short(&p.subset_hash)),
            escape(format::short(&p.run_hash)),
            format::duration(p.seconds),
            escape(&p.command),
            escape(&p.record)
        );
    }
    out.push_str("</table></div></details>\n");
}

fn add_figure(out: &mut String, figure: &Figure) -> Result<()> {
    let mut drawings: Vec<(&str, Drawing)> = vec![];
    match &figure.panels {
        Panels::Angles { maps } => {
            for map in maps {
                drawings.extend(angles(map)?.map(|drawing| (map.name.as_str(), drawing)));
            }
        }
        Panels::Norms { groups } => {
            for group in groups {
                drawings.extend(norms(group)?.map(|drawing| (group.title.as_str(), drawing)));
            }
        }
    }
    let _ = write!(
        out,
        "<h2>Figure {}: {}</h2>\n<p>{}.</p>\n<div class=\"panels\">\n",
        escape(&figure.id),
        escape(&figure.title),
        escape(&figure.scale)
    );
    for (title, drawing) in drawings {
        out.push_str(&drawing.to_html(title));
    }
    out.push_str("</div>\n<ul class=\"notes\">\n");
    for note in &figure.notes {
        let _ = writeln!(out, "<li>{}</li>", escape(note));
    }
    out.push_str("</ul>\n");
    Ok(())
}

fn angles(map: &AngleMap) -> Result<Option<Drawing>> {
    let drawing = HeatMap {
        label: &format!("angles between class means, {}", map.name),
        classes: &map.classes,
        values: &map.degrees,
        range: (0.0, map.optimum_degrees().unwrap_or_default().max(120.0)),
        cells: Cells::Degrees,
        mark: map.optimum_degrees(),
        axes: None,
    }
    .draw()?;
    let caption = format!(
        "Mean nearest angle {}°, smallest {}°; at collapse all are {}°.",
        format::figure(mean_nearest(&map.degrees)),
        format::figure(smallest(&map.degrees)),
        format::figure(map.optimum_degrees())
    );
    Ok(drawing.map(|drawing| drawing.with_caption(caption)))
}

fn norms(group: &NormGroup) -> Result<Option<Drawing>> {
    let line = |(hue, series): (usize, &crate::NormSeries)| Series {
        name: series.name.clone(),
        points: series.norms.iter().enumerate().map(|(class, &norm)| ((class + 1) as f64, norm)).collect(),
        hue,
        dashed: false,
    };
    let drawing = Curves {
        label: &format!("norms of centred class means, {}", group.title),
        x_title: "class, the largest first",
        y_title: "norm",
        scale: Scale::Linear,
        series: group.series.iter().enumerate().map(line).collect(),
        x_range: None,
        marks: &[],
        reference: None,
    }
    .draw()?;
    let spreads: Vec<String> = group
        .series
        .iter()
        .filter_map(|series| Some(format!("{} {:.3}", series.name, spread(&series.norms)?)))
        .collect();
    let caption = format!("Standard deviation / mean: {}.", spreads.join(", "));
    Ok(drawing.map(|drawing| drawing.with_caption(caption)))
}

/// Text as HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
