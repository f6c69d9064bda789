//! `cargo xtask train` and `cargo xtask test` share what they compile: minutes of it are Candle.

use std::{collections::BTreeSet, process::Command};

/// The dependencies from elsewhere, with the features that they are built with for `args` of `cargo tree`.
fn built(args: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--prefix=none", "--format={p} [{f}]"])
        .args(args)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)").to_owned());
    lines.filter(|line| !line.is_empty() && !line.contains("(/") && !line.contains(":\\")).collect()
}

#[test]
fn the_program_and_the_tests_are_built_of_the_same() {
    let program = built(&["--package=nc-cli", "--edges=normal,build"]);
    let tests = built(&["--workspace", "--edges=normal,build,dev"]);
    assert!(program.iter().any(|line| line.starts_with("candle-core ")), "{program:?}");
    let alone: Vec<_> = program.difference(&tests).collect();
    assert!(alone.is_empty(), "built once more for the tests, and all that stands on them: {alone:?}");
}
