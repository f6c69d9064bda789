//! Report of a run.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use nc_metrics::{Accuracy, Calibration, Geometry, Projection};
use nc_record::{Decisions, Event, Examples, RunDir, RunResult, Samples, shell_word, write_atomically};

use crate::{
    Error, Result,
    charts::key,
    format,
    html::{command, document, escape, figures, folded, live_document, panels},
    pages::{
        consistency::{check_decisions, check_examples, check_projection, check_result},
        experts::experts_section,
        finished::{Finished, class_names},
        history::History,
        images::{mistakes, smallest_classes, training_images},
        run_curves::{further_curves, main_curves},
        snapshot::{Snapshot, by_size, class_name},
        tiles::{percent, tiles},
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
    /// Training images as the network saw them, if saved.
    pub samples: Samples,
    /// Decisions on the validation images, if saved.
    pub validation: Option<Decisions>,
    /// Mistakes on test images and images of the smallest classes, if saved.
    pub examples: Examples,
    /// Whether a process trains the run now, so that its page reloads itself.
    pub live: bool,
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
            projection: read_optional(&directory.join(RunDir::PROJECTION), check_projection)?,
            samples: read_optional(&directory.join(RunDir::SAMPLES), |_| Ok(()))?.unwrap_or_default(),
            validation: read_optional(&directory.join(RunDir::VALIDATION), check_decisions)?,
            examples: read_optional(&directory.join(RunDir::EXAMPLES), check_examples)?.unwrap_or_default(),
            live: false,
        })
    }

    /// Writes the report of the run in `directory` to its `report.html`.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read) and [`to_html`](Self::to_html), and I/O errors.
    pub fn write_page(directory: &Path) -> Result<PathBuf> {
        Self::read(directory)?.write()
    }

    /// Like [`write_page`](Self::write_page), for a run in progress: the page reloads itself.
    ///
    /// # Errors
    ///
    /// Those of [`write_page`](Self::write_page).
    pub fn write_live_page(directory: &Path) -> Result<PathBuf> {
        Self { live: true, ..Self::read(directory)? }.write()
    }

    fn write(&self) -> Result<PathBuf> {
        let path = self.directory.join(RunDir::REPORT);
        write_atomically(&path, self.to_html()?.as_bytes())?;
        Ok(path)
    }

    /// Name and seed.
    pub fn title(&self) -> String {
        match self.started() {
            Some((name, seed)) => format!("{name}, seed {seed}"),
            None => "run not started".into(),
        }
    }

    /// Name and seed; none before the run starts.
    pub(crate) fn started(&self) -> Option<(&str, u64)> {
        self.events.iter().find_map(|event| match event {
            Event::RunStarted { name, seed, .. } => Some((name.as_str(), *seed)),
            _ => None,
        })
    }

    /// Renders a self-contained HTML page. Its script only adds convenience: values at the pointer, series that can be
    /// hidden, sortable tables.
    ///
    /// # Errors
    ///
    /// [`Error::Drawing`].
    pub fn to_html(&self) -> Result<String> {
        let history = History::of(&self.events);
        let mut body = format!("<h1>{}</h1>\n", escape(&self.title()));
        command(&mut body, &self.command());
        let _ = writeln!(body, "<p class=\"status\">{}</p>", self.status());
        let marks = key(&history.marks);
        let further = further_curves(&history)?;
        let mut details = String::new();
        if let Some(result) = &self.result {
            let snapshot = snapshot(result, self.projection.as_ref());
            let _ = writeln!(body, "<p class=\"status\">{}</p>", escape(&data(result)));
            for note in &result.notes {
                let _ = writeln!(body, "<p class=\"status\"><strong>Note:</strong> {}.</p>", escape(note));
            }
            body.push_str(&tiles(&result.accuracy, Some(&result.calibration), class_names(result), "test"));
            body.push_str(&other_epochs(result));
            figures(&mut body, "Accuracy by class", "", &snapshot.by_class()?);
            body.push_str(&mistakes(&self.examples, result));
            figures(&mut body, "Training", &marks, &main_curves(&history)?);
            body.push_str(&training_images(&self.samples.training, self.class_names()));
            let remark = snapshot.remark().unwrap_or_default();
            figures(&mut body, "Geometry of the training features", &remark, &snapshot.geometry()?);
            body.push_str(&experts_section(&result.experts, &result.accuracy, &result.nc.train));
            let calibration = snapshot.calibration()?;
            body.push_str("<section>\n<h2>Details</h2>\n");
            let smallest = smallest_classes(&self.examples, result);
            folded(&mut body, "Training images of the smallest classes, without augmentation", &smallest);
            panels(&mut details, &further);
            folded(&mut body, "Regularisers, learning rate and further metrics over epochs", &details);
            details.clear();
            panels(&mut details, &calibration);
            folded(&mut body, "Calibration", &details);
            folded(&mut body, "All neural-collapse metrics", &snapshot.table());
            folded(&mut body, "All classes", &classes(result));
        } else {
            figures(&mut body, "Training", &marks, &main_curves(&history)?);
            body.push_str(&training_images(&self.samples.training, self.class_names()));
            body.push_str("<section>\n<h2>Details</h2>\n");
            panels(&mut details, &further);
            folded(&mut body, "Regularisers, learning rate and further metrics over epochs", &details);
        }
        let config = format!(
            "<p>Saved as <code>config.toml</code>, this configuration repeats the run: <code>nclt train --config \
             config.toml</code>, with <code>--data-dir</code> if the data is not built in.</p>\n<pre>{}</pre>\n",
            escape(self.config.trim_end())
        );
        folded(&mut body, "Configuration", &config);
        body.push_str("</section>\n");
        let document = if self.live && self.result.is_none() { live_document } else { document };
        Ok(document(&self.title(), &body))
    }

    /// Class names; empty before the run starts and in logs of earlier versions.
    fn class_names(&self) -> &[String] {
        let started = self.events.iter().find_map(|event| match event {
            Event::RunStarted { class_names, .. } => Some(class_names.as_slice()),
            _ => None,
        });
        self.result
            .as_ref()
            .map(class_names)
            .filter(|names| !names.is_empty())
            .or(started)
            .unwrap_or_default()
    }

    /// The command that trained the run, or that repeats or resumes it.
    fn command(&self) -> String {
        let directory = self.directory.to_string_lossy();
        let Some(result) = &self.result else {
            return format!("nclt train --resume {}", shell_word(&directory));
        };
        let recorded = result.program.as_ref().and_then(|program| program.command.clone());
        recorded.unwrap_or_else(|| {
            let config = self.directory.join(RunDir::CONFIG);
            format!("nclt train --config {}", shell_word(&config.to_string_lossy()))
        })
    }

    /// Status, date, duration, machine and version, as HTML.
    fn status(&self) -> String {
        let Some(result) = &self.result else { return escape(&self.progress()) };
        let mut parts = vec![];
        if let Some(finished) = &result.finished {
            parts.push(finished.replace('T', " ").replace('Z', " UTC"));
        }
        let seconds = result.timing.seconds;
        let speed = result.timing.images_per_second;
        parts.push(format!("{} of training, {speed:.0} images/s", format::duration(seconds)));
        if let Some(program) = &result.program {
            parts.push(program.processor.clone());
            let commit = program.commit.as_ref().map_or_else(String::new, |commit| format!(" ({commit})"));
            parts.push(format!("version {}{commit}", program.version));
        }
        format!("<strong>Finished</strong> {}", escape(&parts.join(" · ")))
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
                    let left = if self.live { format!(", {left} of this phase left") } else { String::new() };
                    text = format!(" Epoch {epoch} of {all} of phase {phase}{left}; loss {total:.3}.");
                }
                Event::Evaluated { test_accuracy, classifier, .. } => {
                    let of = classifier.as_ref().map(|name| format!(" of the {name}")).unwrap_or_default();
                    let _ = write!(text, " Test accuracy{of} {:.1} %.", 100.0 * test_accuracy.all);
                }
                _ => {}
            }
        }
        if !self.live {
            return format!("Not finished.{text}");
        }
        let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
        format!("In progress at {}.{text}", now.replace('T', " ").replace('Z', " UTC"))
    }
}

