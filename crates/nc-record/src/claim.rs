use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{Error, Holder, Result, atomic::refuse_link, error::io_error};

/// Heartbeat interval and timeout of a [`Claim`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Interval between heartbeats; 10 seconds by default.
    pub beat: Duration,
    /// Time without a heartbeat after which a holder counts as dead; 60 seconds by default.
    pub dead_after: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { beat: Duration::from_secs(10), dead_after: Duration::from_mins(1) }
    }
}

/// An exclusive lock on a directory, held by one process at a time and released on drop.
///
/// The holder locks one file of the directory, and writes its name and a heartbeat counter to another. On one machine
/// the file lock ends with its process, so a dead holder is detected immediately. A holder on another machine, which
/// shares the directory but perhaps not the file lock, counts as dead if its counter is unchanged for
/// [`Rhythm::dead_after`]. Clocks of different machines are never compared.
#[derive(Debug)]
pub struct Claim {
    directory: PathBuf,
    holder: Holder,
    rhythm: Rhythm,
    /// Dropping it stops the heartbeat thread.
    end: Option<Sender<()>>,
    beating: Option<JoinHandle<()>>,
    _lock: File,
}

/// The lock file. It is empty and never removed, because another process may have opened it.
const LOCK: &str = "claim.lock";
/// The file with the [`Holder`].
const HOLDER: &str = "claim.json";

impl Claim {
    /// Locks `directory`. Calls `watching` with the holder and the timeout before waiting for the heartbeat of a holder
    /// that may be dead: one on another machine, or on this machine before its last boot.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] with the process that holds the lock, [`Error::Io`] if the files cannot be opened or written.
    pub fn acquire(
        directory: &Path,
        rhythm: Rhythm,
        watching: impl FnOnce(Option<&Holder>, Duration),
    ) -> Result<Self> {
        let (path, lock_path) = (directory.join(HOLDER), directory.join(LOCK));
        [&path, &lock_path].into_iter().try_for_each(|path| refuse_link(path))?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(io_error("open", &lock_path))?;
        let read = || content(&path).map_err(io_error("read", &path));
        let ours = Holder::this_process();
        let locked = match lock.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => {
                // A holder on another machine may be dead; the process with the file lock may be waiting for its
                // heartbeat.
                let holder = in_file(&read()?).filter(|holder| holder.is_beside(&ours));
                return Err(held(directory, holder, None));
            }
            // The file system has no locks: the heartbeat alone decides.
            Err(TryLockError::Error(_)) => false,
        };
        let before = match create(&path, &ours) {
            Ok(()) => None,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Some(read()?),
            Err(error) => return Err(io_error("write", &path)(error)),
        };
        let mut is_sure = locked;
        if let Some(before) = before {
            let holder = in_file(&before);
            let died_here = locked && holder.as_ref().is_some_and(|holder| holder.is_beside(&ours));
            if !died_here {
                is_sure = false;
                watching(holder.as_ref(), rhythm.dead_after);
                if let Some(now) = changed(&path, &before, rhythm).map_err(io_error("read", &path))? {
                    return Err(held(directory, in_file(&now), Some(rhythm.dead_after)));
                }
            }
            match create(&path, &ours) {
                // Overwrite a stale file, unless another process released it and re-created it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let now = read()?;
                    if now != before {
                        return Err(held(directory, in_file(&now), Some(rhythm.dead_after)));
                    }
                    put(&path, &ours).map_err(io_error("write", &path))?;
                }
                made => made.map_err(io_error("write", &path))?,
            }
        }
        if !is_sure {
            // Another machine may have decided the same at the same time: the last writer wins.
            thread::sleep(rhythm.beat / 4);
            let now = read()?;
            if !ours.wrote(&now) {
                return Err(held(directory, in_file(&now), Some(rhythm.dead_after)));
            }
        }
        let (end, ended) = channel();
        let mut holder = ours.clone();
        let beat = move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(rhythm.beat) {
                // Ignore I/O errors until the next heartbeat. Only a holder removes the file: if it is missing, another
                // process has held the lock since.
                if content(&path).is_ok_and(|now| !holder.wrote(&now)) {
                    return;
                }
                holder.beat += 1;
                let _ = put(&path, &holder);
            }
            if content(&path).is_ok_and(|now| holder.wrote(&now)) {
                let _ = fs::remove_file(&path);
            }
        };
        let beating = thread::Builder::new().name("nc-record-claim".into()).spawn(beat);
        let beating = Some(beating.map_err(io_error("start the heartbeat in", directory))?);
        Ok(Self {
            directory: directory.to_owned(),
            holder: ours,
            rhythm,
            end: Some(end),
            beating,
            _lock: lock,
        })
    }

    /// Whether a process on this machine holds the lock on `directory`; false if unknown.
    pub fn is_held(directory: &Path) -> bool {
        // Without a holder's name, opening the lock could only disturb a process that is about to take it.
        let lock = directory.join(HOLDER).exists().then(|| File::open(directory.join(LOCK)));
        let lock = lock.and_then(io::Result::ok);
        lock.is_some_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Checks that this process still holds the lock; call it before writing. Another process may have declared this
    /// one dead while it was suspended, and may even have finished.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] with the current holder, [`Error::Io`].
    pub fn confirm(&self) -> Result<()> {
        let path = self.directory.join(HOLDER);
        let now = content(&path).map_err(io_error("read", &path))?;
        if self.holder.wrote(&now) {
            Ok(())
        } else {
            Err(held(&self.directory, in_file(&now), Some(self.rhythm.dead_after)))
        }
    }
}

/// Parses the holder from the file's content; none if invalid.
fn in_file(content: &[u8]) -> Option<Holder> {
    serde_json::from_slice(content).ok()
}

fn held(directory: &Path, holder: Option<Holder>, dead_after: Option<Duration>) -> Error {
    Error::Held { directory: directory.to_owned(), holder, dead_after }
}

impl Drop for Claim {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(beating) = self.beating.take() {
            let _ = beating.join();
        }
    }
}

/// Waits up to [`Rhythm::dead_after`] for a heartbeat, and returns the new content. None if the content stays `before`
/// or the file is empty or missing: an empty file was left by a process that died creating it, a missing one was
/// released.
fn changed(path: &Path, before: &[u8], rhythm: Rhythm) -> io::Result<Option<Vec<u8>>> {
    let looks = 12;
    for _ in 0..looks {
        thread::sleep(rhythm.dead_after / looks);
        let now = content(path)?;
        if now.is_empty() {
            return Ok(None);
        }
        if now != before {
            return Ok(Some(now));
        }
    }
    Ok(None)
}

/// The file's content; empty if missing. Reopens the file each time: network file systems need that to show writes of
/// other machines.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        other => other,
    }
}

/// Creates the file; among concurrent processes exactly one succeeds.
fn create(path: &Path, holder: &Holder) -> io::Result<()> {
    write(File::create_new(path)?, holder)
}

/// Overwrites the file without truncating first, so that it is never empty.
fn put(path: &Path, holder: &Holder) -> io::Result<()> {
    write(OpenOptions::new().write(true).create(true).truncate(false).open(path)?, holder)
}

fn write(mut file: File, holder: &Holder) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(holder)?;
    bytes.push(b'\n');
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}
