use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::{Cargo, workspace};

/// Compile every CUDA kernel of the networks with nvcc and print registers, shared memory and spills. Fails on a spill.
///
/// Needs no GPU, but Python with pip, which installs nvcc (130 MB) to target/tools at first use. All instances take
/// about 25 minutes on two cores.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only kernels of this precision: f32, tf32 or bf16.
    #[arg(long, value_name = "PRECISION")]
    precision: Option<String>,
    /// Only kernels of this name, such as convolution.
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
}

/// Version of the compiler, for drivers since CUDA 13.0.
const VERSION: &str = "13.0.88";
const PACKAGES: [&str; 4] = ["nvidia-cuda-nvcc", "nvidia-nvvm", "nvidia-cuda-crt", "nvidia-cuda-runtime"];
/// Compute capabilities: the oldest supported, and that of an H100.
const ARCHITECTURES: [&str; 2] = ["sm_80", "sm_90"];

impl Args {
    #[allow(clippy::print_stdout)]
    pub(crate) fn run(self) -> Result<()> {
        let nvcc = install()?;
        let sources = workspace().join("target/kernels");
        // Sources of an earlier version would be compiled, too.
        match fs::remove_dir_all(&sources) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot empty {}", sources.display()));
            }
            _ => fs::create_dir_all(&sources)?,
        }
        let directory = sources.to_string_lossy().into_owned();
        let example = ["run", "--quiet", "--package", "nc-models", "--example", "kernels", "--", &directory];
        let listed = Cargo::new(example.into_iter().chain(self.precision.as_deref())).printed()?;
        let kernels = listed.lines().map(Kernel::parse).collect::<Result<Vec<_>>>()?;
        let kernels: Vec<_> = kernels
            .into_iter()
            .filter(|kernel| self.kernel.as_ref().is_none_or(|name| *name == kernel.name))
            .collect();
        ensure!(!kernels.is_empty(), "no kernel of this name");
        let compiled = compile_all(&nvcc, &sources, &kernels)?;
        print!("{}", table(&kernels, &compiled));
        let spills: Vec<_> = compiled.iter().filter(|compiled| compiled.spills > 0).collect();
        for Compiled { kernel, architecture, spills, .. } in &spills {
            println!("{} for {architecture} spills {spills} bytes", kernels[*kernel].file);
        }
        ensure!(spills.is_empty(), "{} kernels spill registers", spills.len());
        Ok(())
    }
}

/// A line of the example.
struct Kernel {
    file: String,
    name: String,
    precision: String,
    /// Bytes of shared memory.
    shared: usize,
}

impl Kernel {
    fn parse(line: &str) -> Result<Self> {
        let words: Vec<_> = line.split(' ').collect();
        let [file, name, _threads, shared, _launches] = words[..] else {
            bail!("expected a kernel with four figures, found {line:?}");
        };
        let precision = file.rsplit('-').next().unwrap_or_default().trim_end_matches(".cu");
        Ok(Self {
            file: file.to_owned(),
            name: name.to_owned(),
            precision: precision.to_owned(),
            shared: shared.parse().with_context(|| format!("{line:?}"))?,
        })
    }
}

/// A kernel compiled for one architecture.
struct Compiled {
    /// Index of the kernel.
    kernel: usize,
    architecture: &'static str,
    registers: usize,
    /// Bytes of spilled registers.
    spills: usize,
}

