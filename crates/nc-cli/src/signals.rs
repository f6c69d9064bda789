//! SIGINT, SIGTERM and SIGHUP (on Windows Ctrl-C and closing the window): a run finishes its step, writes a checkpoint and
//! ends.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Result;

use crate::terminal::say;

/// The exit code of a run that was interrupted, as shells have it for SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Becomes true at the first signal; the second ends the program at once. A signal that was ignored when the program
/// began, as `nohup` has SIGHUP, stays so.
pub(crate) fn wants_to_stop() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    // Not `stop` itself: a limit of time may have set that.
    let mut earlier = false;
    watch(move || {
        if earlier {
            // What is on disk is whole at any moment.
            #[allow(clippy::exit)]
            process::exit(INTERRUPTED.into());
        }
        earlier = true;
        asked.store(true, Ordering::Relaxed);
        say("\nstopping after the next training step; once more to stop at once");
    })?;
    Ok(stop)
}

#[cfg(unix)]
fn watch(mut signalled: impl FnMut() + Send + 'static) -> Result<()> {
    use anyhow::Context;
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM},
        iterator::Signals,
    };

    let ignored = ignored();
    let heard = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0);
    let mut signals = Signals::new(heard).context("cannot watch for signals")?;
    std::thread::Builder::new()
        .name("nclt-signals".into())
        .spawn(move || signals.forever().for_each(|_| signalled()))
        .context("cannot watch for signals")?;
    Ok(())
}

/// The signals that this process ignores, a bit each from SIGHUP's on; none where the system does not tell.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

#[cfg(not(unix))]
fn watch(signalled: impl FnMut() + Send + 'static) -> Result<()> {
    use anyhow::Context;
    ctrlc::set_handler(signalled).context("cannot watch for signals")
}
