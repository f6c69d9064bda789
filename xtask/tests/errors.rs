//! Error messages of rejected tasks; snapshot in `tests/errors.txt`. To add a command, add a line `$ command` there;
//! `UPDATE_SNAPSHOTS=1` adds its message. Errors of `build` depend on the machine and are tested in its module.
#![cfg(target_os = "linux")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

#[path = "../../tests/snapshot.rs"]
mod snapshot;

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
    let commands: Vec<&str> =
        include_str!("errors.txt").lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(commands.len() > 10, "errors.txt has lost its commands");
    let text: String = commands.iter().map(|command| told(directory.path(), command)).collect();
    snapshot::assert_kept("tests/errors.txt", &text);
}