/// Compiles all kernels, one process per core.
fn compile_all(nvcc: &Path, sources: &Path, kernels: &[Kernel]) -> Result<Vec<Compiled>> {
    let jobs: Vec<_> = (0..kernels.len())
        .flat_map(|kernel| ARCHITECTURES.map(|architecture| (kernel, architecture)))
        .collect();
    let (next, results) = (AtomicUsize::new(0), Mutex::new(vec![]));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&(kernel, architecture)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let file = sources.join(&kernels[kernel].file);
                    let compiled = compile(nvcc, &file, architecture).map(|(registers, spills)| Compiled {
                        kernel,
                        architecture,
                        registers,
                        spills,
                    });
                    let failed = compiled.is_err();
                    results.lock().unwrap_or_else(PoisonError::into_inner).push(compiled);
                    if failed {
                        next.store(jobs.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
}

/// Registers and bytes of spills of one kernel.
fn compile(nvcc: &Path, file: &Path, architecture: &str) -> Result<(usize, usize)> {
    let out = file.with_extension(format!("{architecture}.cubin"));
    let output = Command::new(nvcc)
        .args(["-std=c++17", "-cubin", "-arch", architecture, "-Xptxas", "-v", "-o"])
        .arg(&out)
        .arg(file)
        .output()
        .with_context(|| format!("cannot start {}", nvcc.display()))?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} does not compile for {architecture}:\n{log}", file.display());
    let usage = parse_usage(&log);
    usage.with_context(|| format!("{}: unknown output of ptxas:\n{log}", file.display()))
}

/// Most registers and all spilled bytes of ptxas' report; a file may have several functions.
fn parse_usage(log: &str) -> Option<(usize, usize)> {
    let before = |word: &str| -> Option<Vec<usize>> {
        let numbers =
            log.match_indices(word).map(|(at, _)| log[..at].rsplit([' ', ',']).next()?.parse().ok());
        numbers.collect()
    };
    let spills = [before(" bytes spill stores")?, before(" bytes spill loads")?].concat();
    let registers = before(" registers")?.into_iter().max()?;
    (!spills.is_empty()).then(|| (registers, spills.iter().sum()))
}

/// One line for each kernel and precision.
fn table(kernels: &[Kernel], compiled: &[Compiled]) -> String {
    let mut groups: BTreeMap<(&str, &str), [usize; 4]> = BTreeMap::new();
    for Compiled { kernel, registers, spills, .. } in compiled {
        let Kernel { name, precision, shared, .. } = &kernels[*kernel];
        let [count, most, memory, spilled] = groups.entry((name, precision)).or_default();
        *count += 1;
        *most = (*most).max(*registers);
        *memory = (*memory).max(*shared);
        *spilled += spills;
    }
    let head = "| kernel | precision | instances | registers, at most | shared memory, at most (bytes) | spills (bytes) |\n\
                |---|---|---:|---:|---:|---:|\n";
    groups.iter().fold(head.to_owned(), |text, ((name, precision), [count, registers, shared, spills])| {
        let instances = count / ARCHITECTURES.len();
        text + &format!("| {name} | {precision} | {instances} | {registers} | {shared} | {spills} |\n")
    })
}

/// Installs nvcc from the Python package index; returns its path.
fn install() -> Result<PathBuf> {
    let tools = workspace().join("target/tools").join(format!("nvcc-{VERSION}"));
    let root = tools.join("nvidia/cu13");
    let nvcc = root.join("bin/nvcc");
    if nvcc.is_file() {
        return Ok(nvcc);
    }
    let wheels = tools.join("wheels");
    fs::create_dir_all(&wheels)?;
    let packages = PACKAGES.map(|package| format!("{package}=={VERSION}"));
    python(
        Command::new("python3")
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
            .arg(&wheels)
            .args(packages),
    )?;
    for wheel in fs::read_dir(&wheels)? {
        python(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel?.path()).arg(&tools))?;
    }
    // Python's extraction drops the permissions.
    #[cfg(unix)]
    for directory in ["bin", "nvvm/bin"] {
        for file in fs::read_dir(root.join(directory))? {
            fs::set_permissions(file?.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        }
    }
    ensure!(nvcc.is_file(), "the packages have no {}", nvcc.display());
    Ok(nvcc)
}

fn python(command: &mut Command) -> Result<()> {
    let status = command.status().context("cannot start python3, which installs nvcc")?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_ptxas() {
        let log = "ptxas info    : 0 bytes gmem\nptxas info    : Compiling entry function 'f' for 'sm_90'\n    8 bytes stack \
                   frame, 4 bytes spill stores, 12 bytes spill loads\nptxas info    : Used 72 registers, used 1 barriers\n";
        assert_eq!(parse_usage(log), Some((72, 16)));
        assert_eq!(parse_usage(&log.repeat(2)), Some((72, 32)));
        let second = log.replace("4 bytes", "0 bytes").replace("12 bytes", "0 bytes").replace("72", "80");
        assert_eq!(parse_usage(&format!("{log}{second}")), Some((80, 16)));
        assert_eq!(parse_usage("nothing"), None);
    }

    #[test]
    fn kernels_are_read_from_the_example() {
        let kernel = Kernel::parse("0003-convolution-bf16.cu convolution 128 12192 9").unwrap();
        assert_eq!(
            (kernel.name.as_str(), kernel.precision.as_str(), kernel.shared),
            ("convolution", "bf16", 12192)
        );
        assert!(Kernel::parse("convolution").is_err());
    }
}
