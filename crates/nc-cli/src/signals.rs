//! SIGINT and SIGTERM (and closing the window): a run finishes its step, writes a checkpoint and ends.

use std::{
    io::Write,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};

/// The exit code of a run that was interrupted, as shells have it for SIGINT.
pub(crate) const INTERRUPTED: u8 = 130;

/// Becomes true at the first signal; the second ends the program at once.
pub(crate) fn wants_to_stop() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let handler = move || {
        if asked.swap(true, Ordering::Relaxed) {
            // What is on disk is whole at any moment.
            #[allow(clippy::exit)]
            process::exit(INTERRUPTED.into());
        }
        let _ = writeln!(std::io::stderr(), "\nstopping after this step; once more to stop at once");
    };
    ctrlc::set_handler(handler).context("cannot watch for signals")?;
    Ok(stop)
}
