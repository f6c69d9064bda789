use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::*;

/// A machine that has what a test says.
#[derive(Clone, Default)]
struct Fake {
    platform: Option<(&'static str, &'static str)>,
    vars: BTreeMap<String, String>,
    files: BTreeSet<PathBuf>,
    /// By program and arguments.
    outputs: BTreeMap<String, String>,
}

impl Tools for Fake {
    fn platform(&self) -> (&'static str, &'static str) {
        self.platform.unwrap_or(("linux", "x86_64"))
    }

    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    fn is_file(&self, path: &Path) -> bool {
        self.files.contains(path)
    }

    fn output(&self, program: &Path, args: &[&str]) -> Option<String> {
        self.outputs.get(&format!("{} {}", program.display(), args.join(" "))).cloned()
    }
}

impl Fake {
    fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    fn file(mut self, path: &str) -> Self {
        self.files.insert(path.into());
        self
    }

    fn tool(mut self, path: &str, args: &str, output: &str) -> Self {
        self.outputs.insert(format!("{path} {args}"), output.into());
        self.file(path)
    }

    fn nvcc(self, path: &str, version: &str) -> Self {
        let codes = "sm_75\nsm_80\nsm_86\nsm_90\nsm_90a\nsm_100\n";
        self.tool(
            path,
            "--version",
            &format!("nvcc: NVIDIA (R)\nCuda compilation tools, release {version}, V{version}.92\n"),
        )
        .tool(path, "--list-gpu-code", codes)
    }

    fn gpus(self, caps: &str) -> Self {
        self.tool("/usr/bin/nvidia-smi", "--query-gpu=compute_cap --format=csv,noheader", caps)
    }

    fn on(mut self, system: &'static str, processor: &'static str) -> Self {
        self.platform = Some((system, processor));
        self
    }
}

fn linux() -> Fake {
    Fake::default().var("PATH", "/usr/bin:/bin").tool("/usr/bin/gcc", "-dumpversion", "12\n")
}

fn with_cuda() -> Fake {
    linux().nvcc("/usr/local/cuda/bin/nvcc", "12.4").gpus("8.6\n8.0\n9.0\n")
}

fn flags(text: &str) -> Accelerators {
    Accelerators::take(text.split_whitespace().map(Into::into).collect()).unwrap().0
}

fn plan(accelerators: &str, machine: &Fake) -> String {
    let plan = flags(accelerators).plan(machine).unwrap();
    plan.describe(&[vec!["build".into()], plan.cargo_args()].concat())
}

fn refusal(accelerators: &str, machine: &Fake) -> String {
    flags(accelerators).plan(machine).err().expect("a refusal").to_string()
}

#[test]
fn nothing_asked_nothing_needed() {
    assert_eq!(plan("", &Fake::default()), "cargo build --package nc-cli\n");
}

#[test]
fn a_cuda_build() {
    assert_eq!(
        plan("--cuda", &with_cuda()),
        "# CUDA 12.4: /usr/local/cuda/bin/nvcc\n\
         # compute capability 80, the least of this machine's GPUs\n\
         PATH=/usr/local/cuda/bin:/usr/bin:/bin \\\n\
         NVCC=/usr/local/cuda/bin/nvcc \\\n\
         CUDA_HOME=/usr/local/cuda \\\n\
         CUDA_COMPUTE_CAP=80 \\\n\
         cargo build --package nc-cli --features cuda\n"
    );
    assert_eq!(flags("--cuda").plan(&with_cuda()).unwrap().device(), Some("cuda"));
}

