//! `cargo xtask train` and `cargo xtask test` share compiled dependencies, because Candle compiles for minutes.

use std::{collections::BTreeSet, process::Command};

/// External dependencies with their features, as listed by `cargo tree` with `args`.
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
fn program_and_tests_share_dependencies_and_features() {
    let program = built(&["--package=nc-cli", "--edges=normal,build"]);
    let tests = built(&["--workspace", "--edges=normal,build,dev"]);
    assert!(program.iter().any(|line| line.starts_with("candle-core ")), "{program:?}");
    let alone: Vec<_> = program.difference(&tests).collect();
    assert!(alone.is_empty(), "compiled again for the tests, with all their dependents: {alone:?}");
}
