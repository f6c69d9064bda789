use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{Error, Holder, Result, error::io_error};

/// How often a holder gives a sign of life, and after what time without one it is taken for dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// 10 seconds, unless said otherwise.
    pub beat: Duration,
    /// 60 seconds, unless said otherwise.
    pub dead_after: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { beat: Duration::from_secs(10), dead_after: Duration::from_mins(1) }
    }
}

/// The right to work on a directory, for one process at a time. Dropping it gives it back.
///
/// The holder locks one file of the directory and in another keeps its name and a counter that grows with every beat.
/// On one machine a lock ends with its process, so that a dead holder is seen at once. For a holder on another machine,
/// which shares the directory but perhaps not the lock, the counter is watched: it is dead if the counter stands still
/// for [`Rhythm::dead_after`]. No two clocks are compared.
#[derive(Debug)]
pub struct Claim {
    directory: PathBuf,
    holder: Holder,
    rhythm: Rhythm,
    /// Dropped to end the beat.
    end: Option<Sender<()>>,
    beating: Option<JoinHandle<()>>,
    /// Held as long as the claim is.
    _lock: File,
}

/// Locked by the holder; otherwise empty. It stays: another process may already have opened it.
const LOCK: &str = "claim.lock";
/// The [`Holder`].
const HOLDER: &str = "claim.json";

impl Claim {
    /// Claims `directory`. `watching` is called if a holder that may be dead has to be watched for the time given: one on
    /// another machine, or on this one before it was started anew.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] names the process that has the claim, [`Error::Io`] if the files cannot be opened or written.
    pub fn acquire(
        directory: &Path,
        rhythm: Rhythm,
        watching: impl FnOnce(Option<&Holder>, Duration),
    ) -> Result<Self> {
        let (path, lock_path) = (directory.join(HOLDER), directory.join(LOCK));
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(io_error("open", &lock_path))?;
        let read = || content(&path).map_err(io_error("read", &path));
        let locked = match lock.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Err(held(directory, &read()?, None)),
            // A file system without locks: the beat alone decides.
            Err(TryLockError::Error(_)) => false,
        };
        let ours = Holder::this_process();
        let before = read()?;
        let holder: Option<Holder> = serde_json::from_slice(&before).ok();
        let died_here = locked && holder.as_ref().is_some_and(|holder| holder.is_beside(&ours));
        let must_watch = !before.is_empty() && !died_here;
        if must_watch {
            watching(holder.as_ref(), rhythm.dead_after);
            if lives(&path, &before, rhythm).map_err(io_error("read", &path))? {
                return Err(held(directory, &before, Some(rhythm.dead_after)));
            }
        }
        put(&path, &ours).map_err(io_error("write", &path))?;
        if must_watch || !locked {
            // Another machine may have come to the same end at the same time: the last to write has it.
            thread::sleep(rhythm.beat / 4);
            let now = read()?;
            if !ours.wrote(&now) {
                return Err(held(directory, &now, Some(rhythm.dead_after)));
            }
        }
        let (end, ended) = channel();
        let mut holder = ours.clone();
        let beat = move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(rhythm.beat) {
                // What cannot be read or written now may be at the next beat. Only the holder removes the file: where it is
                // gone, another has held it since.
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
        let beating = Some(beating.map_err(io_error("watch over", directory))?);
        Ok(Self {
            directory: directory.to_owned(),
            holder: ours,
            rhythm,
            end: Some(end),
            beating,
            _lock: lock,
        })
    }

    /// Makes sure, before something is written, that this process still has the claim: it may have been suspended, and
    /// been taken for dead, by another that may be done by now.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] names the process that has it now.
    pub fn confirm(&self) -> Result<()> {
        let path = self.directory.join(HOLDER);
        let now = content(&path).map_err(io_error("read", &path))?;
        if self.holder.wrote(&now) {
            Ok(())
        } else {
            Err(held(&self.directory, &now, Some(self.rhythm.dead_after)))
        }
    }
}

fn held(directory: &Path, content: &[u8], dead_after: Option<Duration>) -> Error {
    let holder = serde_json::from_slice(content).ok();
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

/// Whether what the file holds changes from `before`.
fn lives(path: &Path, before: &[u8], rhythm: Rhythm) -> io::Result<bool> {
    let looks = 12;
    for _ in 0..looks {
        thread::sleep(rhythm.dead_after / looks);
        if content(path)? != before {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the file holds; nothing if it is not there. Opened anew each time, as network file systems need it to show what
/// another machine has written.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        other => other,
    }
}

/// Without a moment in which the file is empty and the claim would seem to be free.
fn put(path: &Path, holder: &Holder) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(holder)?;
    bytes.push(b'\n');
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}
