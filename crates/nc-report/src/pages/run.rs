//! Report of a run.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use nc_metrics::{Accuracy, Calibration, Geometry, Projection};
use nc_record::{Event, RunDir, RunResult, write_atomically};

use crate::{
    Error, Result,
    charts::key,
    format,
    html::{document, escape, figures, live_document},
    pages::{
        consistency::{check_projection, check_result},
        history::History,
        run_curves::{collapse, training},
        snapshot::{Snapshot, by_size, optimum},
    },
};

/// Content of a run directory, finished or not.
#[derive(Clone, Debug)]
pub struct RunReport {
    /// Run directory.
    pub directory: PathBuf,
    /// Resolved configuration, as TOML.
    pub config: String,
    /// Events so far.
    pub events: Vec<Event>,
    /// Result, if finished.
    pub result: Option<RunResult<Accuracy, Calibration, Geometry>>,
    /// 2-D projection of the features, if saved.
    pub projection: Option<Projection>,
}

impl RunReport {
    /// Reads the run in `directory`.
    ///
    /// # Errors
    ///
    /// If the configuration or event log is missing, or a file is malformed or inconsistent. Messages name the file.
    pub fn read(directory: &Path) -> Result<Self> {
        let config = directory.join(RunDir::CONFIG);
        let config =
            std::fs::read_to_string(&config).map_err(|source| Error::Read { path: config, source })?;
        Ok(Self {
            directory: directory.to_owned(),
            config,
            events: RunDir::read_events(directory)?,
            result: read_result(directory)?,
            projection: read_projection(directory)?,
        })
    }

    /// Writes the report of the run in `directory` to its `report.html`.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read) and [`to_html`](Self::to_html), and I/O errors.
    pub fn write_page(directory: &Path) -> Result<PathBuf> {
        let path = directory.join(RunDir::REPORT);
        write_atomically(&path, Self::read(directory)?.to_html()?.as_bytes())?;
        Ok(path)
    }

    /// Name and seed.
    pub fn title(&self) -> String {
        let started = self.events.iter().find_map(|event| match event {
            Event::RunStarted { name, seed, .. } => Some(format!("{name}, seed {seed}")),
            _ => None,
        });
        started.unwrap_or_else(|| "run not started".into())
    }

    /// Renders a self-contained HTML page without scripts.
    ///
    /// # Errors
    ///
    /// [`Error::Drawing`].
    pub fn to_html(&self) -> Result<String> {
        let history = History::of(&self.events);
        let note = key(&history.marks);
        let mut body = format!("<h1>{}</h1>\n", escape(&self.title()));
        self.summary(&mut body);
        figures(&mut body, "Training", &note, &training(&history)?);
        figures(&mut body, "Neural collapse during training", &note, &collapse(&history)?);
        if let Some(result) = &self.result {
            let snapshot = Snapshot {
                train: &result.nc.train,
                test: Some(&result.nc.test),
                decided: "test",
                accuracy: Some(&result.accuracy),
                calibration: Some(&result.calibration),
                class_counts: &result.data.class_counts,
                projection: self.projection.as_ref(),
            };
            figures(&mut body, "After the last epoch", "", &snapshot.drawings()?);
            body.push_str(&classes(result));
            let remark =
                snapshot.remark().map_or_else(String::new, |text| format!("<p>{}</p>\n", escape(&text)));
            let _ = write!(
                body,
                "<section>\n<h2>Neural-collapse metrics</h2>\n{remark}{}</section>\n",
                snapshot.table()
            );
        }
        let _ = write!(
            body,
            "<section>\n<h2>Reproduce this run</h2>\n<p>Save this configuration and run <code>nclt train --config \
             config.toml</code> (with <code>--data-dir</code> if the data is not built in), or <code>cargo xtask train \
             --config config.toml</code> in a checkout:</p>\n<pre>{}</pre>\n</section>\n",
            escape(self.config.trim_end())
        );
        let document = if self.result.is_some() { document } else { live_document };
        Ok(document(&self.title(), &body))
    }

    /// The state of an unfinished run: its epoch, the rest of the phase at the speed of the last epoch, the last figures.
    fn progress(&self) -> String {
        let (mut all, mut text) = (0, String::new());
        for event in &self.events {
            match event {
                Event::PhaseStarted { epochs, .. } => all = *epochs,
                Event::EpochFinished { phase, epoch, losses, timing, .. } => {
                    let (epoch, total) = (epoch.saturating_add(1), losses.total);
                    let left = format::duration(timing.seconds * all.saturating_sub(epoch) as f64);
                    text = format!(
                        " Epoch {epoch} of {all} of phase {phase}, {left} of this phase left; loss {total:.3}."
                    );
                }
                Event::Evaluated { test_accuracy, .. } => {
                    let _ = write!(text, " Test accuracy {:.1} %.", 100.0 * test_accuracy.all);
                }
                _ => {}
            }
        }
        format!("Not finished.{text}")
    }