fn snapshot<'a>(result: &'a Finished, projection: Option<&'a Projection>) -> Snapshot<'a> {
    Snapshot {
        train: &result.nc.train,
        test: Some(&result.nc.test),
        decided: "test",
        accuracy: Some(&result.accuracy),
        calibration: Some(&result.calibration),
        class_counts: &result.data.class_counts,
        class_names: class_names(result),
        projection,
    }
}

/// Data, epochs and network in a sentence.
fn data(result: &Finished) -> String {
    let counts = &result.data.class_counts;
    let epochs: Vec<String> = result.epochs.iter().map(ToString::to_string).collect();
    let (largest, smallest) = (counts.iter().max().unwrap_or(&0), counts.iter().min().unwrap_or(&0));
    let network = result.network.as_ref().map_or_else(String::new, |network| {
        format!(" Network of {} parameters, {}.", format::thousands(network.parameters), network.precision)
    });
    format!(
        "{}: {} training images in {} classes ({} to {} per class), {} test images. {} epochs.{network} Run {}, training \
         subset {}.",
        result.data.source,
        format::thousands(counts.iter().sum()),
        counts.len(),
        format::thousands(*largest),
        format::thousands(*smallest),
        format::thousands(result.data.test_images),
        epochs.join(" + "),
        format::short(&result.run_hash),
        format::short(&result.data.train_hash)
    )
}

