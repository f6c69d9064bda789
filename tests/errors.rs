//! Error messages of rejected commands, which must not write files. Snapshots: `tests/errors.txt` and
//! `tests/errors-of-runs.txt`. To add a command, add a line `$ command` to the former; `UPDATE_SNAPSHOTS=1` adds its message.

use std::{fs, path::Path};

use crate::{
    analyze::write_two,
    run::{failure, nclt, run_dir, small, stdout},
    snapshot::assert_kept,
};

/// Commands that fail before any work, in a directory with [`FILES`] and two feature files, and their messages. Grouped by
/// subject: names, keys, values, ranges, contradictions, files, flags.
const REFUSED: &str = include_str!("errors.txt");

const FILES: &[(&str, &str)] = &[
    ("broken.toml", "seed = = 1\n"),
    ("typo.toml", "preset = \"fashion-mnist-lt/ce\"\n[data]\nflipp = true\n"),
    ("partial.toml", "name = \"mine\"\nseed = 1\n"),
    ("incomplete.toml", "name = \"mine\"\nseed = 1\nphases = []\n"),
    ("number.toml", "preset = 3\n"),
    ("preset.toml", "preset = \"fashion-mnist-lt/nc-drw\"\n"),
    ("unknown.toml", "preset = \"fashion-mnist-lt/nc-drww\"\n"),
    ("empty.txt", ""),
    ("gap.txt", "empty.txt 1\n"),
];

/// Runs the command and returns it with its error message.
fn told(dir: &Path, command: &str) -> String {
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let output = nclt(dir, &words);
    let lists = command.starts_with("nclt check-list");
    assert!(lists || output.stdout.is_empty(), "{command} wrote to standard output: {output:?}");
    let message = failure(&output).replace(&dir.display().to_string(), "DIRECTORY");
    let indented = message.trim_end().replace('\n', "\n    ").replace("    \n", "\n");
    format!("$ {command}\n    {indented}\n\n")
}

#[test]
fn error_messages_match_the_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in FILES {
        fs::write(dir.path().join(name), content).unwrap();
    }
    write_two(&dir.path().join("one.safetensors"), [0.0, 1.0, 1.0, 0.0], [0, 0]);
    write_two(&dir.path().join("nan.safetensors"), [0.0, 1.0, f32::NAN, 0.0], [0, 1]);
    let there = || fs::read_dir(dir.path()).unwrap().count();
    let files = there();
    let commands: Vec<&str> = REFUSED.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(commands.len() > 100, "errors.txt has lost its commands");
    let mut text = vec![];
    for command in commands {
        text.push(told(dir.path(), command));
        assert_eq!(there(), files, "{command} wrote files");
    }
    assert_kept("../../tests/errors.txt", &text.concat());
}

/// Errors about missing and damaged files of a finished run.
#[test]
fn errors_about_run_files_match_the_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    stdout(&nclt(dir.path(), &small(&["--epochs", "1"])));
    let run = run_dir(dir.path());
    fs::rename(&run, dir.path().join("run")).unwrap();
    let run = dir.path().join("run");
    let other = fs::read_to_string(run.join("config.toml")).unwrap().replacen("seed = 0", "seed = 1", 1);
    let mut text = vec![];
    let mut damaged = |file: &str, content: Option<&[u8]>, commands: &[&str]| {
        let whole = fs::read(run.join(file)).unwrap();
        match content {
            Some(content) => fs::write(run.join(file), content).unwrap(),
            None => fs::remove_file(run.join(file)).unwrap(),
        }
        for command in commands {
            let said = told(dir.path(), command);
            text.push(format!("# {file} {}\n{said}", if content.is_some() { "damaged" } else { "gone" }));
        }
        fs::write(run.join(file), whole).unwrap();
    };
    damaged("config.toml", None, &["nclt eval run", "nclt train --resume run"]);
    damaged("config.toml", Some(b"seed = 1\n"), &["nclt eval run"]);
    damaged("config.toml", Some(other.as_bytes()), &["nclt train --resume run"]);
    damaged(
        "weights.safetensors",
        None,
        &["nclt eval run", "nclt export-features run --out features", "nclt export run --onnx -"],
    );
    damaged("weights.safetensors", Some(b"not weights"), &["nclt eval run", "nclt export run --onnx -"]);
    damaged("result.json", Some(b"{}"), &["nclt report run", "nclt train --resume run"]);
    damaged("result.json", Some(b"{\"format_version\":99}"), &["nclt report run"]);
    damaged("events.jsonl", None, &["nclt report run"]);
    damaged("events.jsonl", Some(b"no json\n"), &["nclt report run"]);
    assert_kept("../../tests/errors-of-runs.txt", &text.concat());
}
