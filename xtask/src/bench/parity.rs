use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::files::read_json;

/// Preset, and its name on the page.
const METHODS: [(&str, &str); 2] =
    [("cifar10-lt-r100/ce-drw-mixup", "control: CE-DRW + mix-up"), ("cifar10-lt-r100/nc-drw", "NC-DRW")];

/// Scale of `reproduce-tables`, and its precision.
const SCALES: [(&str, &str); 2] = [("quick", "f32"), ("quick-bf16", "bf16")];

/// Records of the same runs in f32 and in bf16.
pub(super) struct Parity {
    seeds: Vec<u64>,
    /// By method, then by precision; each with a record per seed.
    records: [[Vec<Record>; 2]; 2],
}

/// What the page needs of a record of `reproduce-tables`.
#[derive(Deserialize)]
struct Record {
    preset: String,
    seed: u64,
    epochs: Vec<usize>,
    accuracy: Accuracy,
    geometry: Geometry,
}

#[derive(Deserialize)]
struct Accuracy {
    top1: f64,
}

#[derive(Deserialize)]
struct Geometry {
    nc1: Option<f64>,
    mean_nearest_angle_degrees: Option<f64>,
    min_angle_degrees: Option<f64>,
}

/// A figure of a record, with its decimals and unit.
type Figure = (fn(&Record) -> Option<f64>, usize, &'static str);

const FIGURES: [Figure; 4] = [
    (|record| Some(100.0 * record.accuracy.top1), 1, " %"),
    (|record| record.geometry.mean_nearest_angle_degrees, 1, "°"),
    (|record| record.geometry.min_angle_degrees, 1, "°"),
    (|record| record.geometry.nc1, 3, ""),
];

impl Parity {
    /// Reads the records in `results`; `None` if none is in bf16.
    pub(super) fn read(results: &Path) -> Result<Option<Self>> {
        if SCALES.iter().any(|(scale, _)| !results.join(scale).is_dir()) {
            return Ok(None);
        }
        let mut records: [[Vec<Record>; 2]; 2] = Default::default();
        for (precision, (scale, _)) in SCALES.into_iter().enumerate() {
            let directory = results.join(scale);
            let entries =
                fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))?;
            for entry in entries {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                if path.extension().is_none_or(|extension| extension != "json") || name == "tables.json" {
                    continue;
                }
                let record: Record = read_json(&path)?;
                if let Some(method) = METHODS.iter().position(|(preset, _)| *preset == record.preset) {
                    ensure!(record.epochs == [40], "{} is not of 40 epochs", path.display());
                    records[method][precision].push(record);
                }
            }
        }
        let lists = records.iter_mut().flatten();
        let seeds: Vec<Vec<u64>> = lists
            .map(|records| {
                records.sort_by_key(|record| record.seed);
                records.iter().map(|record| record.seed).collect()
            })
            .collect();
        ensure!(
            seeds[0].len() > 1 && seeds.iter().all(|other| *other == seeds[0]),
            "the records of both methods and precisions must have the same seeds, two or more: {seeds:?}"
        );
        Ok(Some(Self { seeds: seeds[0].clone(), records }))
    }

    /// The section of the page.
    pub(super) fn text(&self) -> String {
        let seeds = self.seeds.iter().map(u64::to_string).collect::<Vec<_>>();
        let mut text = format!(
            "\nAccuracy and geometry in both precisions: CIFAR10-LT, r = 100, 40 epochs, after the last epoch. Accuracy on 10,000 \
             test images; angles between the centred class means of the training features, of each class to the nearest other \
             (mean over classes) and the smallest. Mean ± standard deviation over seeds {}; differences ± their standard \
             error, from these deviations.\n\n```sh\n",
            seeds.join(", ")
        );
        let seeds = seeds.join(",");
        for (scale, _) in SCALES {
            for (preset, _) in METHODS {
                let _ = writeln!(
                    text,
                    "cargo xtask reproduce-tables --scale {scale} --seeds {seeds} --cells table3/{preset}"
                );
            }
        }
        text += "```\n\n| method | precision | accuracy | nearest angle | smallest angle | NC1 |\n\
                 |---|---|---:|---:|---:|---:|\n";
        for ((_, method), [f32s, bf16s]) in METHODS.iter().zip(&self.records) {
            for (name, records) in [("f32", f32s), ("bf16", bf16s)] {
                let cells = FIGURES.map(|(figure, decimals, unit)| {
                    mean_and_deviation(records, figure).map_or_else(String::new, |(mean, deviation)| {
                        format!("{mean:.decimals$} ± {deviation:.decimals$}{unit}")
                    })
                });
                let _ = writeln!(text, "| {method} | {name} | {} |", cells.join(" | "));
            }
            let cells = FIGURES.map(|(figure, decimals, unit)| {
                let figures = mean_and_deviation(f32s, figure).zip(mean_and_deviation(bf16s, figure));
                figures.map_or_else(String::new, |(f32s, bf16s)| {
                    let error = f32s.1.hypot(bf16s.1) / (self.seeds.len() as f64).sqrt();
                    format!("{:+.decimals$} ± {error:.decimals$}{unit}", bf16s.0 - f32s.0)
                })
            });
            let _ = writeln!(text, "| {method} | bf16 - f32 | {} |", cells.join(" | "));
        }
        text
    }
}