/// The epochs selected by validation and by test accuracy.
fn other_epochs(result: &Finished) -> String {
    let kept = result.selected_epoch.as_ref().filter(|selected| selected.kept);
    let mut text = match kept {
        Some(selected) => format!(
            "Metrics are of {} {}, the epoch with the best validation accuracy ({}, balanced {}).",
            selected.phase,
            selected.epoch.saturating_add(1),
            percent(Some(selected.validation_accuracy.all)),
            percent(selected.validation_accuracy.balanced)
        ),
        None => "Metrics are of the last epoch.".to_owned(),
    };
    if let Some(selected) = result.selected_epoch.as_ref().filter(|selected| !selected.kept) {
        let _ = write!(
            text,
            " Epoch selected by validation (accuracy {}, balanced {}): test accuracy {} ({} {}); its weights are saved too.",
            percent(Some(selected.validation_accuracy.all)),
            percent(selected.validation_accuracy.balanced),
            percent(Some(selected.test_accuracy.all)),
            selected.phase,
            selected.epoch.saturating_add(1)
        );
    }
    if let Some(average) = &result.weight_average {
        let _ = write!(
            text,
            " Averaged weights of the last epoch: test accuracy {}; they are saved too.",
            percent(Some(average.accuracy.test_accuracy.all))
        );
    }
    if let Some(best) = &result.best_epoch {
        let _ = write!(
            text,
            " Best epoch by test accuracy, for comparison only: {} ({} {}).",
            percent(Some(best.accuracy.all)),
            best.phase,
            best.epoch.saturating_add(1)
        );
    }
    format!("<p class=\"notes\">{}</p>\n", escape(&text))
}

/// A table of all classes with their number, name, size and accuracy.
fn classes(result: &Finished) -> String {
    let mut out =
        "<div class=\"wide\"><table class=\"sortable\">\n<thead><tr><th>class</th><th class=\"text\">name</th>\
                   <th>training images</th><th>test accuracy</th></tr></thead>\n"
            .to_owned();
    for class in by_size(&result.data.class_counts) {
        let _ = writeln!(
            out,
            "<tr><td>{class}</td><td class=\"text\">{}</td><td>{}</td><td>{}</td></tr>",
            escape(&class_name(class, class_names(result))),
            result.data.class_counts[class],
            percent(result.accuracy.per_class[class])
        );
    }
    out.push_str("</table></div>\n");
    out
}

fn read_result(directory: &Path) -> Result<Option<Finished>> {
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

/// Reads a JSON file that a run may lack.
fn read_optional<T: serde::de::DeserializeOwned>(
    path: &Path,
    check: impl Fn(&T) -> std::result::Result<(), String>,
) -> Result<Option<T>> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|source| Error::Read { path: path.to_owned(), source })?,
    };
    let value =
        serde_json::from_slice(&text).map_err(|source| Error::Malformed { path: path.to_owned(), source })?;
    check(&value).map_err(|reason| Error::Inconsistent { path: path.to_owned(), reason })?;
    Ok(Some(value))
}
