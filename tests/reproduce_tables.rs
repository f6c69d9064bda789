//! `nclt reproduce-tables`.

use std::{fs, process::Output};

use crate::run::{failure, nclt, nclt_unread, stdout};

#[test]
fn runs_fill_the_tables_one_by_one() {
    let results = tempfile::tempdir().unwrap();
    let reproduce = |more: &[&str]| -> Output {
        let few = ["reproduce-tables", "--scale", "smoke", "--cells", "table3/cifar10-lt-r100/nc-drw*"];
        nclt(results.path(), &[&few[..], &["--results", "."], more].concat())
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();

    let dry = reproduce(&["--dry-run"]);
    assert!(
        stdout(&dry).contains("4 runs at smoke scale") && stdout(&dry).contains("4 missing, about"),
        "{dry:?}"
    );
    assert!(!results.path().join("smoke").exists(), "a dry run writes no files");

    let first = reproduce(&["--max-runs", "1"]);
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert!(text(&first.stderr).contains("3 runs missing; repeat the command to continue"));
    assert!(
        text(&reproduce(&["--list"]).stdout).contains("table3/cifar10-lt-r100/nc-drw                 1 of 1")
    );

    let second = reproduce(&[]);
    assert!(second.status.success(), "{}", text(&second.stderr));
    assert!(text(&second.stderr).contains("reusing the first phases of a finished run"));
    for name in ["tables.md", "tables.html", "tables.json", "tables.csv", "figures.csv"] {
        assert!(fs::metadata(results.path().join("smoke").join(name)).unwrap().len() > 100, "{name}");
    }
    let third = reproduce(&[]);
    assert!(
        text(&third.stderr).contains("4 runs at smoke scale") && text(&third.stderr).contains("0 missing")
    );

    let script = reproduce(&["--slurm"]);
    assert!(script.status.success(), "{}", text(&script.stderr));
    let script = fs::read_to_string(results.path().join("smoke/slurm.sh")).unwrap();
    assert!(script.contains(" --results . --max-runs 1 &") && !script.contains("cpus-per-task"), "{script}");

    let written = nclt(results.path(), &["reproduce-tables", "--results", ".", "--max-runs", "0"]);
    assert!(written.status.success(), "tables need no images: {}", text(&written.stderr));
    assert!(results.path().join("quick/tables.md").exists());
}

#[test]
fn a_dry_run_lists_missing_runs_without_images() {
    let dir = tempfile::tempdir().unwrap();
    let output = nclt(dir.path(), &["reproduce-tables", "--cells", "table3/cifar10-lt-r100/ce", "--dry-run"]);
    assert_eq!(
        stdout(&output),
        "cifar10-lt-r100/ce seed 0\n1 run at quick scale (a fifth of the epochs: 40 in place of 200, f32); 1 missing\n"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("cannot estimate the time: cifar10 is not in "), "{said}");
}

#[test]
fn a_failed_run_sets_the_exit_code_even_on_a_closed_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["reproduce-tables", "--scale=smoke", "--cells=table3/cifar10-lt-r100/ce", "--results=."];
    stdout(&nclt(dir.path(), &args));
    fs::remove_dir_all(dir.path().join("smoke")).unwrap();
    let run = fs::read_dir(dir.path().join("runs/smoke")).unwrap().map(|entry| entry.unwrap().path());
    let run = run.into_iter().find(|path| path.is_dir()).unwrap();
    fs::remove_dir_all(&run).unwrap();
    fs::write(&run, "no directory").unwrap();
    let message = failure(&nclt_unread(dir.path(), &args));
    assert!(message.contains("failed: cifar10-lt-r100/ce seed 0: cannot create the directory"), "{message}");
}
