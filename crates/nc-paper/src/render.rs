use std::{path::Path, time::Duration};

use nc_metrics::largest_min_angle_degrees;
use nc_record::{Claim, Rhythm, RunDir, write_atomically};
use nc_report::{
    AngleMap, Cell, Figure, NormGroup, NormSeries, Panels, Provenance, Row, RunFigure, Table,
    figure_markdown, figures_csv, json, page, table_markdown, tables_csv,
};

use crate::{
    FigureKind, FigureSeries, PaperCell, PaperFigure, PaperTable, Record, Records, Result, Scale,
    expected::write_expected, index::write_index, records::TABLES,
};

/// Fills the paper's tables with the records of `scale`.
///
/// # Errors
///
/// If a table names an unknown preset.
pub fn fill_tables(tables: &[PaperTable], records: &Records, scale: Scale) -> Result<Vec<Table>> {
    tables.iter().map(|table| fill_table(table, records, scale)).collect()
}

fn fill_table(paper: &PaperTable, records: &Records, scale: Scale) -> Result<Table> {
    let mut rows = vec![];
    for row in &paper.rows {
        let cells = row.cells.iter().map(|cell| fill_cell(cell, records, scale));
        rows.push(Row {
            name: row.name.clone(),
            method: row.method.clone(),
            source: row.source.clone(),
            control: row.control.clone(),
            note: row.note.clone(),
            cells: cells.collect::<Result<_>>()?,
        });
    }
    for index in 0..rows.len() {
        let control = rows.iter().find(|row| Some(&row.name) == rows[index].control.as_ref()).cloned();
        if let Some(control) = control {
            rows[index]
                .cells
                .iter_mut()
                .zip(&control.cells)
                .for_each(|(cell, control)| cell.compare(control));
        }
    }
    let on_request = paper.rows.iter().flat_map(|row| &row.cells).any(|cell| cell.run.is_on_imagenet_lt());
    let recorded = paper.rows.iter().zip(&rows).any(|(paper, row)| {
        paper
            .cells
            .iter()
            .zip(&row.cells)
            .any(|(paper, cell)| paper.run.is_on_imagenet_lt() && !cell.runs.is_empty())
    });
    let not_run = (on_request && !recorded).then(|| {
        format!(
            "ImageNet-LT: not run here. `cargo xtask reproduce-tables --scale {} --tables {} --imagenet-lt DIR` trains it; \
             docs/imagenet-lt.md has the estimated cost.",
            scale.name(),
            paper.id
        )
    });
    Ok(Table {
        id: paper.id.clone(),
        title: paper.title.clone(),
        measure: paper.measure.clone(),
        scale: scale.description().into(),
        notes: paper.notes.iter().cloned().chain(not_run).collect(),
        columns: paper.columns.iter().map(|column| column.title.clone()).collect(),
        rows,
    })
}

fn fill_cell(cell: &PaperCell, records: &Records, scale: Scale) -> Result<Cell> {
    let mut runs = vec![];
    let run = &cell.run;
    for seed in records.seeds() {
        let record = records.of(&*scale.experiment(&run.preset(), seed)?)?;
        let figure = record.and_then(|record| Some((record, record.percent(run)?)));
        if let Some((record, value)) = figure {
            let provenance = provenance(record);
            let plain = RunFigure { seed, value, provenance, ..RunFigure::default() };
            let is_plain = run.noise.is_some() || run.shots.is_some() || run.averaged;
            runs.push(if is_plain { plain } else { with_geometry(plain, record) });
        }
    }
    Ok(Cell { published: cell.published, runs, ..Cell::default() })
}

/// Adds best epoch, shot-group accuracy and angles, which apply to all classes, clean images and the weights themselves
/// only.
fn with_geometry(run: RunFigure, record: &Record) -> RunFigure {
    let percent = |share: Option<f64>| share.map(|share| 100.0 * share);
    let accuracy = &record.accuracy;
    RunFigure {
        best_epoch: record.best_epoch.as_ref().map(|best| 100.0 * best.accuracy.all),
        shots: [accuracy.many, accuracy.medium, accuracy.few].map(percent),
        nearest_angle: record.geometry.mean_nearest_angle_degrees,
        ideal_angle: ideal_angle(record),
        ..run
    }
}

fn ideal_angle(record: &Record) -> Option<f64> {
    largest_min_angle_degrees(record.data.class_counts.len(), record.feature_dim()?)
}

fn provenance(record: &Record) -> Provenance {
    let data = &record.data;
    let images: usize = data.class_counts.iter().sum();
    Provenance {
        command: record.command.clone(),
        run_hash: record.run_hash.clone(),
        subset_hash: data.train_hash.clone(),
        epochs: record.epochs.clone(),
        epoch: "last".into(),
        data: format!("{}, {images} training and {} test images", data.source, data.test_images),
        seconds: record.timing.seconds,
        record: format!("{}/{}", record.scale.name(), record.file_name()),
    }
}

