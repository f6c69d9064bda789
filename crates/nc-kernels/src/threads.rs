//! Process-wide set-up: one shared thread pool.

use candle_core::Result;

use crate::Error;

/// Candle's own number of threads. Its spinning workers compete with rayon's for the cores.
const CANDLE_NUM_THREADS: &str = "CANDLE_NUM_THREADS";

/// Sets up `threads` threads (0: one per core) for the process. Call it once, first in `main`.
///
/// Builds rayon's global pool and, unless the user has set it, sets CANDLE_NUM_THREADS=1, because Candle has no other
/// switch. A second call with the same number does nothing.
///
/// While the variable is being set, no other thread may read the environment except through `std::env`, whose lock
/// separates readers and writers. C code does (`getenv`, `localtime`), and so does `std::net` when it resolves a host;
/// the compiler cannot check this. On Windows it does not matter. Where such threads may run, set CANDLE_NUM_THREADS
/// before the program starts: then this function sets nothing. See [`std::env::set_var`].
///
/// # Errors
///
/// If a pool of another size already exists.
pub fn init(threads: usize) -> Result<()> {
    let requested = if threads == 0 {
        std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
    } else {
        threads
    };
    if std::env::var_os(CANDLE_NUM_THREADS).is_none() {
        // SAFETY: as documented above, no other thread reads the environment without std's lock.
        unsafe { std::env::set_var(CANDLE_NUM_THREADS, "1") };
    }
    // Fails if a pool exists; only its size matters, checked below.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(requested).build_global();
    let running = rayon::current_num_threads();
    if running == requested { Ok(()) } else { Err(Error::Threads { requested, running }.into()) }
}

/// Runs `f`, for example a whole training loop, inside the pool, so that operations start without a hand-over between
/// threads.
pub fn install<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| f())
}