    /// Appends the data, the schedule and the main metrics.
    fn summary(&self, body: &mut String) {
        let Some(result) = &self.result else {
            let _ = writeln!(body, "<p>{}</p>", escape(&self.progress()));
            return;
        };
        let epochs: Vec<String> = result.epochs.iter().map(ToString::to_string).collect();
        let images: usize = result.data.class_counts.iter().sum();
        let largest = result.data.class_counts.iter().max().copied().unwrap_or(0);
        let smallest = result.data.class_counts.iter().min().copied().unwrap_or(0);
        let _ = writeln!(
            body,
            "<p>{}: {images} training images in {} classes ({largest} to {smallest} per class), {} test images. {} \
             epochs in {}. Run <code>{}</code>, training subset <code>{}</code>.</p>",
            escape(&result.data.source),
            result.data.class_counts.len(),
            result.data.test_images,
            epochs.join(" + "),
            format::duration(result.timing.seconds),
            escape(format::short(&result.run_hash)),
            escape(format::short(&result.data.train_hash))
        );
        let percent =
            |share: Option<f64>| share.map_or_else(|| "–".into(), |share| format!("{:.1} %", 100.0 * share));
        let hundredths =
            |share: Option<f64>| share.map_or_else(|| "–".into(), |share| format!("{:.1}", 100.0 * share));
        let degrees = |angle: Option<f64>| angle.map_or_else(|| "–".into(), |angle| format!("{angle:.1}°"));
        let number = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.3}"));
        let (accuracy, nc) = (&result.accuracy, &result.nc.train);
        let angle = nc.nc2.centered_means.mean_nearest_angle_degrees;
        let cards = [
            ("final test accuracy", percent(Some(accuracy.top1))),
            (
                "many / medium / few, %",
                [accuracy.many, accuracy.medium, accuracy.few].map(hundredths).join(" / "),
            ),
            ("worst class", percent(accuracy.worst_class)),
            ("calibration error", percent(result.calibration.ece15)),
            ("mean nearest angle / optimum", [angle, optimum(nc)].map(degrees).join(" / ")),
            ("NC1, each class the same", number(nc.nc1.trace.class_weighted)),
            ("NC3 gap", number(nc.nc3.as_ref().and_then(|nc3| nc3.duality_gap_squared))),
            ("NC4 mismatch", percent(nc.nc4.and_then(|nc4| nc4.mismatch))),
        ];
        body.push_str("<dl class=\"cards\">\n");
        for (name, value) in cards {
            let _ = writeln!(body, "<div><dt>{name}</dt><dd>{value}</dd></div>");
        }
        body.push_str("</dl>\n<p class=\"notes\">Geometry is of training features.");
        if let Some(selected) = &result.selected_epoch {
            let _ = write!(
                body,
                " Selected by validation accuracy ({}): test accuracy {} ({} {}); its weights are saved too.",
                percent(Some(selected.validation_accuracy.all)),
                percent(Some(selected.test_accuracy.all)),
                escape(&selected.phase),
                selected.epoch.saturating_add(1)
            );
        }
        if let Some(best) = &result.best_epoch {
            let _ = write!(
                body,
                " Best epoch by test accuracy, for comparison only: {} ({} {}).",
                percent(Some(best.accuracy.all)),
                escape(&best.phase),
                best.epoch.saturating_add(1)
            );
        }
        body.push_str("</p>\n");
        for note in &result.notes {
            let _ = writeln!(body, "<p class=\"notes\">Note: {}.</p>", escape(note));
        }
    }
}

/// A table of class numbers and names; empty for results of earlier versions.
fn classes(result: &RunResult<Accuracy, Calibration, Geometry>) -> String {
    let Some(input) = &result.input else { return String::new() };
    let mut out = "<section>\n<h2>Classes</h2>\n<div class=\"wide\"><table>\n<tr><th>class</th><th>name</th>\
                   <th>training images</th><th>test accuracy</th></tr>\n"
        .to_owned();
    for class in by_size(&result.data.class_counts) {
        let share = result.accuracy.per_class[class];
        let _ = writeln!(
            out,
            "<tr><td>{class}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&input.classes[class]),
            result.data.class_counts[class],
            share.map_or_else(|| "–".into(), |share| format!("{:.1} %", 100.0 * share))
        );
    }
    out.push_str("</table></div>\n</section>\n");
    out
}

fn read_result(directory: &Path) -> Result<Option<RunResult<Accuracy, Calibration, Geometry>>> {
    let result = match RunDir::read_result(directory) {
        Err(nc_record::Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(None);
        }
        result => result?,
    };
    let path = directory.join(RunDir::RESULT);
    check_result(&result).map_err(|reason| Error::Inconsistent { path, reason })?;
    Ok(Some(result))
}

/// The projection; none without a file, because saving it is optional.
fn read_projection(directory: &Path) -> Result<Option<Projection>> {
    let path = directory.join(RunDir::PROJECTION);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|source| Error::Read { path: path.clone(), source })?,
    };
    let projection =
        serde_json::from_slice(&text).map_err(|source| Error::Malformed { path: path.clone(), source })?;
    check_projection(&projection).map_err(|reason| Error::Inconsistent { path, reason })?;
    Ok(Some(projection))
}
