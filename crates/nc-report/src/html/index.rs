use std::fmt::Write;

use super::{document::document, escape};

/// Results of one scale on the index page. All links are relative to the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSection {
    /// Scale.
    pub title: String,
    /// Files of tables and figures: name and link.
    pub files: Vec<(String, String)>,
    /// Runs on record.
    pub runs: Vec<IndexRun>,
}

/// A run on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRun {
    /// Preset.
    pub name: String,
    /// Seed.
    pub seed: u64,
    /// Test accuracy after the last epoch, as text.
    pub accuracy: String,
    /// Link to the record.
    pub record: String,
    /// Link to the run's page, if it exists.
    pub page: Option<String>,
}

/// Renders the index of results: per scale, its tables and its runs.
pub fn index_page(title: &str, sections: &[IndexSection]) -> String {
    let mut body = format!("<h1>{}</h1>\n", escape(title));
    let link = |(name, href): &(String, String)| format!("<a href=\"{}\">{}</a>", escape(href), escape(name));
    for section in sections {
        let links: Vec<String> = section.files.iter().map(link).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(body, "<h2>{}</h2>\n<p>{}</p>", escape(&section.title), links.join(" · "));
        if section.runs.is_empty() {
            body.push_str("<p class=\"notes\">No runs on record.</p>\n");
            continue;
        }
        body.push_str(
            "<div class=\"wide\"><table class=\"sortable\">\n<thead><tr><th>run</th><th>seed</th><th>test accuracy, %</th>\
             <th>record</th>",
        );
        let pages = section.runs.iter().any(|run| run.page.is_some());
        body.push_str(if pages { "<th>page</th></tr></thead>\n" } else { "</tr></thead>\n" });
        for IndexRun { name, seed, accuracy, record, page } in &section.runs {
            let record = link(&("JSON".into(), record.clone()));
            let page = page.as_ref().map_or_else(String::new, |page| link(&("page".into(), page.clone())));
            let page = if pages { format!("<td>{page}</td>") } else { String::new() };
            let _ = writeln!(
                body,
                "<tr><td>{}</td><td>{seed}</td><td>{}</td><td>{record}</td>{page}</tr>",
                escape(name),
                escape(accuracy)
            );
        }
        body.push_str("</table></div>\n");
    }
    document(title, &body)
}
