//! Helpers that run `nclt` and read its output.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// `nclt` with these arguments, in the directory `dir`.
pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nclt"));
    // Hide data sets that the user has downloaded.
    command.args(args).current_dir(dir).env("NCLT_DATA_DIR", dir.join("downloads"));
    command.env_remove("CLICOLOR_FORCE");
    command
}

/// Runs `nclt` with these arguments in the directory `dir`.
pub(crate) fn nclt(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).output().expect("nclt can be started")
}

/// Like [`nclt`], with the portable kernels.
pub(crate) fn nclt_portable(dir: &Path, args: &[&str]) -> Output {
    command(dir, args).env("NC_KERNELS_ISA", "portable").output().expect("nclt can be started")
}

/// Like [`nclt`], with a closed pipe as standard output.
pub(crate) fn nclt_unread(dir: &Path, args: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().expect("there are pipes");
    drop(reader);
    command(dir, args).stdout(writer).output().expect("nclt can be started")
}

/// Arguments of a run of a few seconds on 78 training images, with `args` added.
pub(crate) fn small<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let tiny = [
        "train",
        "--set",
        "data.profile={kind=\"exponential\", ratio=10, largest=20}",
        "--set",
        "phases.representation.batch_size=32",
    ];
    tiny.iter().chain(args).copied().collect()
}

pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

/// The JSON object on the last line of standard output.
pub(crate) fn last_line(output: &Output) -> Value {
    let text = stdout(output);
    serde_json::from_str(text.lines().last().expect("there is output")).expect("the last line is JSON")
}

/// Standard error of a failed command.
pub(crate) fn failure(output: &Output) -> String {
    assert!(!output.status.success(), "succeeded: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).expect("messages are UTF-8")
}

/// The only directory under `dir/runs`.
pub(crate) fn run_dir(dir: &Path) -> std::path::PathBuf {
    let entries: Vec<_> = std::fs::read_dir(dir.join("runs"))
        .expect("there is a directory of runs")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
}

/// The directory `name` under `tests/fixtures`.
pub(crate) fn fixtures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}
