use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, EventLog, FORMAT_VERSION, Result, error::io_error};

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

    /// Creates the directory (and its parents) for a new run; what an earlier run of the same name left there
    /// is removed.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(io_error("create the directory", &path))?;
        for name in [Self::RESULT, Self::WEIGHTS, Self::SELECTED_WEIGHTS, Self::EVENTS, Self::CONFIG] {
            let file = path.join(name);
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("remove", &file)(error));
                }
                _ => {}
            }
        }
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts the event log.
    pub fn event_log(&self) -> Result<EventLog> {
        EventLog::create(&self.path.join(Self::EVENTS))
    }

    /// Writes the file `name`, [atomically](write_atomically).
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path.join(name);
        write_atomically(&path, bytes)?;
        Ok(path)
    }

    /// Writes `result` as the finished run's `result.json`.
    pub fn write_result<T: Serialize>(&self, result: &T) -> Result<PathBuf> {
        let path = self.path.join(Self::RESULT);
        let mut text = serde_json::to_vec_pretty(result)
            .map_err(|source| Error::Malformed { path: path.clone(), source })?;
        text.push(b'\n');
        self.write(Self::RESULT, &text)
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

/// Writes a file beside its place (as `NAME.part`), synced, then renamed, so that it is never seen half written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&part);
        io_error("write", path)(error)
    })
}
