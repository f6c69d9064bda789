//! Error messages of rejected tasks; snapshot in `tests/errors.txt`. Those of `build` depend on the machine and are
//! tested in its module.
#![cfg(target_os = "linux")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

#[path = "../../tests/snapshot.rs"]
mod snapshot;

const REFUSED: &[&str] = &[
    "cargo xtask check-cud",
    "cargo xtask build x",
    "cargo xtask build --cuda --metal",
    "cargo xtask build --compute-cap",
    "cargo xtask build --compute-cap 80",
    "cargo xtask train --compute-cap",
    "cargo xtask train --mkl --accelerate",
    "cargo xtask train",
    "cargo xtask package nc-cli",
    "cargo xtask bench stp",
    "cargo xtask bench step --threads 0",
    "cargo xtask bench step --steps x",
    "cargo xtask bench step --model resnet19",
    "cargo xtask bench step --against no-such-revision",
    "cargo xtask bench step --against HEAD --against-torch DIRECTORY/python",
    "cargo xtask bench step --against-torch DIRECTORY/no-python",
    "cargo xtask bench --against-torch DIRECTORY/python",
    "cargo xtask bench --against-torch DIRECTORY/python step",
];

/// Runs the command without cargo and with a Python without PyTorch; returns it with its error message.
fn told(directory: &Path, command: &str) -> String {
    let name = directory.to_str().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(command.split(' ').skip(2).map(|word| word.replace("DIRECTORY", name)))
        .env_clear()
        .env("CARGO", directory.join("no-cargo"))
        // For git.
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{command}: {output:?}");
    let message = String::from_utf8(output.stderr).unwrap().replace(name, "DIRECTORY");
    format!("$ {command}\n    {}\n\n", message.trim_end().replace('\n', "\n    ").replace("    \n", "\n"))
}

#[test]
fn error_messages_match_the_snapshot() {
    let directory = tempfile::tempdir().unwrap();
    let python = directory.path().join("python");
    fs::write(&python, "#!/bin/sh\necho \"No module named 'torch'\" >&2\nexit 1\n").unwrap();
    fs::set_permissions(&python, PermissionsExt::from_mode(0o755)).unwrap();
    let text: String = REFUSED.iter().map(|command| told(directory.path(), command)).collect();
    snapshot::assert_kept("tests/errors.txt", &text);
}
