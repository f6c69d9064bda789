//! The host C++ compiler of nvcc.

use std::path::Path;

use anyhow::{Result, bail};

use super::{Plan, tools::Tools};

/// Versions of g++ to try, newest first, if nvcc rejects the default compiler.
const VERSIONS: std::ops::RangeInclusive<u32> = 9..=16;

/// Finds a compiler that nvcc accepts, by letting nvcc preprocess an empty file.
pub(super) fn choose(tools: &impl Tools, nvcc: &Path, plan: &mut Plan) -> Result<()> {
    // Windows has only Visual Studio's compiler.
    if tools.platform().0 == "windows" {
        return Ok(());
    }
    let attempt = |options: &[&str]| {
        let nothing = ["-E", "-x", "cu", "/dev/null"];
        tools.output(nvcc, &[options, &nothing].concat()).map_err(|error| reason(&error))
    };
    if let Some(named) = tools.var("NVCC_CCBIN") {
        // Candle's build script adds the first option.
        return match attempt(&["-allow-unsupported-compiler", "-ccbin", &named]) {
            Ok(_) => Ok(()),
            Err(reason) => {
                bail!("nvcc rejects NVCC_CCBIN={named} ({reason}): set it to a supported C++ compiler")
            }
        };
    }
    let Err(reason) = attempt(&[]) else { return Ok(()) };
    for version in VERSIONS.rev() {
        let Some(compiler) = tools.on_path(&format!("g++-{version}")) else { continue };
        let compiler = compiler.to_string_lossy();
        if attempt(&["-ccbin", &compiler]).is_ok() {
            plan.note(format!("host compiler {compiler}, because nvcc rejects the default one: {reason}"));
            plan.env("NVCC_CCBIN", compiler);
            return Ok(());
        }
    }
    bail!(
        "no C++ compiler that nvcc supports ({reason}): install g++-11 for CUDA 11, or g++-12 for later versions, or \
         set NVCC_CCBIN"
    )
}

/// The first error line of nvcc's output.
fn reason(error: &str) -> String {
    let line = error.lines().find(|line| line.contains("error") || line.contains("fatal"));
    let line = line.or_else(|| error.lines().next()).unwrap_or_default();
    let line = line.split_once("#error -- ").map_or(line, |(_, reason)| reason);
    line.split_once(" The nvcc flag").map_or(line, |(reason, _)| reason).trim().to_owned()
}
