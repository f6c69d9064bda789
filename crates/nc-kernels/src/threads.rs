//! Process set-up: one pool of threads, shared by everything.

use candle_core::Result;

use crate::Error;

/// Candle's own number of threads. Its spinning workers compete with rayon's for the same cores.
const CANDLE_NUM_THREADS: &str = "CANDLE_NUM_THREADS";

/// Sets the process up for `threads` threads (0: one per core). Call it once, first thing in `main`.
///
/// Builds rayon's global pool and, unless the user has set it, CANDLE_NUM_THREADS=1. Calling it again with the
/// same number does nothing.
///
/// # Errors
///
/// If a pool of another size exists already.
pub fn init(threads: usize) -> Result<()> {
    let requested = if threads == 0 {
        std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
    } else {
        threads
    };
    if std::env::var_os(CANDLE_NUM_THREADS).is_none() {
        // SAFETY: documented to be called first thing in main, before there are threads of C code that read the
        // environment; Rust's own readers are kept apart by std's lock.
        unsafe { std::env::set_var(CANDLE_NUM_THREADS, "1") };
    }
    // Fails if there is a pool; whether it is the right one is what counts.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(requested).build_global();
    let running = rayon::current_num_threads();
    if running == requested { Ok(()) } else { Err(Error::Threads { requested, running }.into()) }
}

/// Runs `f`, for example a whole training loop, inside the pool: operations then start without a hand-over
/// between threads.
pub fn install<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| f())
}
