use std::path::Path;

use nc_record::{RunDir, write_atomically};
use nc_report::{IndexRun, IndexSection, index_page};

use crate::{Record, Records, Result, Scale};

/// Files of a scale: name in the index and file name.
const FILES: [(&str, &str); 5] = [
    ("tables and figures", "tables.html"),
    ("as Markdown", "tables.md"),
    ("tables as CSV", "tables.csv"),
    ("figures as CSV", "figures.csv"),
    ("everything as JSON", "tables.json"),
];

/// Writes `index.html` to `results`: links to the tables, records and run pages of each scale with tables. Smoke scale is
/// only a test and not listed.
pub(crate) fn write_index(results: &Path) -> Result<()> {
    let mut sections = vec![];
    for scale in [Scale::Paper, Scale::PaperBf16, Scale::Quick, Scale::QuickBf16] {
        let directory = Records::directory(results, scale);
        let file = |(name, file): (&str, &str)| {
            directory.join(file).is_file().then(|| (name.to_owned(), format!("{}/{file}", scale.name())))
        };
        let files: Vec<_> = FILES.into_iter().filter_map(file).collect();
        if files.is_empty() {
            continue;
        }
        let records = Records::read(results, scale)?;
        let mut records: Vec<&Record> = records.iter().collect();
        records.sort_by_key(|record| (&record.preset, record.seed));
        let title = scale.description();
        let title = title[..1].to_uppercase() + &title[1..];
        sections.push(IndexSection {
            title,
            files,
            runs: records.into_iter().map(|record| run(results, record)).collect(),
        });
    }
    if !sections.is_empty() {
        let page = index_page("Neural collapse in long-tailed learning: results", &sections);
        write_atomically(&results.join("index.html"), page.as_bytes())?;
    }
    Ok(())
}

fn run(results: &Path, record: &Record) -> IndexRun {
    let file = record.file_name();
    let directory = Records::runs(results, record.scale).join(file.trim_end_matches(".json"));
    let page = directory.join(RunDir::REPORT);
    let link = |path: &Path| path.strip_prefix(results).unwrap_or(path).to_string_lossy().replace('\\', "/");
    IndexRun {
        name: record.preset.clone(),
        seed: record.seed,
        accuracy: format!("{:.1}", 100.0 * record.accuracy.top1),
        record: format!("{}/{file}", record.scale.name()),
        page: page.is_file().then(|| link(&page)),
    }
}
