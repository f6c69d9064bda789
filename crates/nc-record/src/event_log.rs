use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use crate::{Error, Event, Result, atomic::refuse_link, error::io_error, version};

/// An append-only log of events: JSON Lines, one write per line.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl EventLog {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        refuse_link(path)?;
        File::create(path).map_err(io_error("create", path))?;
        Ok(Self { path: path.to_owned(), file: open(path)?, bytes: 0 })
    }

    /// Opens the log for appending after its first `bytes` bytes and truncates the rest. Also returns the events kept.
    pub(crate) fn reopen(path: &Path, bytes: u64) -> Result<(Self, Vec<Event>)> {
        refuse_link(path)?;
        let events = read_until(path, bytes)?;
        let file = open(path)?;
        file.set_len(bytes).map_err(io_error("cut", path))?;
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

    /// Flushes the log to disk and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn sync(&mut self) -> Result<u64> {
        self.file.sync_data().map_err(io_error("write", &self.path))?;
        Ok(self.bytes)
    }
}

/// Opens a log for reading and appending.
fn open(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).append(true).open(path).map_err(io_error("open", path))
}

/// Reads the events in the first `bytes` bytes of the log `path`.
pub(crate) fn read_until(path: &Path, bytes: u64) -> Result<Vec<Event>> {
    let mut text = vec![];
    open(path)?.take(bytes).read_to_end(&mut text).map_err(io_error("read", path))?;
    let found = text.len() as u64;
    if found != bytes {
        let reason = format!("expected {bytes} bytes of events, found {found}");
        return Err(Error::Damaged { path: path.to_owned(), reason });
    }
    parse(path, &text)
}

/// Reads the events of the log `path`. Ignores an incomplete last line: its process is writing it or died doing so.
pub(crate) fn read(path: &Path) -> Result<Vec<Event>> {
    let text = fs::read(path).map_err(io_error("read", path))?;
    let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    parse(path, &text[..whole])
}

/// Parses a log; its first event carries the format version.
fn parse(path: &Path, text: &[u8]) -> Result<Vec<Event>> {
    if text.is_empty() {
        return Ok(vec![]);
    }
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    version::check(path, first)?;
    // Parsing one stream makes serde_json report line numbers.
    let events = serde_json::Deserializer::from_slice(text).into_iter().collect::<serde_json::Result<_>>();
    events.map_err(|source| Error::Malformed { path: path.to_owned(), source })
}
