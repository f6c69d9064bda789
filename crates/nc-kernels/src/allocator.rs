//! mimalloc, set for programs that train.

use std::ffi::{c_int, c_long};

use libmimalloc_sys::mi_option_set;
pub use mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h, which libmimalloc-sys does not declare.
const PURGE_DELAY: c_int = 15;
const MINUTE: c_long = 60_000;

/// Makes mimalloc return freed memory to the system after a minute instead of a second. The tensors of a step are freed and
/// allocated again in the next one, and each page that comes back from the system costs a page fault and is cleared. The
/// environment variable `MIMALLOC_PURGE_DELAY`, in milliseconds, takes precedence. Has no effect with another allocator.
///
/// ```
/// use nc_kernels::allocator::{MiMalloc, keep_freed_memory};
///
/// #[global_allocator]
/// static ALLOCATOR: MiMalloc = MiMalloc;
///
/// fn main() {
///     keep_freed_memory();
/// }
/// ```
pub fn keep_freed_memory() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: options may be set at any time, from one thread; unknown ones are ignored.
        unsafe { mi_option_set(PURGE_DELAY, MINUTE) };
    }
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    /// No other option defaults to 1000.
    #[test]
    fn option_15_is_the_purge_delay() {
        if std::env::var_os("MIMALLOC_PURGE_DELAY").is_some() {
            return;
        }
        // SAFETY: as above.
        let delay = || unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1000);
        keep_freed_memory();
        assert_eq!(delay(), MINUTE);
    }
}
