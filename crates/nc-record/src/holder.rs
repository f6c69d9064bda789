use std::{
    fmt, fs,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// Who works on a run directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The machine's name.
    pub host: String,
    /// The number of the process there.
    pub process: u32,
    /// When it began, in nanoseconds since 1970 by that machine's clock: tells claims of like processes apart.
    since: u64,
    /// What tells the machine, as long as it runs, from all others.
    machine: String,
    /// Grows with every sign of life.
    pub(crate) beat: u64,
}

impl Holder {
    pub(crate) fn this_process() -> Self {
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        // On Linux a number that is drawn anew whenever the machine starts; containers on it share it, and its locks.
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        Self {
            machine: boot.map_or_else(|_| host.clone(), |boot| boot.trim().to_owned()),
            host,
            process: std::process::id(),
            since: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64),
            beat: 0,
        }
    }

    /// Whether both are processes of one machine, which has not been started anew between them.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.machine == other.machine
    }

    /// Whether `content` is this process's claim.
    pub(crate) fn wrote(&self, content: &[u8]) -> bool {
        serde_json::from_slice(content).is_ok_and(|found: Self| Self { beat: self.beat, ..found } == *self)
    }
}

/// As in "process 12 on host".
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.process, self.host)
    }
}
