//! Compilation at run time, and a cache of its results.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::OnceLock;

use libloading::Library;

use crate::source::{Source, digest};
use crate::{Error, Result};

/// File names of the library, the newest version first. A driver loads the code of its own major version and of earlier ones.
const NAMES: [&str; 6] = [
    "libnvrtc.so.13",
    "libnvrtc.so.12",
    "libnvrtc.so",
    "libnvrtc.so.11.2",
    "nvrtc64_130_0.dll",
    "nvrtc64_120_0.dll",
];

/// Option of every compilation, beside the target.
const STANDARD: &str = "--std=c++17";

/// Machine code of `source` for a GPU of the given compute capability; if `cached`, from the cache if it is there.
///
/// # Errors
///
/// [`Error::NoCompiler`] before [`find`] has succeeded.
pub(crate) fn cubin(source: &Source, major: i32, minor: i32, cached: bool) -> Result<Vec<u8>> {
    let compiler = COMPILER.get().ok_or(Error::NoCompiler)?;
    let text = source.cuda();
    let target = format!("--gpu-architecture=sm_{major}{minor}");
    let file = cache_file(&digest(&[&text, &target, STANDARD, &compiler.version]));
    if let Some(code) = file.as_ref().filter(|_| cached).and_then(|file| std::fs::read(file).ok()) {
        return Ok(code);
    }
    let code =
        compiler.compile(&text, &target).map_err(|log| Error::Compile { kernel: source.kernel, log })?;
    if let Some(file) = file {
        store(&file, &code);
    }
    Ok(code)
}

/// Writes the cache. A failure costs time at the next start, nothing else.
fn store(file: &Path, code: &[u8]) {
    let Some(directory) = file.parent() else { return };
    let unique = format!("{}-{:?}.tmp", std::process::id(), std::thread::current().id());
    let temporary = file.with_extension(unique);
    let written = std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&temporary, code));
    if written.and_then(|()| std::fs::rename(&temporary, file)).is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
}

fn cache_file(digest: &str) -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("nclt").join("kernels").join(format!("{digest}.cubin")))
}

/// Loads the newest NVRTC whose code a driver for CUDA `driver` (major version) loads.
///
/// # Errors
///
/// [`Error::NoCompiler`] if there is none.
pub(crate) fn find(driver: i32) -> Result<()> {
    if COMPILER.get().is_some() {
        return Ok(());
    }
    let compiler = NAMES.iter().find_map(|name| Compiler::load(name, driver)).ok_or(Error::NoCompiler)?;
    // Another thread may have been faster.
    let _ = COMPILER.set(compiler);
    Ok(())
}

static COMPILER: OnceLock<Compiler> = OnceLock::new();

type Program = *mut c_void;

/// Functions of NVRTC; each returns 0 on success.
struct Compiler {
    create: unsafe extern "C" fn(
        *mut Program,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> c_int,
    compile: unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int,
    destroy: unsafe extern "C" fn(*mut Program) -> c_int,
    code_size: Size,
    code: Copy,
    log_size: Size,
    log: Copy,
    error: unsafe extern "C" fn(c_int) -> *const c_char,
    /// Version, for the cache.
    version: String,
}

type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Copy = unsafe extern "C" fn(Program, *mut c_char) -> c_int;

impl Compiler {
    /// The library `name`, unless its major version is above `newest`.
    fn load(name: &str, newest: i32) -> Option<Self> {
        // SAFETY: the library's initialiser is NVIDIA's; the functions have had these types since CUDA 11.1. The library is
        // never unloaded.
        unsafe {
            let library = Library::new(name).ok()?;
            let version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int =
                *library.get(b"nvrtcVersion").ok()?;
            let (mut major, mut minor) = (0, 0);
            version(&raw mut major, &raw mut minor);
            if major > newest {
                return None;
            }
            let compiler = Self {
                create: *library.get(b"nvrtcCreateProgram").ok()?,
                compile: *library.get(b"nvrtcCompileProgram").ok()?,
                destroy: *library.get(b"nvrtcDestroyProgram").ok()?,
                code_size: *library.get(b"nvrtcGetCUBINSize").ok()?,
                code: *library.get(b"nvrtcGetCUBIN").ok()?,
                log_size: *library.get(b"nvrtcGetProgramLogSize").ok()?,
                log: *library.get(b"nvrtcGetProgramLog").ok()?,
                error: *library.get(b"nvrtcGetErrorString").ok()?,
                version: format!("NVRTC {major}.{minor}"),
            };
            std::mem::forget(library);
            Some(compiler)
        }
    }

