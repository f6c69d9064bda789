//! Handler of SIGINT, SIGTERM and SIGHUP (on Windows, Ctrl-C and closing the window): a run finishes its step, writes a
//! checkpoint and stops.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Result;

use crate::terminal::say;

/// Exit code of an interrupted run: the shells' code for SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Flag set by the first signal; the second signal ends the program immediately. A signal that was ignored at startup,
/// such as SIGHUP under `nohup`, stays ignored.
pub(crate) fn wants_to_stop() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    // Separate from `stop`, which a time limit may have set.
    let mut earlier = false;
    watch(move || {
        if earlier {
            // Files are written atomically, so exiting is always safe.
            #[allow(clippy::exit)]
            process::exit(INTERRUPTED.into());
        }
        earlier = true;
        asked.store(true, Ordering::Relaxed);
        say("\nstopping after the next training step; interrupt again to stop immediately");
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

/// Bit mask of the signals that this process ignores, bit 0 for SIGHUP; 0 if unknown.
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
