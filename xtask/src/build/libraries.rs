//! Checks for the libraries of a CUDA build, which would otherwise fail to link after minutes of compiling.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{Plan, tools::Tools};

/// Libraries linked by the build scripts of cudarc and Candle.
const LIBRARIES: [&str; 6] = ["cuda", "cudart", "cublas", "cublasLt", "curand", "nvrtc"];

/// Environment variables with the roots that cudarc searches.
const ROOTS: [&str; 5] = ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "CUDA_TOOLKIT_ROOT_DIR", "CUDNN_LIB"];

/// Directories that cudarc searches below each root.
const BELOW: [&str; 9] = [
    "lib",
    "lib/stubs",
    "lib/x86_64",
    "lib/x86_64-linux-gnu",
    "lib64",
    "lib64/stubs",
    "targets/x86_64-linux",
    "targets/x86_64-linux/lib",
    "targets/x86_64-linux/lib/stubs",
];

/// Default directories of the linker.
const SYSTEM: [&str; 6] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"];

/// Checks that the linker will find all libraries, and with `cudnn` also cuDNN.
pub(super) fn check(tools: &impl Tools, cudnn: bool, plan: &mut Plan) -> Result<()> {
    if cudnn {
        find_cudnn(tools, plan)?;
    }
    // The file names below are those of Linux.
    if tools.platform().0 != "linux" {
        return Ok(());
    }
    let roots = roots(tools, plan);
    let mut directories: Vec<PathBuf> =
        roots.iter().flat_map(|root| BELOW.map(|below| root.join(below))).collect();
    directories.extend(env::split_paths(&tools.var("LIBRARY_PATH").unwrap_or_default()));
    let multiarch = multiarch(tools);
    directories
        .extend(SYSTEM.iter().flat_map(|root| [PathBuf::from(root), Path::new(root).join(&multiarch)]));
    let missing: Vec<String> = LIBRARIES
        .into_iter()
        .chain(cudnn.then_some("cudnn"))
        .map(|name| format!("lib{name}.so"))
        .filter(|file| !directories.iter().any(|directory| tools.is_file(&directory.join(file))))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let roots: Vec<_> = roots.iter().map(|root| root.display().to_string()).collect();
    bail!(
        "the linker would not find {}, searched below {} and in LIBRARY_PATH: install the whole toolkit (for libcudnn, \
         cuDNN), or add their directory to LIBRARY_PATH",
        missing.join(", "),
        roots.join(", ")
    )
}

/// Fails if cuDNN is not installed.
fn find_cudnn(tools: &impl Tools, plan: &mut Plan) -> Result<()> {
    let named = tools.var("CUDNN_PATH").map(PathBuf::from);
    let roots = roots(tools, plan);
    let directories = named.iter().chain(&roots).map(|root| root.join("include"));
    let system = [
        "/usr/local/include".into(),
        "/usr/include".into(),
        Path::new("/usr/include").join(multiarch(tools)),
    ];
    let header =
        directories.chain(system).map(|directory| directory.join("cudnn.h")).find(|file| tools.is_file(file));
    let header = header.with_context(|| {
        let roots: Vec<_> = roots.iter().map(|root| root.display().to_string()).collect();
        format!(
            "cuDNN not found: no cudnn.h below {}, /usr/local, /usr or CUDNN_PATH; install it \
             (https://developer.nvidia.com/cudnn), or build with --cuda, which does not need it",
            roots.join(", ")
        )
    })?;
    plan.note(format!("cuDNN: {}", header.display()));
    // cudarc searches for the library below CUDNN_LIB, not CUDNN_PATH.
    if let Some(named) = named.filter(|named| header.starts_with(named) && tools.var("CUDNN_LIB").is_none()) {
        plan.env("CUDNN_LIB", named.to_string_lossy());
    }
    Ok(())
}

fn roots(tools: &impl Tools, plan: &Plan) -> Vec<PathBuf> {
    ROOTS.iter().filter_map(|name| plan.var(tools, name)).map(PathBuf::from).collect()
}

/// Debian's multiarch directory of this processor.
fn multiarch(tools: &impl Tools) -> String {
    format!("{}-linux-gnu", tools.platform().1)
}
