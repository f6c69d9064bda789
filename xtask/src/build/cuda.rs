//! Search for a CUDA toolkit that Candle's build scripts accept, before they start.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::{Plan, host_compiler, libraries, tools::Tools};

/// Install locations, searched after those in the environment, in the order of Candle's build script.
const INSTALLED: [&str; 4] = ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda", "/usr"];

/// CUDA versions with bindings in cudarc 0.19.
const SUPPORTED: [(u32, &[u32]); 3] =
    [(11, &[4, 5, 6, 7, 8]), (12, &[0, 1, 2, 3, 4, 5, 6, 8, 9]), (13, &[0, 1, 2, 3, 4])];

/// From this compute capability on, Candle's build script compiles for exactly one capability.
const EXACT: u32 = 90;

const DOWNLOADS: &str = "https://developer.nvidia.com/cuda-toolkit-archive";

/// Adds the environment of a CUDA build to `plan`, optionally with cuDNN.
pub(super) fn probe(
    tools: &impl Tools,
    compute_cap: Option<&str>,
    cudnn: bool,
    plan: &mut Plan,
) -> Result<()> {
    ensure!(tools.platform().0 != "macos", "--cuda: CUDA does not support macOS; use --metal");
    if let Some(named) = tools.var("NVCC") {
        ensure!(
            tools.is_file(Path::new(&named)),
            "NVCC={named}: file not found; set it to the path of nvcc, or unset it"
        );
    }
    if let Some(bindings) = tools.var("CUDARC_CUDA_VERSION") {
        let number: Option<u32> = bindings.parse().ok();
        let known = number
            .is_some_and(|number| number % 10 == 0 && is_supported((number / 1000, number % 1000 / 10)));
        ensure!(
            known,
            "CUDARC_CUDA_VERSION={bindings}: expected a version with bindings in cudarc, such as 13040 for 13.4"
        );
    }
    let nvcc = find_nvcc(tools).with_context(|| {
        format!(
            "nvcc not found: searched PATH, NVCC, CUDA_HOME, CUDA_PATH and {}; install a CUDA toolkit up to 13.4 \
             ({DOWNLOADS}), or set NVCC to its nvcc",
            INSTALLED.map(|root| format!("{root}/bin")).join(", ")
        )
    })?;
    let version = tools.output(&nvcc, &["--version"]).ok().as_deref().and_then(parse_version);
    let version = version.with_context(|| {
        format!("{} --version does not print a version; is it NVIDIA's compiler?", nvcc.display())
    })?;
    let (major, minor) = version;
    plan.note(format!("CUDA {major}.{minor}: {}", nvcc.display()));
    check_version(tools, version)?;
    let cap = compute_capability(tools, compute_cap, plan)?;
    check_capability(tools, &nvcc, version, &cap)?;
    if base(&cap).is_some_and(|base| base >= EXACT) {
        plan.note(format!(
            "compiled for {cap}: the program will not run on GPUs of another compute capability"
        ));
    }
    host_compiler::choose(tools, &nvcc, plan)?;

    let bin = nvcc.parent().unwrap_or(Path::new("")).to_owned();
    let root = bin.parent().unwrap_or(Path::new("")).to_owned();
    // cudarc searches only PATH for nvcc, and CUDA_HOME for libraries.
    let path = tools.var("PATH").unwrap_or_default();
    let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path)))?;
    plan.env("PATH", path.to_string_lossy());
    plan.env("NVCC", nvcc.to_string_lossy());
    if tools.var("CUDA_HOME").is_none() {
        plan.env("CUDA_HOME", root.to_string_lossy());
    }
    plan.env("CUDA_COMPUTE_CAP", cap);
    libraries::check(tools, cudnn, plan)
}

