//! Compilation at run time, and a cache of its results.

use std::ffi::CString;
use std::path::PathBuf;

use cudarc::nvrtc::{result, sys};

use crate::source::{Source, digest};
use crate::{Error, Result};

/// Machine code of `source` for a GPU of the given compute capability, from the cache if it is there.
pub(crate) fn cubin(source: &Source, major: i32, minor: i32) -> Result<Vec<u8>> {
    let text = source.cuda();
    let target = format!("--gpu-architecture=sm_{major}{minor}");
    let cached = cache_file(&digest(&[&text, &target, &version()?]));
    if let Some(code) = cached.as_ref().and_then(|file| std::fs::read(file).ok()) {
        return Ok(code);
    }
    let code = compile(source, &text, &target)?;
    if let Some(file) = cached {
        store(&file, &code);
    }
    Ok(code)
}

/// Writes the cache. Failures cost time at the next start, nothing else.
fn store(file: &std::path::Path, code: &[u8]) {
    let Some(directory) = file.parent() else { return };
    let temporary = file.with_extension(format!("{}.tmp", std::process::id()));
    let written = std::fs::create_dir_all(directory).and_then(|()| std::fs::write(&temporary, code));
    if written.and_then(|()| std::fs::rename(&temporary, file)).is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
}

fn cache_file(digest: &str) -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("nclt").join("kernels").join(format!("{digest}.cubin")))
}

/// Checks that NVRTC can be loaded.
pub(crate) fn find() -> Result<()> {
    // SAFETY: loads the library, whose initialiser is NVIDIA's.
    if unsafe { sys::is_culib_present() } { Ok(()) } else { Err(Error::NoCompiler) }
}

fn version() -> Result<String> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: both pointers are to integers.
    let code = unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) };
    code.result().map_err(|error| Error::Driver { call: "nvrtcVersion", error: format!("{error:?}") })?;
    Ok(format!("{major}.{minor}"))
}

fn compile(source: &Source, text: &str, target: &str) -> Result<Vec<u8>> {
    let failed = |log: String| Error::Compile { kernel: source.kernel, log };
    let code = CString::new(text).map_err(|error| failed(error.to_string()))?;
    let program = result::create_program(&code, None).map_err(|error| failed(format!("{error:?}")))?;
    let code = compiled(program, target).map_err(failed);
    // SAFETY: the program was created above and is not used afterwards. A failure would leak it.
    let _ = unsafe { result::destroy_program(program) };
    code
}

/// Compiles a program, or returns the compiler's messages.
fn compiled(program: sys::nvrtcProgram, target: &str) -> std::result::Result<Vec<u8>, String> {
    // SAFETY: `program` is valid, and the sizes are those NVRTC reports.
    unsafe {
        if let Err(error) = result::compile_program(program, &[target, "--std=c++17"]) {
            let log = result::get_program_log(program).unwrap_or_default();
            let log: Vec<u8> = log.into_iter().map(|c| c as u8).take_while(|&c| c != 0).collect();
            return Err(format!("{error:?}: {}", String::from_utf8_lossy(&log)));
        }
        let mut size = 0;
        sys::nvrtcGetCUBINSize(program, &raw mut size).result().map_err(|error| format!("{error:?}"))?;
        let mut code = vec![0_u8; size];
        sys::nvrtcGetCUBIN(program, code.as_mut_ptr().cast())
            .result()
            .map_err(|error| format!("{error:?}"))?;
        Ok(code)
    }
}