#[test]
fn nvcc_is_sought_in_the_order_of_the_build_script() {
    let mut machine = with_cuda().nvcc("/usr/bin/nvcc", "12.6").nvcc("/opt/cuda/bin/nvcc", "12.6");
    let found = |machine: &Fake| {
        let text = plan("--cuda", machine);
        text.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    machine = machine.nvcc("/home/bin/nvcc", "12.6").nvcc("/path/bin/nvcc", "12.6").nvcc("/own/nvcc", "12.6");
    machine = machine.var("CUDA_HOME", "/home").var("CUDA_PATH", "/path").var("NVCC", "/own/nvcc");
    for expected in [
        "/own/nvcc",
        "/usr/bin/nvcc",
        "/home/bin/nvcc",
        "/path/bin/nvcc",
        "/usr/local/cuda/bin/nvcc",
        "/opt/cuda/bin/nvcc",
    ] {
        assert_eq!(found(&machine), expected);
        machine.files.remove(Path::new(expected));
    }
}

#[test]
fn a_missing_compiler_is_told_with_what_to_do() {
    assert_eq!(
        refusal("--cuda", &linux()),
        "no CUDA compiler: nvcc is not on PATH, nor where NVCC, CUDA_HOME or CUDA_PATH say, nor in /usr/local/cuda/bin, \
         /opt/cuda/bin, /usr/lib/cuda/bin, /usr/bin; install a CUDA toolkit up to 13.4 \
         (https://developer.nvidia.com/cuda-toolkit-archive), or set NVCC to its nvcc"
    );
    let silent = linux().tool("/usr/bin/nvcc", "--version", "hello");
    assert_eq!(
        refusal("--cuda", &silent),
        "/usr/bin/nvcc --version does not say a version; is it NVIDIA's compiler?"
    );
}

#[test]
fn versions_without_bindings_are_refused() {
    let with = |version| linux().nvcc("/usr/bin/nvcc", version).gpus("8.0\n");
    assert_eq!(
        refusal("--cuda", &with("13.5")),
        "CUDA 13.5 is newer than the bindings that Candle uses, which end at 13.4: set CUDARC_CUDA_VERSION=13040 to build \
         against those of 13.4, or install 13.4 (https://developer.nvidia.com/cuda-toolkit-archive)"
    );
    plan("--cuda", &with("13.5").var("CUDARC_CUDA_VERSION", "13040"));
    for version in ["12.7", "11.3", "10.2"] {
        assert!(
            refusal("--cuda", &with(version))
                .starts_with(&format!("CUDA {version} is not among the versions"))
        );
    }
    for version in ["12.0", "12.9", "13.4"] {
        plan("--cuda", &with(version));
    }
}

#[test]
fn the_compute_capability_is_told_or_found() {
    let capability = |accelerators, machine: &Fake| {
        let text = plan(accelerators, machine);
        text.lines()
            .find_map(|line| line.strip_prefix("CUDA_COMPUTE_CAP="))
            .unwrap()
            .trim_end_matches(" \\")
            .to_owned()
    };
    let machine = with_cuda();
    assert_eq!(capability("--cuda", &machine), "80");
    // Numbers, not words: 100 is above 90.
    assert_eq!(capability("--cuda", &linux().nvcc("/usr/bin/nvcc", "13.0").gpus("10.0\n9.0\n")), "90");
    assert_eq!(capability("--cuda", &machine.clone().var("CUDA_COMPUTE_CAP", "8.6")), "86");
    assert_eq!(capability("--cuda --compute-cap 90a", &machine.clone().var("CUDA_COMPUTE_CAP", "86")), "90a");
    assert_eq!(capability("--cuda --compute-cap=7.5", &machine), "75");

    let no_gpu = linux().nvcc("/usr/bin/nvcc", "12.4");
    assert_eq!(
        refusal("--cuda", &no_gpu),
        "no GPU to build for: nvidia-smi lists none; say its compute capability with --compute-cap, as in --compute-cap 80 \
         (https://developer.nvidia.com/cuda-gpus)"
    );
    assert_eq!(
        refusal("--cuda --compute-cap new", &machine),
        "--compute-cap new: it is a number as 80 or 8.0, see https://developer.nvidia.com/cuda-gpus"
    );
    assert_eq!(
        refusal("--cuda --compute-cap 70", &machine),
        "CUDA 12.4 does not compile for compute capability 70, only for 75, 80, 86, 90, 90a, 100; for an older GPU install \
         an older toolkit (https://developer.nvidia.com/cuda-toolkit-archive)"
    );
    assert_eq!(refusal("--compute-cap 80", &machine), "--compute-cap is for --cuda or --cudnn");
}

#[test]
fn a_host_compiler_that_is_too_new_is_replaced_or_refused() {
    let old = linux().nvcc("/usr/bin/nvcc", "11.8").gpus("8.0\n");
    assert_eq!(
        refusal("--cuda", &old),
        "CUDA 11.8 takes gcc up to version 11, and this is 12: install g++-11, or set NVCC_CCBIN to a compiler that it takes"
    );
    let both = old.clone().file("/usr/bin/g++-10").file("/usr/bin/g++-11");
    assert!(plan("--cuda", &both).contains("\nNVCC_CCBIN=/usr/bin/g++-11 \\\n"));
    assert!(!plan("--cuda", &old.clone().var("NVCC_CCBIN", "clang")).contains("NVCC_CCBIN"));
    let mut none = with_cuda();
    none.files.remove(Path::new("/usr/bin/gcc"));
    assert!(
        refusal("--cuda", &none)
            .starts_with("no C++ compiler for nvcc: gcc is not on PATH; install g++ (up to version 13")
    );
}

#[test]
fn cudnn_is_asked_for_where_it_is() {
    assert_eq!(
        refusal("--cudnn", &with_cuda()),
        "no cuDNN: cudnn.h is not below /usr/local/cuda nor where CUDNN_PATH says; install it \
         (https://developer.nvidia.com/cudnn), or build with --cuda, which does without"
    );
    for header in ["/usr/include/cudnn.h", "/usr/local/cuda/include/cudnn.h", "/own/include/cudnn.h"] {
        let machine = with_cuda().file(header).var("CUDNN_PATH", "/own");
        assert!(
            plan("--cudnn", &machine).ends_with("cargo build --package nc-cli --features cudnn\n"),
            "{header}"
        );
    }
}

#[test]
fn what_a_system_does_not_have_is_refused() {
    let (linux, mac) = (linux(), Fake::default().on("macos", "aarch64"));
    assert_eq!(refusal("--metal", &linux), "--metal: it is a part of macOS, and this is linux");
    assert_eq!(refusal("--accelerate", &linux), "--accelerate: it is a part of macOS, and this is linux");
    assert_eq!(
        refusal("--cuda", &mac),
        "--cuda: there is no CUDA for macOS; its GPUs are reached with --metal"
    );
    assert_eq!(refusal("--mkl", &mac), "--mkl: MKL is for x86-64 processors, and this is aarch64");
    assert_eq!(refusal("--cuda --metal", &mac), "--cuda and --metal are for different machines: choose one");
    assert_eq!(refusal("--mkl --accelerate", &mac), "--mkl and --accelerate do the same: choose one");
    assert_eq!(
        plan("--metal --accelerate", &mac),
        "cargo build --package nc-cli --features metal,accelerate\n"
    );
    assert_eq!(flags("--metal").plan(&mac).unwrap().device(), Some("metal"));
    assert!(plan("--mkl", &linux).ends_with("--features mkl\n"));
}

#[test]
fn own_flags_are_taken_out_of_those_of_train() {
    let args = ["--preset", "cifar10", "--cuda", "--compute-cap", "80", "--epochs", "3"];
    let (taken, rest) = Accelerators::take(args.map(Into::into).into()).unwrap();
    assert!(taken.cuda && !taken.cudnn && taken.compute_cap.as_deref() == Some("80"));
    assert_eq!(rest, ["--preset", "cifar10", "--epochs", "3"]);
    assert!(Accelerators::take(vec!["--compute-cap".into()]).is_err());
}

/// This machine with another PATH, and no other variable.
#[cfg(unix)]
struct OwnPath(String);

#[cfg(unix)]
impl Tools for OwnPath {
    fn platform(&self) -> (&'static str, &'static str) {
        ThisMachine.platform()
    }
    fn var(&self, name: &str) -> Option<String> {
        (name == "PATH").then(|| self.0.clone())
    }
    fn is_file(&self, path: &Path) -> bool {
        ThisMachine.is_file(path)
    }
    fn output(&self, program: &Path, args: &[&str]) -> Option<String> {
        ThisMachine.output(program, args)
    }
}

/// The real machine's answers come from programs on PATH: here scripts that take the tools' place.
#[cfg(unix)]
#[test]
fn a_probe_runs_the_tools_it_finds() {
    use std::{fs, os::unix::fs::PermissionsExt};
    let directory = std::env::temp_dir().join(format!("xtask-build-{}", std::process::id()));
    let bin = directory.join("bin");
    fs::create_dir_all(&bin).unwrap();
    for (name, text) in [
        ("nvcc", "#!/bin/sh\ncase $1 in --version) echo 'release 12.8, V12.8.61';; *) echo sm_89;; esac\n"),
        (
            "nvidia-smi",
            "#!/bin/sh\n[ \"$*\" = '--query-gpu=compute_cap --format=csv,noheader' ] && echo 8.9\n",
        ),
        ("gcc", "#!/bin/sh\necho 13\n"),
    ] {
        fs::write(bin.join(name), text).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let plan = flags("--cuda").plan(&OwnPath(bin.display().to_string()));
    fs::remove_dir_all(&directory).unwrap();
    let text = plan.unwrap().describe(&[]);
    if cfg!(target_os = "linux") {
        assert!(
            text.starts_with(&format!(
                "# CUDA 12.8: {}\n# compute capability 89",
                bin.join("nvcc").display()
            )),
            "{text}"
        );
    }
}