fn find_nvcc(tools: &impl Tools) -> Option<PathBuf> {
    let name = if tools.platform().0 == "windows" { "bin/nvcc.exe" } else { "bin/nvcc" };
    let in_root = |variable| tools.var(variable).map(|root| Path::new(&root).join(name));
    [tools.var("NVCC").map(PathBuf::from), tools.on_path("nvcc"), in_root("CUDA_HOME"), in_root("CUDA_PATH")]
        .into_iter()
        .flatten()
        .chain(INSTALLED.map(|root| Path::new(root).join(name)))
        .find(|path| tools.is_file(path))
}

/// Parses `Cuda compilation tools, release 13.4, V13.4.92`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (_, release) = text.split_once("release ")?;
    let (major, rest) = release.split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major.trim().parse().ok()?, minor.parse().ok()?))
}

fn is_supported((major, minor): (u32, u32)) -> bool {
    SUPPORTED.iter().any(|(known, minors)| *known == major && minors.contains(&minor))
}

fn check_version(tools: &impl Tools, (major, minor): (u32, u32)) -> Result<()> {
    if is_supported((major, minor)) || tools.var("CUDARC_CUDA_VERSION").is_some() {
        return Ok(());
    }
    if (major, minor) > (13, 4) {
        bail!(
            "CUDA {major}.{minor} is newer than the bindings of Candle, which end at 13.4: build against those with \
             CUDARC_CUDA_VERSION=13040, or install 13.4 ({DOWNLOADS})"
        );
    }
    bail!(
        "CUDA {major}.{minor} is not supported by Candle; expected 11.4 to 11.8, 12.0 to 12.6, 12.8, 12.9 or 13.0 to \
         13.4 ({DOWNLOADS})"
    );
}

/// Compute capability in the format of CUDA_COMPUTE_CAP: 80 or 90a.
fn compute_capability(tools: &impl Tools, flag: Option<&str>, plan: &mut Plan) -> Result<String> {
    let told = flag.map(|cap| ("--compute-cap", cap.to_owned()));
    let told = told.or_else(|| Some(("CUDA_COMPUTE_CAP", tools.var("CUDA_COMPUTE_CAP")?)));
    if let Some((name, cap)) = told {
        let digits = cap.replace('.', "");
        ensure!(
            base(&digits).is_some(),
            "{name} {cap}: expected a number such as 80 or 8.0 (https://developer.nvidia.com/cuda-gpus)"
        );
        return Ok(digits);
    }
    let listed = tools.on_path("nvidia-smi").and_then(|program| {
        tools.output(&program, &["--query-gpu=compute_cap", "--format=csv,noheader"]).ok()
    });
    let caps: Vec<String> =
        listed.iter().flat_map(|text| text.lines()).map(|line| line.trim().replace('.', "")).collect();
    let least = caps.into_iter().filter_map(|cap| Some((base(&cap)?, cap))).min();
    let (_, least) = least.context(
        "nvidia-smi lists no GPU: set the compute capability, as in --compute-cap 80 \
         (https://developer.nvidia.com/cuda-gpus)",
    )?;
    plan.note(format!("compute capability {least}, the lowest among this machine's GPUs"));
    Ok(least)
}

/// The number without its suffix: 90 for 90a.
fn base(cap: &str) -> Option<u32> {
    let digits = cap.strip_suffix(['a', 'f']).unwrap_or(cap);
    (digits.len() >= 2).then(|| digits.parse().ok()).flatten()
}

fn check_capability(tools: &impl Tools, nvcc: &Path, (major, minor): (u32, u32), cap: &str) -> Result<()> {
    let Ok(listed) = tools.output(nvcc, &["--list-gpu-code"]) else { return Ok(()) };
    let codes: Vec<&str> = listed.lines().filter_map(|line| line.trim().strip_prefix("sm_")).collect();
    let wanted = base(cap);
    if codes.is_empty() || codes.iter().any(|code| base(code) == wanted) {
        return Ok(());
    }
    bail!(
        "CUDA {major}.{minor} does not support compute capability {cap}, only {}; for an older GPU, install an older \
         toolkit ({DOWNLOADS})",
        codes.join(", ")
    );
}
