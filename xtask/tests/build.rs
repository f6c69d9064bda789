//! End-to-end tests of the tasks, with scripts in place of nvcc, nvidia-smi and cargo.
#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

/// A fake CUDA toolkit of scripts and empty libraries, with a GPU and a cargo that prints its arguments.
struct Toolkit(TempDir);

impl Toolkit {
    fn new() -> Self {
        let toolkit = Self(tempfile::tempdir().unwrap());
        toolkit.script(
            "cuda/bin/nvcc",
            "case \"$1\" in\n\
             --version) echo 'Cuda compilation tools, release 12.8, V12.8.93' ;;\n\
             --list-gpu-code) echo sm_80; echo sm_86 ;;\n\
             -E) ;;\n\
             *) exit 1 ;;\n\
             esac",
        );
        toolkit.script("tools/nvidia-smi", "echo 8.6");
        toolkit.script(
            "tools/cargo",
            "echo \"$CUDA_COMPUTE_CAP ${CUDA_HOME##*/} $(command -v nvcc)\"\necho \"$@\"",
        );
        for library in ["cuda", "cudart", "cublas", "cublasLt", "curand", "nvrtc"] {
            toolkit.write(&format!("cuda/lib64/lib{library}.so"), "");
        }
        toolkit
    }

    fn directory(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.directory().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn script(&self, name: &str, text: &str) {
        self.write(name, &format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(self.directory().join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Runs the task with only these tools in the environment; cuda/bin is not on PATH.
    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(args)
            .env_clear()
            .env("CUDA_HOME", self.directory().join("cuda"))
            .env("CARGO", self.directory().join("tools/cargo"))
            .env("PATH", self.directory().join("tools"))
            .output()
            .unwrap()
    }

    /// Asserts the standard output of a task, after replacing the directory by `DIR`.
    #[track_caller]
    fn says(&self, args: &[&str], expected: &str) {
        let output = self.run(args);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{args:?}: {stderr}");
        assert_eq!(stdout.replace(self.directory().to_str().unwrap(), "DIR"), expected, "{args:?}");
    }
}

#[test]
fn build() {
    let toolkit = Toolkit::new();
    toolkit.says(
        &["build", "--cuda", "--dry-run"],
        "# CUDA 12.8: DIR/cuda/bin/nvcc\n\
         # compute capability 86, the lowest among this machine's GPUs\n\
         PATH=DIR/cuda/bin:DIR/tools \\\n\
         NVCC=DIR/cuda/bin/nvcc \\\n\
         CUDA_COMPUTE_CAP=86 \\\n\
         cargo build --release --package nc-cli --features cuda\n",
    );
    toolkit.says(
        &["build", "--cuda", "--compute-cap", "8.0"],
        "80 cuda DIR/cuda/bin/nvcc\nbuild --release --package nc-cli --features cuda\n",
    );
    toolkit.says(&["build"], " cuda \nbuild --release --package nc-cli\n");
    toolkit.says(
        &["build", "--dry-run", "--", "--config", "profile.release.lto = \"fat\""],
        "cargo build --release --package nc-cli --config 'profile.release.lto = \"fat\"'\n",
    );
}

/// Build flags are split from the arguments at any position.
#[test]
fn train() {
    let toolkit = Toolkit::new();
    let run = "run --release --package nc-cli";
    toolkit.says(
        &["train", "--epochs", "1", "--cuda", "--seed=7"],
        &format!(
            "86 cuda DIR/cuda/bin/nvcc\n{run} --features cuda -- train --epochs 1 --seed=7 --device candle-cuda\n"
        ),
    );
    toolkit.says(
        &["reproduce-tables", "--cuda", "--compute-cap", "80", "--device", "cuda:1"],
        &format!("80 cuda DIR/cuda/bin/nvcc\n{run} --features cuda -- reproduce-tables --device cuda:1\n"),
    );
    toolkit.says(&["train", "--help"], &format!(" cuda \n{run} -- train --help\n"));
}

/// Cargo tests all packages with `--workspace`, even if `-p` selects some.
#[test]
fn test() {
    let toolkit = Toolkit::new();
    for (args, called) in [
        (&[][..], "test --release --workspace"),
        (&["-p", "nc-data", "list"], "test --release -p nc-data list"),
        (&["--package=nc-data"], "test --release --package=nc-data"),
        (&["list", "--", "--nocapture"], "test --release --workspace list -- --nocapture"),
        (&["list", "--", "-p"], "test --release --workspace list -- -p"),
    ] {
        toolkit.says(&[&["test"], args].concat(), &format!(" cuda \n{called}\n"));
    }
}

#[test]
fn an_incomplete_toolkit_is_an_error_before_the_build() {
    let toolkit = Toolkit::new();
    fs::remove_file(toolkit.directory().join("cuda/lib64/libcurand.so")).unwrap();
    for args in [["build", "--cuda"], ["train", "--cuda"]] {
        let output = toolkit.run(&args);
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with("error: the linker would not find libcurand.so"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}
