use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::build::Accelerators;
use crate::build::tools::Tools;

/// A fake machine with configured variables, files and programs.
#[derive(Clone, Default)]
pub(super) struct Fake {
    platform: Option<(&'static str, &'static str)>,
    pub(super) vars: BTreeMap<String, String>,
    pub(super) files: BTreeSet<PathBuf>,
    /// Outputs by program and arguments.
    outputs: BTreeMap<String, Result<String, String>>,
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

    fn output(&self, program: &Path, args: &[&str]) -> Result<String, String> {
        let answer = self.outputs.get(&format!("{} {}", program.display(), args.join(" ")));
        answer.cloned().unwrap_or_else(|| Err("No such file or directory".into()))
    }
}

impl Fake {
    pub(super) fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    pub(super) fn file(mut self, path: &str) -> Self {
        self.files.insert(path.into());
        self
    }

    pub(super) fn tool(mut self, path: &str, args: &str, output: &str) -> Self {
        self.outputs.insert(format!("{path} {args}"), Ok(output.into()));
        self.file(path)
    }

    pub(super) fn failing_tool(mut self, path: &str, args: &str, error: &str) -> Self {
        self.outputs.insert(format!("{path} {args}"), Err(error.into()));
        self.file(path)
    }

    pub(super) fn nvcc(self, path: &str, version: &str) -> Self {
        let codes = "sm_75\nsm_80\nsm_86\nsm_90\nsm_90a\nsm_100\n";
        self.tool(
            path,
            "--version",
            &format!("nvcc: NVIDIA (R)\nCuda compilation tools, release {version}, V{version}.92\n"),
        )
        .tool(path, "--list-gpu-code", codes)
        .tool(path, TRIAL, "")
    }

    pub(super) fn gpus(self, caps: &str) -> Self {
        self.tool("/usr/bin/nvidia-smi", "--query-gpu=compute_cap --format=csv,noheader", caps)
    }

    fn on(mut self, system: &'static str, processor: &'static str) -> Self {
        self.platform = Some((system, processor));
        self
    }
}

/// Arguments that test whether nvcc accepts the default C++ compiler.
pub(super) const TRIAL: &str = "-E -x cu /dev/null";

/// A machine with CUDA's libraries, but without nvcc and GPU.
pub(super) fn linux() -> Fake {
    let libraries = ["cuda", "cudart", "cublas", "cublasLt", "curand", "nvrtc"];
    let fake = Fake::default().var("PATH", "/usr/bin:/bin");
    libraries.iter().fold(fake, |fake, name| fake.file(&format!("/usr/lib/x86_64-linux-gnu/lib{name}.so")))
}

pub(super) fn mac() -> Fake {
    Fake::default().on("macos", "aarch64")
}

pub(super) fn with_cuda() -> Fake {
    linux().nvcc(NVCC, "12.4").gpus("8.6\n8.0\n9.0\n")
}

pub(super) const NVCC: &str = "/usr/local/cuda/bin/nvcc";

/// Arguments that test whether nvcc accepts the C++ compiler of NVCC_CCBIN=clang++.
pub(super) const CLANG_TRIAL: &str = "-allow-unsupported-compiler -ccbin clang++ -E -x cu /dev/null";

/// A machine with a C++ compiler too new for nvcc.
pub(super) fn newer_gcc() -> Fake {
    let refusal = "host_config.h:132:2: error: #error -- unsupported GNU version! gcc versions later than 11 are not \
                   supported! The nvcc flag '-allow-unsupported-compiler' can be used\n  132 | #error";
    with_cuda().failing_tool(NVCC, TRIAL, refusal)
}

/// A machine without two of CUDA's libraries.
pub(super) fn without_libraries() -> Fake {
    let mut machine = with_cuda().var("LIBRARY_PATH", "/elsewhere:/own");
    for name in ["cuda", "curand"] {
        machine.files.remove(Path::new(&format!("/usr/lib/x86_64-linux-gnu/lib{name}.so")));
    }
    machine
}

pub(super) fn flags(text: &str) -> Accelerators {
    Accelerators::take(text.split_whitespace().map(Into::into).collect()).unwrap().0
}

pub(super) fn plan(accelerators: &str, machine: &Fake) -> String {
    let plan = flags(accelerators).plan(machine).unwrap();
    plan.describe(&[vec!["build".into()], plan.cargo_args()].concat())
}
