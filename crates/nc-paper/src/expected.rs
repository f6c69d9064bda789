use std::{collections::BTreeMap, fmt::Write, path::Path};

use nc_record::{ShotAccuracy, write_atomically};
use nc_report::{Cell, RunFigure};

use crate::{AccuracySummary, Record, Records, Result, Scale};

const HEAD: &str = "# Expected accuracies

Test accuracy in percent after the last epoch: over all classes, and over those with more than 100 (many), 20 to 100 (medium) and fewer
than 20 (few) training images, where there are such; mean ± standard deviation over seeds. `reproduce-tables` writes this page from
the records of the present presets; [their commands](index.html).
";

/// Writes `expected.md` to `results`: the accuracy of each preset with records. Smoke scale is only a test and not listed,
/// and neither are records of presets that have changed since.
pub(crate) fn write_expected(results: &Path) -> Result<()> {
    let scales = [Scale::Paper, Scale::PaperBf16, Scale::Quick, Scale::QuickBf16];
    // Lines by data set and scale, so that a table has one length and one precision.
    let mut tables: BTreeMap<(String, usize), String> = BTreeMap::new();
    for (order, scale) in scales.into_iter().enumerate() {
        let records = Records::read(results, scale)?;
        let mut by_preset: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        for record in records.iter().filter(|record| is_current(record, &records)) {
            by_preset.entry(&record.preset).or_default().push(record);
        }
        for (preset, mut records) in by_preset {
            records.sort_by_key(|record| record.seed);
            let data = preset.split('/').next().unwrap_or_default();
            *tables.entry((data.to_owned(), order)).or_default() += &lines(preset, &records);
        }
    }
    let mut page = HEAD.to_owned();
    for ((data, order), lines) in &tables {
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n## {data}, {}\n\n| preset | epochs | seeds | all | many | medium | few |\n\
             |---|---|---|---:|---:|---:|---:|\n{lines}",
            scales[*order].description()
        );
    }
    if !tables.is_empty() {
        write_atomically(&results.join("expected.md"), page.as_bytes())?;
    }
    Ok(())
}

/// Whether the preset of `record` still describes its run.
fn is_current(record: &Record, records: &Records) -> bool {
    // First phases of a run have a name that is not a preset's.
    let experiment = record.scale.experiment(&record.preset, record.seed);
    experiment.is_ok_and(|experiment| records.of(&experiment).is_ok_and(|of| of == Some(record)))
}

/// The lines of the records of a preset, one per seed and at least one: the weights, then their average.
fn lines(preset: &str, records: &[&Record]) -> String {
    let weights = |record: &&Record| {
        let AccuracySummary { top1, many, medium, few, .. } = record.accuracy;
        [Some(top1), many, medium, few]
    };
    let average = |average: ShotAccuracy| [Some(average.all), average.many, average.medium, average.few];
    let averages: Vec<_> = records.iter().filter_map(|record| record.weight_average).map(average).collect();
    let mut lines = line(&format!("`{preset}`"), records, &records.iter().map(weights).collect::<Vec<_>>());
    if averages.len() == records.len() {
        lines += &line(&format!("`{preset}`, average of the weights"), records, &averages);
    }
    lines
}

fn line(name: &str, records: &[&Record], accuracies: &[[Option<f64>; 4]]) -> String {
    let epochs: Vec<String> = records[0].epochs.iter().map(usize::to_string).collect();
    let seeds: Vec<String> = records.iter().map(|record| record.seed.to_string()).collect();
    let cells = [0, 1, 2, 3].map(|shot| {
        let run =
            |of: &[Option<f64>; 4]| Some(RunFigure { value: 100.0 * of[shot]?, ..RunFigure::default() });
        let cell = Cell { runs: accuracies.iter().filter_map(run).collect(), ..Cell::default() };
        match (cell.mean(), cell.std()) {
            (Some(mean), Some(std)) => format!("{mean:.1} ± {std:.1}"),
            (Some(mean), None) => format!("{mean:.1}"),
            _ => String::new(),
        }
    });
    let (epochs, seeds, cells) = (epochs.join(" + "), seeds.join(", "), cells.join(" | "));
    format!("| {name} | {epochs} | {seeds} | {cells} |\n")
}
