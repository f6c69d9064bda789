use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Checkpoint, Claim, Error, Event, EventLog, Holder, Result, Rhythm, TensorBoard,
    atomic::{is_part, write_atomically},
    error::io_error,
    event_log, version,
};

/// The directory of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// The resolved configuration.
    pub const CONFIG: &'static str = "config.toml";
    /// The events, one JSON object a line.
    pub const EVENTS: &'static str = "events.jsonl";
    /// The result; present only in a finished run.
    pub const RESULT: &'static str = "result.json";
    /// The final weights: of the last epoch, or of the best if the run keeps it.
    pub const WEIGHTS: &'static str = "weights.safetensors";
    /// The weights of the epoch selected by validation accuracy.
    pub const SELECTED_WEIGHTS: &'static str = "weights-selected.safetensors";
    /// The moving average of the weights at the end of the last phase.
    pub const AVERAGED_WEIGHTS: &'static str = "weights-averaged.safetensors";
    /// The TensorBoard event file.
    pub const TENSORBOARD: &'static str = "events.out.tfevents.0.nclt";
    /// The 2-D projection of the features after the last epoch.
    pub const PROJECTION: &'static str = "projection.json";
    /// Training images as the network saw them, as JSON.
    pub const SAMPLES: &'static str = "samples.json";
    /// Decisions on the validation images, as JSON.
    pub const VALIDATION: &'static str = "validation.json";
    /// Mistakes on test images and images of the smallest classes, as JSON.
    pub const EXAMPLES: &'static str = "examples.json";
    /// The path of the data directory, as text; not part of the run's identity.
    pub const DATA_DIR: &'static str = "data-dir";
    /// The HTML report.
    pub const REPORT: &'static str = "report.html";

    /// Opens a run directory and creates it, with its parents, if missing.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(io_error("create the directory", &path))?;
        Ok(Self { path })
    }

    /// Locks the directory for this process (see [`Claim::acquire`]) and removes temporary files of dead processes.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] if another process holds the lock, [`Error::Io`].
    pub fn claim(&self, rhythm: Rhythm, watching: impl FnOnce(Option<&Holder>, Duration)) -> Result<Claim> {
        let claim = Claim::acquire(&self.path, rhythm, watching)?;
        self.remove_parts()?;
        Ok(claim)
    }

    fn remove_parts(&self) -> Result<()> {
        let mut files = self.files()?;
        files.retain(|path| path.file_name().is_some_and(is_part));
        files.iter().try_for_each(|path| remove(path))
    }

    /// Paths of all entries of the directory.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let paths = |entries: fs::ReadDir| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
        fs::read_dir(&self.path).and_then(paths).map_err(io_error("list", &self.path))
    }

    /// Removes the output of an earlier run. The configuration stays: the new run overwrites it.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn clear(&self) -> Result<()> {
        // Result and checkpoints first: a crash in between must not leave a run that looks finished or resumable.
        remove(&self.path.join(Self::RESULT))?;
        self.remove_checkpoints()?;
        for name in [
            Self::REPORT,
            Self::PROJECTION,
            Self::SAMPLES,
            Self::VALIDATION,
            Self::EXAMPLES,
            Self::TENSORBOARD,
            Self::WEIGHTS,
            Self::SELECTED_WEIGHTS,
            Self::AVERAGED_WEIGHTS,
            Self::EVENTS,
        ] {
            remove(&self.path.join(name))?;
        }
        Ok(())
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the event log.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn event_log(&self) -> Result<EventLog> {
        EventLog::create(&self.path.join(Self::EVENTS))
    }

    /// Creates the TensorBoard file with the `earlier` events.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn tensorboard(&self, earlier: &[Event]) -> Result<TensorBoard> {
        TensorBoard::create(&self.path.join(Self::TENSORBOARD), earlier)
    }

    /// Reads the events in the first `bytes` bytes of the event log, a length returned by [`EventLog::sync`].
    ///
    /// # Errors
    ///
    /// Those of [`RunDir::reopen_event_log`].
    pub fn read_events_until(&self, bytes: u64) -> Result<Vec<Event>> {
        event_log::read_until(&self.path.join(Self::EVENTS), bytes)
    }

    /// Reopens the event log, truncated to `bytes` bytes, a length returned by [`EventLog::sync`]. Also returns its
    /// events.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the log is missing or cannot be read, [`Error::Damaged`] if it is shorter,
    /// [`Error::Malformed`] and [`Error::Version`] if it cannot be parsed.
    pub fn reopen_event_log(&self, bytes: u64) -> Result<(EventLog, Vec<Event>)> {
        EventLog::reopen(&self.path.join(Self::EVENTS), bytes)
    }

    /// Writes a checkpoint taken after `steps` steps, and keeps only it and the previous one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_checkpoint<S>(&self, steps: u64, checkpoint: &Checkpoint<S>) -> Result<PathBuf>
    where
        S: Serialize + DeserializeOwned,
    {
        let name = checkpoint_name(steps);
        let bytes = checkpoint.to_bytes().map_err(|error| {
            io_error("write", &self.path.join(&name))(io::Error::other(error.to_string()))
        })?;
        let path = self.write(&name, &bytes)?;
        self.remove_checkpoints_after(steps)?;
        self.checkpoint_files()?.iter().skip(2).try_for_each(|(_, old)| remove(old))?;
        Ok(path)
    }

    /// Removes the checkpoints of more than `steps` steps. They are damaged ones that a resumed run skipped; kept, they
    /// would displace the good one at the next write.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn remove_checkpoints_after(&self, steps: u64) -> Result<()> {
        let mut after = self.checkpoint_files()?;
        after.retain(|(other, _)| *other > steps);
        after.iter().try_for_each(|(_, damaged)| remove(damaged))
    }

    /// Paths of the checkpoints, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn checkpoints(&self) -> Result<Vec<PathBuf>> {
        Ok(self.checkpoint_files()?.into_iter().map(|(_, path)| path).collect())
    }

    /// Removes all checkpoints.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn remove_checkpoints(&self) -> Result<()> {
        self.checkpoint_files()?.iter().try_for_each(|(_, path)| remove(path))
    }

    /// Checkpoints with their step counts, newest first. Files with other names belong to the user.
    fn checkpoint_files(&self) -> Result<Vec<(u64, PathBuf)>> {
        let steps = |path: &Path| -> Option<u64> {
            let name = path.file_name()?.to_str()?;
            let steps = name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?.parse().ok()?;
            (name == checkpoint_name(steps)).then_some(steps)
        };
        let files = self.files()?.into_iter().filter(|path| path.is_file());
        let mut checkpoints: Vec<(u64, PathBuf)> =
            files.filter_map(|path| Some((steps(&path)?, path))).collect();
        checkpoints.sort_unstable();
        checkpoints.reverse();
        Ok(checkpoints)
    }

    /// Writes the file `name` [atomically](write_atomically).
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path.join(name);
        write_atomically(&path, bytes)?;
        Ok(path)
    }

    /// Writes `result` as `result.json`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], also if `result` cannot be serialised.
    pub fn write_result<T: Serialize>(&self, result: &T) -> Result<PathBuf> {
        let text = serde_json::to_vec_pretty(result).map_err(io::Error::from);
        let mut text = text.map_err(io_error("write", &self.path.join(Self::RESULT)))?;
        text.push(b'\n');
        self.write(Self::RESULT, &text)
    }

    /// Writes `value` as JSON to the file `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], also if `value` cannot be serialised.
    pub fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<PathBuf> {
        let text = serde_json::to_vec(value).map_err(io::Error::from);
        self.write(name, &text.map_err(io_error("write", &self.path.join(name)))?)
    }

    /// Reads the events of the run in `path`, also while it is running.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the log is missing or cannot be read, [`Error::Malformed`] and [`Error::Version`] if it cannot
    /// be parsed.
    pub fn read_events(path: &Path) -> Result<Vec<Event>> {
        event_log::read(&path.join(Self::EVENTS))
    }

    /// Reads the result of a finished run.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it is missing or cannot be read, [`Error::Malformed`] if it cannot be parsed,
    /// [`Error::Version`] for another format version.
    pub fn read_result<T: DeserializeOwned>(path: &Path) -> Result<T> {
        let path = path.join(Self::RESULT);
        let text = fs::read(&path).map_err(io_error("read", &path))?;
        version::check(&path, &text)?;
        serde_json::from_slice(&text).map_err(|source| Error::Malformed { path, source })
    }
}

fn checkpoint_name(steps: u64) -> String {
    format!("checkpoint-{steps:09}.safetensors")
}

/// Removes a file if it exists.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path)(error)),
        _ => Ok(()),
    }
}
