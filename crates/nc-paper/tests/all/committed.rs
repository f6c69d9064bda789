//! The committed records and tables.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nc_paper::{PaperFigure, PaperTable, Records, Scale, fill_figures, fill_tables, write_reports};

fn results() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results")
}

/// Copies the committed records of `scale` to another results directory.
fn copy_records(scale: Scale, to: &Path) {
    let name = scale.name();
    fs::create_dir(to.join(name)).unwrap();
    for entry in fs::read_dir(results().join(name)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            fs::copy(&path, to.join(name).join(path.file_name().unwrap())).unwrap();
        }
    }
}

/// Scales with committed tables.
fn scales() -> Vec<Scale> {
    let all = [Scale::Quick, Scale::QuickBf16, Scale::Paper, Scale::PaperBf16].into_iter();
    let scales: Vec<_> = all.filter(|scale| results().join(scale.name()).is_dir()).collect();
    assert!(scales.len() > 1);
    scales
}

#[test]
fn committed_records_are_read_and_referenced_by_tables() {
    let mut shown = 0;
    for scale in scales() {
        let records = Records::read(&results(), scale).unwrap();
        for table in fill_tables(&PaperTable::all().unwrap(), &records, scale).unwrap() {
            for run in table.rows.iter().flat_map(|row| &row.cells).flat_map(|cell| &cell.runs) {
                assert!(results().join(&run.provenance.record).is_file(), "{}", run.provenance.record);
                shown += 1;
            }
        }
    }
    assert!(shown > 0);
}

#[test]
fn committed_tables_match_the_records() {
    for scale in scales() {
        let (copy, name) = (tempfile::tempdir().unwrap(), scale.name());
        copy_records(scale, copy.path());
        write_reports(copy.path(), scale).unwrap();
        for file in ["tables.md", "tables.html", "tables.json", "tables.csv", "figures.csv"] {
            let read = |results: &Path| {
                fs::read_to_string(results.join(name).join(file)).unwrap().replace("\r\n", "\n")
            };
            assert!(
                read(&results()) == read(copy.path()),
                "results/{name}/{file} is outdated; \
                 run `cargo xtask reproduce-tables --scale {name} --max-runs 0`"
            );
        }
    }
}

#[test]
fn committed_index_and_expected_accuracies_match_the_records() {
    let copy = tempfile::tempdir().unwrap();
    for scale in scales() {
        copy_records(scale, copy.path());
        // The index links the pages of runs that exist.
        for entry in fs::read_dir(results().join("runs").join(scale.name())).into_iter().flatten() {
            let run = entry.unwrap().path();
            if run.join("report.html").is_file() {
                let copied = copy.path().join("runs").join(scale.name()).join(run.file_name().unwrap());
                fs::create_dir_all(&copied).unwrap();
                fs::write(copied.join("report.html"), "").unwrap();
            }
        }
        write_reports(copy.path(), scale).unwrap();
    }
    for file in ["index.html", "expected.md"] {
        let read = |results: &Path| fs::read_to_string(results.join(file)).unwrap().replace("\r\n", "\n");
        assert!(
            read(&results()) == read(copy.path()),
            "results/{file} is outdated; run `cargo xtask reproduce-tables --scale paper --max-runs 0`"
        );
    }
}

#[test]
fn notes_of_series_are_notes_of_their_figure() {
    let paper = PaperFigure::all().unwrap();
    let figures = fill_figures(&paper, &Records::default(), Scale::Quick).unwrap();
    let remarks = |figure: &PaperFigure| -> Vec<String> {
        figure
            .groups
            .iter()
            .flat_map(|group| &group.series)
            .filter_map(|series| series.note.clone())
            .collect()
    };
    assert!(paper.iter().any(|figure| !remarks(figure).is_empty()));
    for (paper, figure) in paper.iter().zip(figures) {
        for remark in remarks(paper) {
            assert!(figure.notes.iter().any(|note| note.contains(&remark)), "{remark}");
        }
    }
}