/// Mean and sample standard deviation of a figure; none if a record has none.
fn mean_and_deviation(records: &[Record], figure: fn(&Record) -> Option<f64>) -> Option<(f64, f64)> {
    let values: Vec<f64> = records.iter().map(figure).collect::<Option<_>>()?;
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, (squares / (count - 1.0)).sqrt()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Records whose accuracy is `percents` by seed, of both methods.
    fn write(results: &Path, scale: &str, percents: &[f64]) {
        let directory = results.join(scale);
        fs::create_dir_all(&directory).unwrap();
        for (preset, _) in METHODS {
            for (seed, percent) in percents.iter().enumerate() {
                let record = json!({
                    "preset": preset, "seed": seed, "epochs": [40], "accuracy": {"top1": percent / 100.0},
                    "geometry": {"nc1": 0.5, "mean_nearest_angle_degrees": 80.0, "min_angle_degrees": null},
                });
                let name = format!("{}-{seed}.json", preset.replace('/', "-"));
                fs::write(directory.join(name), record.to_string()).unwrap();
            }
        }
        let other =
            json!({"preset": "other", "seed": 9, "epochs": [], "accuracy": {"top1": 0.1}, "geometry": {}});
        fs::write(directory.join("other.json"), other.to_string()).unwrap();
    }

    #[test]
    fn differences_have_the_standard_error_of_both_means() {
        let results = tempfile::tempdir().unwrap();
        write(results.path(), "quick", &[70.0, 71.0, 72.0]);
        write(results.path(), "quick-bf16", &[70.0, 70.0, 73.0]);
        let text = Parity::read(results.path()).unwrap().unwrap().text();
        for line in [
            "| NC-DRW | f32 | 71.0 ± 1.0 % | 80.0 ± 0.0° |  | 0.500 ± 0.000 |",
            "| NC-DRW | bf16 | 71.0 ± 1.7 % | 80.0 ± 0.0° |  | 0.500 ± 0.000 |",
            // The square root of (1 + 3) / 3.
            "| NC-DRW | bf16 - f32 | +0.0 ± 1.2 % | +0.0 ± 0.0° |  | +0.000 ± 0.000 |",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn unequal_seeds_are_refused() {
        let results = tempfile::tempdir().unwrap();
        write(results.path(), "quick", &[70.0, 71.0, 72.0]);
        assert!(Parity::read(results.path()).unwrap().is_none());
        write(results.path(), "quick-bf16", &[70.0, 70.0]);
        let error = Parity::read(results.path()).err().unwrap().to_string();
        assert!(error.ends_with("[[0, 1, 2], [0, 1], [0, 1, 2], [0, 1]]"), "{error}");
    }
}
