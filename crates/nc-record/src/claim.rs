use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{Error, FORMAT_VERSION, Result, error::io_error};

/// Who works on a run directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// [`FORMAT_VERSION`](crate::FORMAT_VERSION) of the claim.
    pub format_version: u32,
    /// The machine's name.
    pub host: String,
    /// The number of the process there.
    pub process: u32,
    /// When it began, in seconds since 1970 by that machine's clock.
    pub since: u64,
    /// What tells the machine, as long as it runs, from all others.
    machine: String,
    /// Grows with every sign of life.
    beat: u64,
}

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
/// The claim is a locked file with the holder's name and a counter that grows with every beat. On one machine a lock
/// ends with its process, so that a dead holder is seen at once. For a holder on another machine, which shares the
/// directory but perhaps not the lock, the counter is watched: it is dead if the counter stands still for
/// [`Rhythm::dead_after`]. No two clocks are compared.
#[derive(Debug)]
pub struct Claim {
    lost: Arc<AtomicBool>,
    /// Dropped to end the beat.
    end: Option<Sender<()>>,
    beating: Option<JoinHandle<()>>,
}

impl Claim {
    /// Claims by the file `path`, which is made if it is not there and stays.
    ///
    /// # Errors
    ///
    /// [`Error::Held`] names the process that has the claim, [`Error::Io`] if the file cannot be opened or written.
    pub fn acquire(path: &Path, rhythm: Rhythm) -> Result<Self> {
        let failed = |action| io_error(action, path);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = open.map_err(failed("open"))?;
        let held = |content: &[u8]| Error::Held {
            path: path.to_owned(),
            holder: serde_json::from_slice(content).ok(),
            dead_after: rhythm.dead_after,
        };
        let locked = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Err(held(&content(&mut file).unwrap_or_default())),
            // A file system without locks: the beat alone decides.
            Err(TryLockError::Error(_)) => false,
        };
        let ours = Holder::this_process();
        let before = content(&mut file).map_err(failed("read"))?;
        let holder: Option<Holder> = serde_json::from_slice(&before).ok();
        let died_here = locked && holder.is_some_and(|holder| holder.machine == ours.machine);
        let must_watch = !before.is_empty() && !died_here;
        if must_watch && lives(&mut file, &before, rhythm).map_err(failed("read"))? {
            return Err(held(&before));
        }
        put(&mut file, &ours).map_err(failed("write"))?;
        if must_watch {
            // Another machine may have watched with us: the last to write has it.
            thread::sleep(rhythm.beat / 4);
            let now = content(&mut file).map_err(failed("read"))?;
            if !ours.wrote(&now) {
                return Err(held(&now));
            }
        }
        Self::beat(file, ours, rhythm).map_err(failed("watch over"))
    }

    fn beat(mut file: File, mut holder: Holder, rhythm: Rhythm) -> io::Result<Self> {
        let lost = Arc::new(AtomicBool::new(false));
        let (end, ended) = channel();
        let lost_here = Arc::clone(&lost);
        let beat = move || {
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(rhythm.beat) {
                // What cannot be read now may be read at the next beat; only another's name is a loss.
                match content(&mut file) {
                    Ok(now) if !holder.wrote(&now) => {
                        lost_here.store(true, Ordering::Relaxed);
                        return;
                    }
                    _ => {}
                }
                holder.beat += 1;
                let _ = put(&mut file, &holder);
            }
            if content(&mut file).is_ok_and(|now| holder.wrote(&now)) {
                let _ = file.set_len(0);
            }
        };
        let beating = thread::Builder::new().name("nc-record-claim".into()).spawn(beat)?;
        Ok(Self { lost, end: Some(end), beating: Some(beating) })
    }

    /// Whether another process took this one for dead (it may have been suspended) and took the claim.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(beating) = self.beating.take() {
            let _ = beating.join();
        }
    }
}

impl Holder {
    fn this_process() -> Self {
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        // On Linux a number that is drawn anew whenever the machine starts; containers on it share it, and its locks.
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        Self {
            format_version: FORMAT_VERSION,
            machine: boot.map_or_else(|_| host.clone(), |boot| boot.trim().to_owned()),
            host,
            process: std::process::id(),
            since: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            beat: 0,
        }
    }

    /// Whether `content` is this process's claim.
    fn wrote(&self, content: &[u8]) -> bool {
        serde_json::from_slice(content).is_ok_and(|found: Self| Self { beat: self.beat, ..found } == *self)
    }
}

/// Whether what the file holds changes from `before`.
fn lives(file: &mut File, before: &[u8], rhythm: Rhythm) -> io::Result<bool> {
    let looks = 12;
    for _ in 0..looks {
        thread::sleep(rhythm.dead_after / looks);
        if content(file)? != before {
            return Ok(true);
        }
    }
    Ok(false)
}

fn content(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// In place: a new file in its place would not be the locked one.
fn put(file: &mut File, holder: &Holder) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(holder)?;
    bytes.push(b'\n');
    file.rewind()?;
    file.write_all(&bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

/// For messages.
pub(crate) fn describe(holder: Option<&Holder>, path: &Path, dead_after: Duration) -> String {
    let directory: PathBuf = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    let who = holder.map_or_else(
        || "another process".into(),
        |holder| format!("process {} on {}", holder.process, holder.host),
    );
    format!(
        "{} is being worked on by {who}; it is free again when that process ends, or {} s after its last sign of life",
        directory.display(),
        dead_after.as_secs()
    )
}
