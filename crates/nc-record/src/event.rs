use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{Error, FORMAT_VERSION, Figures, Result, error::io_error};

/// What happens in a run, in order. Epochs are counted from 0 within their phase, as in the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The first line.
    RunStarted {
        /// [`FORMAT_VERSION`](crate::FORMAT_VERSION) of the log.
        format_version: u32,
        /// The experiment's name.
        name: String,
        /// The experiment's seed.
        seed: u64,
        /// Hash of the training subset.
        subset_hash: String,
        /// Training images of each class.
        class_counts: Vec<usize>,
        /// Scalars in the model's parameters.
        parameters: usize,
        /// Hash of the test images.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        test_hash: Option<String>,
    },
    /// A phase begins.
    PhaseStarted {
        /// The phase's name.
        phase: String,
        /// Its epochs.
        epochs: usize,
        /// Optimiser steps an epoch.
        steps_per_epoch: usize,
    },
    /// An epoch of training is done.
    EpochFinished {
        /// The phase's name.
        phase: String,
        /// The epoch.
        epoch: usize,
        /// Learning rate of this epoch.
        learning_rate: f64,
        /// Whether class weights were on.
        class_weights: bool,
        /// Loss and its terms, averaged over the epoch's images.
        losses: EpochLosses,
        /// Wall time.
        timing: Timing,
    },
    /// The model was measured on the test set, and on the validation set if there is one.
    Evaluated {
        /// The phase's name.
        phase: String,
        /// The epoch after which it was.
        epoch: usize,
        /// Test accuracy.
        test_accuracy: ShotAccuracy,
        /// Accuracy on the images held out for validation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validation_accuracy: Option<ShotAccuracy>,
        /// Wall time.
        timing: Timing,
    },
    /// Neural collapse was measured on the training images, in evaluation mode and without augmentation, and on the test
    /// images.
    Measured {
        /// The phase's name.
        phase: String,
        /// The epoch after which it was.
        epoch: usize,
        /// Figures of the training features.
        train: Figures,
        /// Figures of the test features.
        test: Figures,
        /// Wall time.
        timing: Timing,
    },
    /// The last line of a finished run.
    RunFinished {
        /// Wall time of the whole run.
        timing: Timing,
    },
}

impl Event {
    /// The first event, with the current format version.
    pub fn run_started(
        name: String,
        seed: u64,
        subset_hash: String,
        class_counts: Vec<usize>,
        parameters: usize,
        test_hash: String,
    ) -> Self {
        let (format_version, test_hash) = (FORMAT_VERSION, Some(test_hash));
        Self::RunStarted { format_version, name, seed, subset_hash, class_counts, parameters, test_hash }
    }
}

/// L = supervised + lambda1 `within_class` + lambda2 `between_class`; each term as its formula gives it, without
/// its weight, and absent while it is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochLosses {
    /// The whole objective L.
    pub total: f64,
    /// L_sup.
    pub supervised: f64,
    /// L_W (or the centre loss in its place).
    pub within_class: Option<f64>,
    /// L_B, in radians (negative) for the angle forms.
    pub between_class: Option<f64>,
}

/// Accuracy as a share from 0 to 1, over all classes and by the number of training images of the class. A group
/// without classes has none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShotAccuracy {
    /// Every class.
    pub all: f64,
    /// Classes with more than 100 training images.
    pub many: Option<f64>,
    /// Classes with 20 to 100.
    pub medium: Option<f64>,
    /// Classes with fewer than 20.
    pub few: Option<f64>,
}

/// Wall time: what differs between repetitions of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Seconds taken.
    pub seconds: f64,
    /// Images passed through per second.
    pub images_per_second: f64,
}

/// A growing file of events, one JSON object a line, each line written at once.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl EventLog {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(io_error("create", path))?;
        Ok(Self { path: path.to_owned(), file, bytes: 0 })
    }

    /// Opens the log to go on after its first `bytes` bytes; what follows them is cut off. Also gives the events in
    /// them.
    pub(crate) fn reopen(path: &Path, bytes: u64) -> Result<(Self, Vec<Event>)> {
        let mut file =
            OpenOptions::new().read(true).write(true).open(path).map_err(io_error("open", path))?;
        let mut text = vec![];
        (&file).take(bytes).read_to_end(&mut text).map_err(io_error("read", path))?;
        let found = text.len() as u64;
        if found != bytes {
            let reason = format!("expected {bytes} bytes of events, found {found}");
            return Err(Error::Damaged { path: path.to_owned(), reason });
        }
        let events = parse(path, &text)?;
        file.set_len(bytes).map_err(io_error("cut", path))?;
        file.seek(SeekFrom::End(0)).map_err(io_error("append to", path))?;
        Ok((Self { path: path.to_owned(), file, bytes }, events))
    }

    /// Appends `event`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn append(&mut self, event: &Event) -> Result<()> {
        let mut write = || {
            let mut line = serde_json::to_vec(event)?;
            line.push(b'\n');
            self.file.write_all(&line)?;
            self.bytes += line.len() as u64;
            Ok(())
        };
        write().map_err(io_error("append to", &self.path))
    }

    /// Makes sure that what was appended is on the disk, and says how many bytes it is.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn sync(&mut self) -> Result<u64> {
        self.file.sync_data().map_err(io_error("write", &self.path))?;
        Ok(self.bytes)
    }
}

/// The events of the log `path`. What follows its last end of a line is being written, or was when the process died.
pub(crate) fn read(path: &Path) -> Result<Vec<Event>> {
    let text = std::fs::read(path).map_err(io_error("read", path))?;
    let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    parse(path, &text[..whole])
}

/// The events of a log, of which the first says the format version.
fn parse(path: &Path, text: &[u8]) -> Result<Vec<Event>> {
    #[derive(Deserialize)]
    struct Header {
        format_version: u32,
    }
    let malformed = |source| Error::Malformed { path: path.to_owned(), source };
    let mut lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).peekable();
    if let Some(first) = lines.peek() {
        let Header { format_version } = serde_json::from_slice(first).map_err(malformed)?;
        if format_version != FORMAT_VERSION {
            let path = path.to_owned();
            return Err(Error::Version { path, found: format_version, expected: FORMAT_VERSION });
        }
    }
    lines.map(|line| serde_json::from_slice(line).map_err(malformed)).collect()
}
