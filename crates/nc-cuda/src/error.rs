/// An error of the CUDA driver, of the compiler, or of a call.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No driver library.
    #[error("no NVIDIA driver: libcuda was not found; install the NVIDIA driver for this GPU")]
    NoDriver,
    /// The driver lacks a function.
    #[error("the NVIDIA driver is too old: {0}; install a driver for CUDA 11.4 or later")]
    OldDriver(String),
    /// No compiler library.
    #[error(
        "no NVRTC for this driver: install the CUDA toolkit, or `pip install nvidia-cuda-nvrtc` (drivers for CUDA 13) or \
         `nvidia-cuda-nvrtc-cu12` (CUDA 12), and add the directory of libnvrtc.so to LD_LIBRARY_PATH"
    )]
    NoCompiler,
    /// The device does not exist.
    #[error("no CUDA device {ordinal}: the driver reports {count}")]
    NoDevice {
        /// Requested device.
        ordinal: usize,
        /// Devices of the driver.
        count: usize,
    },
    /// The GPU lacks the matrix instructions.
    #[error(
        "{name} has compute capability {major}.{minor}; the kernels need 8.0 (Ampere) or later. Train on the CPU instead"
    )]
    TooOld {
        /// Name of the GPU.
        name: String,
        /// Compute capability, first digit.
        major: i32,
        /// Compute capability, second digit.
        minor: i32,
    },
    /// A call of the driver failed.
    #[error("CUDA: {call} failed: {error}")]
    Driver {
        /// Function of the driver.
        call: &'static str,
        /// Name and description of its error.
        error: String,
    },
    /// A kernel did not compile.
    #[error("kernel {kernel} does not compile: {log}")]
    Compile {
        /// Name of the kernel.
        kernel: &'static str,
        /// Messages of the compiler.
        log: String,
    },
    /// A launch does not match its kernel, or failed in the emulator.
    #[error("launch of {kernel}: {reason}")]
    Launch {
        /// Name of the kernel.
        kernel: &'static str,
        /// Reason.
        reason: String,
    },
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
