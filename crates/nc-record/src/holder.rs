use std::{
    fmt, fs,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// The process that holds the lock on a run directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Host name.
    pub host: String,
    /// Process id on that host.
    pub process: u32,
    /// Time of the claim in nanoseconds since 1970, by that machine's clock: distinguishes claims when ids are reused.
    since: u64,
    /// Identifier of the machine since its last boot.
    machine: String,
    /// Heartbeat counter.
    pub(crate) beat: u64,
}

impl Holder {
    pub(crate) fn this_process() -> Self {
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        // A random id per boot on Linux. Containers on one machine share it, and also share its file locks.
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        Self {
            machine: boot.map_or_else(|_| host.clone(), |boot| boot.trim().to_owned()),
            host,
            process: std::process::id(),
            since: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64),
            beat: 0,
        }
    }

    /// True if both processes belong to the same boot of the same machine.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.machine == other.machine
    }

    /// True if `content` is this process's claim.
    pub(crate) fn wrote(&self, content: &[u8]) -> bool {
        serde_json::from_slice(content).is_ok_and(|found: Self| Self { beat: self.beat, ..found } == *self)
    }
}

/// Formats as `process 12 on host`.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.process, self.host)
    }
}
