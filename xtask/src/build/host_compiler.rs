//! The C++ compiler that nvcc gives the host's part of a program to.

use std::path::Path;

use anyhow::{Result, bail};

use super::{Plan, tools::Tools};

/// Versions of g++ to look for if nvcc refuses the ordinary one, the newest first.
const VERSIONS: std::ops::RangeInclusive<u32> = 9..=16;

/// Finds one that this nvcc takes; nvcc itself knows, so it is asked to preprocess nothing.
pub(super) fn choose(tools: &impl Tools, nvcc: &Path, plan: &mut Plan) -> Result<()> {
    // There Visual Studio's is the only one.
    if tools.platform().0 == "windows" {
        return Ok(());
    }
    let attempt = |options: &[&str]| {
        let nothing = ["-E", "-x", "cu", "/dev/null"];
        tools.output(nvcc, &[options, &nothing].concat()).map_err(|error| reason(&error))
    };
    if let Some(named) = tools.var("NVCC_CCBIN") {
        // The first option is what Candle's build script adds.
        return match attempt(&["-allow-unsupported-compiler", "-ccbin", &named]) {
            Ok(_) => Ok(()),
            Err(reason) => {
                bail!("nvcc cannot use NVCC_CCBIN={named} ({reason}): name a C++ compiler that it takes")
            }
        };
    }
    let Err(reason) = attempt(&[]) else { return Ok(()) };
    for version in VERSIONS.rev() {
        let Some(compiler) = tools.on_path(&format!("g++-{version}")) else { continue };
        let compiler = compiler.to_string_lossy();
        if attempt(&["-ccbin", &compiler]).is_ok() {
            plan.note(format!("host compiler {compiler}, since nvcc refuses the ordinary one: {reason}"));
            plan.env("NVCC_CCBIN", compiler);
            return Ok(());
        }
    }
    bail!(
        "no C++ compiler that nvcc takes ({reason}): install one, such as g++-11 for CUDA 11 or g++-12 for later ones, or set \
         NVCC_CCBIN to one"
    )
}

/// The first line that says what is wrong.
fn reason(error: &str) -> String {
    let line = error.lines().find(|line| line.contains("error") || line.contains("fatal"));
    let line = line.or_else(|| error.lines().next()).unwrap_or_default();
    let line = line.split_once("#error -- ").map_or(line, |(_, reason)| reason);
    line.split_once(" The nvcc flag").map_or(line, |(reason, _)| reason).trim().to_owned()
}
