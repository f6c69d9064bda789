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
    /// The result of a finished run.
    pub const RESULT: &'static str = "result.json";
    /// The weights after the last epoch.
    pub const WEIGHTS: &'static str = "weights.safetensors";
    /// The weights of the epoch chosen by the validation set.
    pub const SELECTED_WEIGHTS: &'static str = "weights-selected.safetensors";

    /// The events for TensorBoard.
    pub const TENSORBOARD: &'static str = "events.out.tfevents.0.nclt";
    /// The features after the last epoch in the plane, to be drawn.
    pub const PROJECTION: &'static str = "projection.json";
    /// The directory of the images, as text; no part of the run's identity.
    pub const DATA_DIR: &'static str = "data-dir";
    /// The page about the run.
    pub const REPORT: &'static str = "report.html";

    /// Opens the directory of a run, which is made (with its parents) if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(io_error("create the directory", &path))?;
        Ok(Self { path })
    }

    /// Takes the directory for this process, see [`Claim::acquire`].
    ///
    /// # Errors
    ///
    /// [`Error::Held`] if another process has it, [`Error::Io`].
    pub fn claim(&self, rhythm: Rhythm, watching: impl FnOnce(Option<&Holder>, Duration)) -> Result<Claim> {
        let claim = Claim::acquire(&self.path, rhythm, watching)?;
        self.remove_parts()?;
        Ok(claim)
    }

    /// Removes files that a process which is gone began to write.
    fn remove_parts(&self) -> Result<()> {
        let mut files = self.files()?;
        files.retain(|path| path.file_name().is_some_and(is_part));
        files.iter().try_for_each(|path| remove(path))
    }

    /// Every file and directory in it.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let paths = |entries: fs::ReadDir| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
        fs::read_dir(&self.path).and_then(paths).map_err(io_error("list", &self.path))
    }

    /// Removes what earlier runs left, for a new one to start, which writes its configuration in place of theirs.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn clear(&self) -> Result<()> {
        // First what a run would be taken for finished by, or go on from.
        remove(&self.path.join(Self::RESULT))?;
        self.remove_checkpoints()?;
        for name in [
            Self::REPORT,
            Self::PROJECTION,
            Self::TENSORBOARD,
            Self::WEIGHTS,
            Self::SELECTED_WEIGHTS,
            Self::EVENTS,
        ] {
            remove(&self.path.join(name))?;
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts the event log.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn event_log(&self) -> Result<EventLog> {
        EventLog::create(&self.path.join(Self::EVENTS))
    }

    /// Starts the TensorBoard file, with the events so far.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn tensorboard(&self, earlier: &[Event]) -> Result<TensorBoard> {
        TensorBoard::create(&self.path.join(Self::TENSORBOARD), earlier)
    }

    /// The events in the first `bytes` bytes of the event log, as [`EventLog::sync`] gave them.
    ///
    /// # Errors
    ///
    /// As [`RunDir::reopen_event_log`].
    pub fn read_events_until(&self, bytes: u64) -> Result<Vec<Event>> {
        event_log::read_until(&self.path.join(Self::EVENTS), bytes)
    }

    /// Continues the event log after its first `bytes` bytes, as [`EventLog::sync`] gave them; what follows is cut off.
    /// Also gives the events so far.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the log is not there or cannot be read, [`Error::Damaged`] if it is shorter,
    /// [`Error::Malformed`] and [`Error::Version`] if it cannot be understood.
    pub fn reopen_event_log(&self, bytes: u64) -> Result<(EventLog, Vec<Event>)> {
        EventLog::reopen(&self.path.join(Self::EVENTS), bytes)
    }

    /// Writes a checkpoint taken after `steps` steps of the run, and removes all others but the one before.
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

    /// Removes the checkpoints of more than `steps` steps: damaged ones that a run went back behind, which would push
    /// out the good one when the next is written.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn remove_checkpoints_after(&self, steps: u64) -> Result<()> {
        let mut after = self.checkpoint_files()?;
        after.retain(|(other, _)| *other > steps);
        after.iter().try_for_each(|(_, damaged)| remove(damaged))
    }

    /// The checkpoints there are, the newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn checkpoints(&self) -> Result<Vec<PathBuf>> {
        Ok(self.checkpoint_files()?.into_iter().map(|(_, path)| path).collect())
    }

    /// Removes all checkpoints, of a run that needs none any more.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn remove_checkpoints(&self) -> Result<()> {
        self.checkpoint_files()?.iter().try_for_each(|(_, path)| remove(path))
    }

    /// Checkpoints after how many steps, the newest first. What has another name is the user's.
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

    /// Writes the file `name`, [atomically](write_atomically).
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path.join(name);
        write_atomically(&path, bytes)?;
        Ok(path)
    }

    /// Writes `result` as the finished run's `result.json`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], also if `result` has no JSON.
    pub fn write_result<T: Serialize>(&self, result: &T) -> Result<PathBuf> {
        let text = serde_json::to_vec_pretty(result).map_err(io::Error::from);
        let mut text = text.map_err(io_error("write", &self.path.join(Self::RESULT)))?;
        text.push(b'\n');
        self.write(Self::RESULT, &text)
    }

    /// Writes `value` as JSON into the file `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], also if `value` has no JSON.
    pub fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<PathBuf> {
        let text = serde_json::to_vec(value).map_err(io::Error::from);
        self.write(name, &text.map_err(io_error("write", &self.path.join(name)))?)
    }

    /// Reads the events of the run in `path`, also while it goes on.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there are none or they cannot be read, [`Error::Malformed`] and [`Error::Version`] if they cannot
    /// be understood.
    pub fn read_events(path: &Path) -> Result<Vec<Event>> {
        event_log::read(&path.join(Self::EVENTS))
    }

    /// Reads a finished run's result.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there is none or it cannot be read, [`Error::Malformed`] if it is not one, [`Error::Version`] if
    /// it is of another format version.
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

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path)(error)),
        _ => Ok(()),
    }
}