    /// Compiles `text`, or returns the compiler's messages.
    fn compile(&self, text: &str, target: &str) -> std::result::Result<Vec<u8>, String> {
        let text = CString::new(text).map_err(|error| error.to_string())?;
        let options = [target, STANDARD].map(CString::new);
        let [Ok(target), Ok(standard)] = options else { return Err("an option contains a NUL".into()) };
        let options = [target.as_ptr(), standard.as_ptr()];
        let mut program = null_mut();
        // SAFETY: strings are NUL-terminated and outlive the calls; the program is valid between creation and destruction;
        // buffers have the sizes that NVRTC reports.
        unsafe {
            let (no_name, none) = (std::ptr::null(), std::ptr::null());
            self.check((self.create)(&raw mut program, text.as_ptr(), no_name, 0, none, none))?;
            let compiled = self.check((self.compile)(program, 2, options.as_ptr()));
            let result = match compiled {
                Ok(()) => self.read(program, self.code_size, self.code),
                Err(error) => {
                    let log = self.read(program, self.log_size, self.log).unwrap_or_default();
                    Err(format!(
                        "{error}: {} ({})",
                        String::from_utf8_lossy(&log).trim_end_matches('\0'),
                        self.version
                    ))
                }
            };
            // A failure would leak the program.
            let _ = (self.destroy)(&raw mut program);
            result
        }
    }

    /// # Safety
    ///
    /// The program must be valid.
    unsafe fn read(&self, program: Program, size: Size, copy: Copy) -> std::result::Result<Vec<u8>, String> {
        let mut bytes = 0;
        // SAFETY: the caller guarantees a valid program, and the buffer has the reported size.
        unsafe {
            self.check(size(program, &raw mut bytes))?;
            let mut buffer = vec![0_u8; bytes];
            self.check(copy(program, buffer.as_mut_ptr().cast()))?;
            Ok(buffer)
        }
    }

    fn check(&self, code: c_int) -> std::result::Result<(), String> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: the function returns a static string for any code.
        let name = unsafe { CStr::from_ptr((self.error)(code)) };
        Err(name.to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activations, Layer, Precision, Reading, Recorder};

    /// Skipped without NVRTC, as on most machines.
    #[test]
    fn nvrtc_compiles_and_reports_errors() {
        if find(i32::MAX).is_err() {
            return;
        }
        let input = Activations { images: 2, channels: 16, height: 8, width: 8, precision: Precision::Bf16 };
        let layer = Layer { input, output: input, kernel: 3, stride: 1, padding: 1 };
        let recorder = Recorder::default();
        let device = recorder.device();
        let buffer = device.buffer(1).unwrap();
        let weight = layer.pack(&device, &buffer).unwrap();
        layer.convolve(&device, &buffer, Reading::Plain, &weight, &buffer, true).unwrap();
        for kernel in recorder.kernels() {
            let code = cubin(&kernel.source, 9, 0, false).unwrap();
            assert_eq!(&code[..4], b"\x7fELF");
            assert_eq!(cubin(&kernel.source, 9, 0, true).unwrap(), code, "from the cache");
        }
        let mut broken = recorder.kernels()[1].source.clone();
        broken.constants.clear();
        let error = cubin(&broken, 9, 0, true).unwrap_err().to_string();
        assert!(error.contains("SOURCE_CHANNELS"), "{error}");
    }
}