/// Fills the paper's figures with the records of `scale`, using the smallest recorded seed.
///
/// # Errors
///
/// If a figure names an unknown preset.
pub fn fill_figures(figures: &[PaperFigure], records: &Records, scale: Scale) -> Result<Vec<Figure>> {
    let figure = |paper: &PaperFigure| {
        let panels = match paper.kind {
            FigureKind::Angles => {
                let series = paper.groups.iter().flat_map(|group| &group.series);
                Panels::Angles {
                    maps: series.map(|series| map(series, records, scale)).collect::<Result<_>>()?,
                }
            }
            FigureKind::Norms => {
                let group = |group: &crate::FigureGroup| {
                    let series = group.series.iter().map(|series| norms(series, records, scale));
                    Ok(NormGroup { title: group.title.clone(), series: series.collect::<Result<_>>()? })
                };
                Panels::Norms { groups: paper.groups.iter().map(group).collect::<Result<_>>()? }
            }
        };
        let series = paper.groups.iter().flat_map(|group| &group.series);
        let notes = series.filter_map(|series| Some(format!("{}: {}.", series.name, series.note.as_ref()?)));
        Ok(Figure {
            id: paper.id.clone(),
            title: paper.title.clone(),
            scale: scale.description().into(),
            notes: paper.notes.iter().cloned().chain(notes).collect(),
            panels,
        })
    };
    figures.iter().map(figure).collect()
}

fn record<'a>(series: &FigureSeries, records: &'a Records, scale: Scale) -> Result<Option<&'a Record>> {
    for seed in records.seeds() {
        let found = records.of(&*scale.experiment(&series.preset(), seed)?)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Classes sorted by size, largest first, then by label.
fn by_size(record: &Record) -> Vec<usize> {
    let counts = &record.data.class_counts;
    let mut classes: Vec<usize> = (0..counts.len()).collect();
    classes.sort_by_key(|&class| std::cmp::Reverse(counts[class]));
    classes
}

fn map(series: &FigureSeries, records: &Records, scale: Scale) -> Result<AngleMap> {
    let mut map = AngleMap {
        name: series.name.clone(),
        classes: vec![],
        degrees: vec![],
        ideal_degrees: None,
        provenance: None,
    };
    if let Some(record) = record(series, records, scale)?.filter(|r| !r.geometry.angles_degrees.is_empty()) {
        let (classes, angles) = (by_size(record), &record.geometry.angles_degrees);
        map.degrees = classes.iter().map(|&a| classes.iter().map(|&b| angles[a][b]).collect()).collect();
        map.classes = classes.iter().map(ToString::to_string).collect();
        map.ideal_degrees = ideal_angle(record);
        map.provenance = Some(provenance(record));
    }
    Ok(map)
}

fn norms(series: &FigureSeries, records: &Records, scale: Scale) -> Result<NormSeries> {
    let record = record(series, records, scale)?;
    let classes = record.map_or_else(Vec::new, by_size);
    Ok(NormSeries {
        name: series.name.clone(),
        classes: classes.iter().map(ToString::to_string).collect(),
        norms: record.map_or_else(Vec::new, |record| {
            classes.iter().map(|&class| record.geometry.norms[class]).collect()
        }),
        provenance: record.map(provenance),
    })
}

/// Waits for the lock on writing reports. It locks the directory of the runs, because in a records directory its
/// `claim.json` would be read as a record, also by other program versions.
fn turn(results: &Path) -> Result<Claim> {
    let directory = RunDir::open(Records::all_runs(results))?;
    loop {
        match Claim::acquire(directory.path(), Rhythm::default(), |_, _| {}) {
            Err(nc_record::Error::Held { .. }) => std::thread::sleep(Duration::from_millis(50)),
            claim => return Ok(claim?),
        }
    }
}

/// Writes all tables and figures of `scale` to the directory of its records: `tables.md`, `tables.html`, `tables.json`,
/// `tables.csv` and `figures.csv`; and to `results` the pages of all scales, `index.html` and `expected.md`. Concurrent processes take turns.
///
/// # Errors
///
/// Those of reading the records and of writing.
pub fn write_reports(results: &Path, scale: Scale) -> Result<()> {
    let directory = Records::make_directory(results, scale)?;
    // Read the records under the lock, so that older tables never overwrite newer ones.
    let _turn = turn(results)?;
    let records = Records::read(results, scale)?;
    let tables = fill_tables(&PaperTable::all()?, &records, scale)?;
    let figures = fill_figures(&PaperFigure::all()?, &records, scale)?;
    let title = format!("Neural collapse in long-tailed learning, {}", scale.description());
    let mut markdown = format!("# {title}\n\n");
    for text in tables.iter().map(table_markdown).chain(figures.iter().map(figure_markdown)) {
        markdown.push_str(&text);
        markdown.push('\n');
    }
    for (name, text) in [
        ("tables.md", format!("{}\n", markdown.trim_end())),
        ("tables.html", page(&title, &tables, &figures)?),
        (TABLES, json(&tables, &figures)?),
        ("tables.csv", tables_csv(&tables)?),
        ("figures.csv", figures_csv(&figures)?),
    ] {
        write_atomically(&directory.join(name), text.as_bytes())?;
    }
    write_index(results)?;
    write_expected(results)
}
