use std::fmt::Write;

use crate::{charts::Drawing, html::escape};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// An HTML page.
pub(crate) fn document(title: &str, body: &str) -> String {
    page(title, "", body)
}

/// An HTML page that reloads itself every few seconds, unless its reader has opened or hidden a part of it.
pub(crate) fn live_document(title: &str, body: &str) -> String {
    page(
        title,
        "<meta name=\"live\" content=\"10\">\n<noscript><meta http-equiv=\"refresh\" content=\"10\"></noscript>\n",
        body,
    )
}

fn page(title: &str, head: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{head}\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n{body}<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
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

/// Appends content that is folded on screen; nothing if it is empty.
pub(crate) fn folded(out: &mut String, title: &str, content: &str) {
    if !content.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(out, "<details>\n<summary>{}</summary>\n{content}</details>\n", escape(title));
    }
}

/// Appends a command with a button that copies it.
pub(crate) fn command(out: &mut String, command: &str) {
    let _ = writeln!(out, "<div class=\"command\"><pre>{}</pre></div>", escape(command));
}

/// Appends a list of notes, given as HTML; nothing without notes.
pub(crate) fn notes(out: &mut String, notes: impl Iterator<Item = String>) {
    let items: Vec<String> = notes.map(|note| format!("<li>{note}</li>\n")).collect();
    if !items.is_empty() {
        let _ = write!(out, "<ul class=\"notes\">\n{}</ul>\n", items.concat());
    }
}
