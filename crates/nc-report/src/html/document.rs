use std::fmt::Write;

use crate::{charts::Drawing, html::escape};

const STYLE: &str = "
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 76rem; margin: 0 auto;
  padding: 1rem; } p, li, code { overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
h3 { font-size: 1rem; margin: 0 0 .3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th { vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child, .name, .runs td, .runs th { text-align: left; }
td { font-variant-numeric: tabular-nums; }
td.ours { font-weight: 600; }
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
@media print { details { display: none; } table { break-inside: avoid; } .wide { overflow: visible; } body { max-width: none; font-size: 12px; } .panels { grid-template-columns: 1fr 1fr; } }
";

/// An HTML page.
pub(crate) fn document(title: &str, body: &str) -> String {
    page(title, "", body)
}

/// An HTML page that the browser reloads every few seconds.
pub(crate) fn live_document(title: &str, body: &str) -> String {
    page(title, "<meta http-equiv=\"refresh\" content=\"10\">\n", body)
}

fn page(title: &str, head: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{head}\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(title)
    )
}

/// Appends a section with a note and drawings; nothing without drawings.
pub(crate) fn figures(body: &mut String, title: &str, note: &str, drawings: &[(&str, Drawing)]) {
    if drawings.is_empty() {
        return;
    }
    let note =
        if note.is_empty() { String::new() } else { format!("<p class=\"notes\">{}</p>\n", escape(note)) };
    let _ = write!(body, "<section>\n<h2>{}</h2>\n{note}", escape(title));
    panels(body, drawings);
    body.push_str("</section>\n");
}

/// Appends a grid of drawings; nothing without drawings.
pub(crate) fn panels(out: &mut String, drawings: &[(&str, Drawing)]) {
    if drawings.is_empty() {
        return;
    }
    out.push_str("<div class=\"panels\">\n");
    for (title, drawing) in drawings {
        out.push_str(&drawing.to_html(title));
    }
    out.push_str("</div>\n");
}

/// Appends a list of notes, given as HTML; nothing without notes.
pub(crate) fn notes(out: &mut String, notes: impl Iterator<Item = String>) {
    let items: Vec<String> = notes.map(|note| format!("<li>{note}</li>\n")).collect();
    if !items.is_empty() {
        let _ = write!(out, "<ul class=\"notes\">\n{}</ul>\n", items.concat());
    }
}
