use std::{fs, path::Path, process::Command, thread::available_parallelism};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::files::printed;

/// Machine of the measurements, and versions of the tools.
#[derive(Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) cores: usize,
    /// Widest vectors used by the kernels.
    pub(super) vectors: String,
    pub(super) rustc: String,
    pub(super) torch: Option<String>,
}

impl Machine {
    /// This machine, with the PyTorch version of `python`.
    pub(super) fn this(python: Option<&Path>) -> Result<Self> {
        let torch = python.map(torch_version).transpose()?;
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Self {
            processor: model.map_or(std::env::consts::ARCH, |(_, name)| name).to_owned(),
            cores: available_parallelism()?.get(),
            vectors: vectors().to_owned(),
            rustc: printed(Command::new("rustc").arg("--version"))?.trim().to_owned(),
            torch,
        })
    }

    /// True if the kernels can also be measured with narrower vectors.
    pub(super) fn has_avx512() -> bool {
        vectors() == AVX512
    }
}

const AVX512: &str = "AVX-512";

fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
            return AVX512;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return "AVX2 and FMA";
        }
    }
    "portable vectors"
}

/// PyTorch version of `python`.
pub(super) fn torch_version(python: &Path) -> Result<String> {
    // Print one line instead of a traceback if PyTorch is missing.
    let script = "import sys\ntry: import torch\nexcept ImportError as error: sys.exit(str(error))\nprint(torch.__version__)";
    let version = printed(Command::new(python).args(["-c", script]));
    Ok(version.context("--against-torch needs a Python with PyTorch")?.trim().to_owned())
}
