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
        let ours = Holder::this_process();
        let locked = match lock.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => {
                // One on another machine may be dead, and watched by the process that has the lock.
                let holder = in_file(&read()?).filter(|holder| holder.is_beside(&ours));
                return Err(held(directory, holder, None));
            }
            // A file system without locks: the beat alone decides.
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
                // What stands still is written over. What was given back another may have made anew.
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
            // Another machine may have come to the same end at the same time: the last to write has it.
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
            Err(held(&self.directory, in_file(&now), Some(self.rhythm.dead_after)))
        }
    }
}

/// Who wrote this content, if that can be told.
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

/// What the file holds when that is no longer `before`, by the hand of a process that lives. A file that is gone was
/// given back, and one that is still empty was left by a process that died as it made it.
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

/// What the file holds; nothing if it is not there. Opened anew each time, as network file systems need it to show what
/// another machine has written.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        other => other,
    }
}

/// Makes the file: of several processes that do so at once, one succeeds.
fn create(path: &Path, holder: &Holder) -> io::Result<()> {
    write(File::create_new(path)?, holder)
}

/// Writes over what the file holds, so that there is no moment in which it is empty.
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
