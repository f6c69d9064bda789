use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

use crate::cargo::{Cargo, workspace};

/// Stand-in for nvcc in Candle's build scripts: prints its version and targets, and creates empty outputs.
const STAND_IN: &str = r#"#!/bin/sh
for argument in "$@"; do
  case "$argument" in
    --version) echo "Cuda compilation tools, release 13.4, V13.4.92"; exit 0 ;;
    --list-gpu-code) echo "sm_80"; exit 0 ;;
  esac
done
previous=
for argument in "$@"; do
  case "$previous" in -o | --output-file) : > "$argument" ;; --output-directory) directory=$argument ;; esac
  case "$argument" in *.cu) source=$argument ;; esac
  previous=$argument
done
if [ -n "$directory" ] && [ -n "$source" ]; then : > "$directory/$(basename "$source" .cu).ptx"; fi
"#;

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
