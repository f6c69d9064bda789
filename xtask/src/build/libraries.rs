//! What a CUDA build is linked with, which the linker would otherwise miss after minutes of compiling.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::{Plan, tools::Tools};

/// The libraries of cudarc's and Candle's build scripts.
const LIBRARIES: [&str; 6] = ["cuda", "cudart", "cublas", "cublasLt", "curand", "nvrtc"];

/// Variables that tell cudarc where to look.
const ROOTS: [&str; 5] = ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "CUDA_TOOLKIT_ROOT_DIR", "CUDNN_LIB"];

/// Where it looks below them.
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

/// Where the linker looks anyway.
const SYSTEM: [&str; 6] = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"];

/// Checks that the linker will find everything, with cuDNN or without.
pub(super) fn check(tools: &impl Tools, cudnn: bool, plan: &mut Plan) -> Result<()> {
    if cudnn {
        find_cudnn(tools, plan)?;
    }
    // The names of files are those of Linux.
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
        "the linker would not find {}, neither below {} nor in LIBRARY_PATH: install them with the whole toolkit (libcudnn \
         with cuDNN), or name their directory in LIBRARY_PATH",
        missing.join(", "),
        roots.join(", ")
    )
}

/// Refuses a build with cuDNN where that is not installed.
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
            "no cuDNN: cudnn.h is not below {}, /usr/local or /usr, nor where CUDNN_PATH says; install it \
             (https://developer.nvidia.com/cudnn), or build with --cuda, which does without",
            roots.join(", ")
        )
    })?;
    plan.note(format!("cuDNN: {}", header.display()));
    // Of the two variables cudarc looks for the library below this one.
    if let Some(named) = named.filter(|named| header.starts_with(named) && tools.var("CUDNN_LIB").is_none()) {
        plan.env("CUDNN_LIB", named.to_string_lossy());
    }
    Ok(())
}

fn roots(tools: &impl Tools, plan: &Plan) -> Vec<PathBuf> {
    ROOTS.iter().filter_map(|name| plan.var(tools, name)).map(PathBuf::from).collect()
}

/// Debian's name for the libraries of this processor.
fn multiarch(tools: &impl Tools) -> String {
    format!("{}-linux-gnu", tools.platform().1)
}
