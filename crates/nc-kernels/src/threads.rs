//! Process set-up: one pool of threads, shared by everything.

use candle_core::Result;

use crate::Error;

/// Candle's own number of threads. Its spinning workers compete with rayon's for the same cores.
const CANDLE_NUM_THREADS: &str = "CANDLE_NUM_THREADS";

/// Sets the process up for `threads` threads (0: one per core). Call it once, first thing in `main`.
///
/// Builds rayon's global pool and, unless the user has set it, CANDLE_NUM_THREADS=1, since Candle can be told in no
/// other way. Calling it again with the same number does nothing.
///
/// While it sets that variable, no other thread may read the environment except through `std::env`, whose lock keeps
/// readers and writer apart: C code does (`getenv`, `localtime`), and `std::net` when it looks up a host. The compiler
/// cannot check that; on Windows it does not matter. Where such threads may run, set CANDLE_NUM_THREADS before the
/// program starts: then nothing is set here. See [`std::env::set_var`].
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
        // SAFETY: as documented above, no other thread reads the environment, or it waits for std's lock.
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
