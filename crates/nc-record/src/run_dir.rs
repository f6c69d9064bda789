use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Checkpoint, Claim, Error, Event, EventLog, FORMAT_VERSION, Result, Rhythm, TensorBoard, error::io_error,
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

    /// Takes the directory for this process, see [`Claim`].
    ///
    /// # Errors
    ///
    /// [`Error::Held`] if another process has it.
    pub fn claim(&self, rhythm: Rhythm) -> Result<Claim> {
        let claim = Claim::acquire(&self.path, rhythm)?;
        self.remove_parts()?;
        Ok(claim)
    }

    /// Removes files that a process which is gone began to write.
    fn remove_parts(&self) -> Result<()> {
        let mut files = self.files()?;
        files.retain(|path| path.extension().is_some_and(|extension| extension == "part"));
        files.iter().try_for_each(|path| remove(path))
    }

    /// Every file and directory in it.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let paths = |entries: fs::ReadDir| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
        fs::read_dir(&self.path).and_then(paths).map_err(io_error("list", &self.path))
    }

    /// Removes what earlier runs left, for a new one to start.
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
            Self::CONFIG,
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

    /// Goes on with the event log after its first `bytes` bytes, as [`EventLog::sync`] told them; what follows is cut
    /// off. Also gives the events so far.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] if the log is shorter, [`Error::Malformed`] and [`Error::Version`] if it cannot be read.
    pub fn reopen_event_log(&self, bytes: u64) -> Result<(EventLog, Vec<Event>)> {
        EventLog::reopen(&self.path.join(Self::EVENTS), bytes)
    }

    /// Writes a checkpoint taken after `steps` steps of the run, and removes all others but the one before. One of more
    /// steps is a damaged one, which the run went back behind.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_checkpoint<S>(&self, steps: u64, checkpoint: &Checkpoint<S>) -> Result<PathBuf>
    where
        S: Serialize + DeserializeOwned,
    {
        let name = format!("checkpoint-{steps:09}.safetensors");
        let bytes = checkpoint.to_bytes().map_err(|error| {
            io_error("write", &self.path.join(&name))(io::Error::other(error.to_string()))
        })?;
        let path = self.write(&name, &bytes)?;
        let others = self.checkpoint_files()?.into_iter().filter(|(other, _)| *other != steps);
        let (before, after): (Vec<_>, Vec<_>) = others.partition(|(other, _)| *other < steps);
        before.iter().skip(1).chain(&after).try_for_each(|(_, old)| remove(old))?;
        Ok(path)
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
            let digits = name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors")?;
            if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
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
    /// [`Error::Io`]; [`Error::Malformed`] if `result` has no JSON.
    pub fn write_result<T: Serialize>(&self, result: &T) -> Result<PathBuf> {
        let mut text = serde_json::to_vec_pretty(result)
            .map_err(|source| Error::Malformed { path: self.path.join(Self::RESULT), source })?;
        text.push(b'\n');
        self.write(Self::RESULT, &text)
    }

    /// Writes `value` as JSON into the file `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Malformed`] if `value` has no JSON.
    pub fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<PathBuf> {
        let text = serde_json::to_vec(value)
            .map_err(|source| Error::Malformed { path: self.path.join(name), source })?;
        self.write(name, &text)
    }

    /// Reads the events of the run in `path`, also while it goes on.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] and [`Error::Version`] if they cannot be understood.
    pub fn read_events(path: &Path) -> Result<Vec<Event>> {
        crate::event::read(&path.join(Self::EVENTS))
    }

    /// Reads a finished run's result.
    ///
    /// # Errors
    ///
    /// [`Error::Version`] for a record of another format version.
    pub fn read_result<T: DeserializeOwned>(path: &Path) -> Result<T> {
        #[derive(serde::Deserialize)]
        struct Header {
            format_version: u32,
        }
        let path = path.join(Self::RESULT);
        let text = fs::read(&path).map_err(io_error("read", &path))?;
        let malformed = |source| Error::Malformed { path: path.clone(), source };
        let header: Header = serde_json::from_slice(&text).map_err(malformed)?;
        if header.format_version != FORMAT_VERSION {
            return Err(Error::Version { path, found: header.format_version, expected: FORMAT_VERSION });
        }
        serde_json::from_slice(&text).map_err(malformed)
    }
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Writes a file beside its place (as `NAME.PROCESS-NUMBER.part`, which no other writer uses), synced, then renamed, so
/// that it is never seen half written, whoever else writes it at the same time. A link is followed, and what is no file, as
/// `/dev/stdout`, is written into.
///
/// # Errors
///
/// [`Error::Io`]; what stood there before is untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    let there = fs::metadata(path);
    if there.as_ref().is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return fs::write(path, bytes).map_err(io_error("write", path));
    }
    let target = if there.is_ok() {
        fs::canonicalize(path).map_err(io_error("write", path))?
    } else {
        path.to_owned()
    };
    let (process, number) = (std::process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed));
    let mut part = target.as_os_str().to_owned();
    part.push(format!(".{process}-{number}.part"));
    let part = PathBuf::from(part);
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, &target)?;
        // The new name, too, should outlive a loss of power, where the file system can see to it.
        #[cfg(unix)]
        if let Some(directory) = target.parent() {
            let here = Path::new(".");
            let directory = if directory.as_os_str().is_empty() { here } else { directory };
            let _ = File::open(directory).and_then(|directory| directory.sync_all());
        }
        Ok(())
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&part);
        io_error("write", path)(error)
    })
}
