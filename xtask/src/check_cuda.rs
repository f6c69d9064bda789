use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::cargo::{Cargo, workspace};

/// Stand-in for nvcc in Candle's build scripts: prints its version and targets, and creates empty outputs.
const STAND_IN: &str = include_str!("stand_in.sh");

pub(crate) fn run() -> Result<()> {
    // A separate target directory keeps the stand-in's outputs out of real builds.
    let directory = workspace().join("target").join("cuda-check");
    let compiler = write_stand_in(&directory)?;
    Cargo::new(["check", "--package", "nc-cli", "--features", "cuda"])
        .env("CARGO_TARGET_DIR", &directory)
        .env("NVCC", &compiler)
        .env("CUDARC_CUDA_VERSION", "13040")
        .env("CUDA_COMPUTE_CAP", "80")
        .run()
}

fn write_stand_in(directory: &std::path::Path) -> Result<PathBuf> {
    let path = directory.join("nvcc");
    let write = || {
        fs::create_dir_all(directory)?;
        fs::write(&path, STAND_IN)?;
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        std::io::Result::Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
