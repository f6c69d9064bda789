//! The Markdown pages: every link resolves, every command parses.

use std::{fs, path::Path};

use crate::{
    documented::{commands, pages, parts},
    run::nclt,
};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    heading.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}

#[test]
fn links_resolve() {
    let mut links = 0;
    for page in pages(root()) {
        let (prose, _) = parts(&fs::read_to_string(&page).unwrap());
        for target in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            links += 1;
            let (path, part) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { page.clone() } else { page.with_file_name(path) };
            assert!(file.exists(), "{}: {target} does not exist", page.display());
            if !part.is_empty() {
                let file = if file.is_dir() { file.join("README.md") } else { file };
                let text = parts(&fs::read_to_string(&file).unwrap()).0;
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let found =
                    headings.map(|line| anchor(line.trim_start_matches('#'))).any(|name| name == part);
                assert!(found, "{}: {target} names no heading", page.display());
            }
        }
    }
    assert!(links > 50, "{links} links");
}

/// Names in capitals stand for something of the reader's.
fn is_placeholder(word: &str) -> bool {
    word.split(['/', '+', '.'])
        .any(|part| part.len() > 1 && part.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}

#[test]
fn commands_parse_and_presets_exist() {
    let dir = tempfile::tempdir().unwrap();
    let mut parsed = 0;
    for page in pages(root()) {
        let text = fs::read_to_string(&page).unwrap();
        let by_xtask = commands(&text, &["cargo", "xtask"]).into_iter();
        let by_xtask =
            by_xtask.filter(|words| ["train", "download", "reproduce-tables"].contains(&words[0].as_str()));
        for words in commands(&text, &["nclt"]).into_iter().chain(by_xtask) {
            // Builds are xtask's arguments.
            let builds = ["--cuda", "--cudnn", "--metal", "--mkl", "--accelerate"];
            let words: Vec<&str> = words
                .iter()
                .map(|word| if word == "SCALE" { "quick" } else { word.as_str() })
                .filter(|word| !builds.contains(word) && *word != "...")
                .collect();
            if is_placeholder(words[0]) {
                continue;
            }
            let output = nclt(dir.path(), &[&words[..], &["--help"]].concat());
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: nclt {}: {message}", page.display(), words.join(" "));
            if let Some(place) = words.iter().position(|word| *word == "--preset")
                && let Some(name) = words.get(place + 1).filter(|name| !is_placeholder(name))
            {
                let known = nclt(dir.path(), &["presets", name]).status.success();
                assert!(known, "{}: there is no preset {name}", page.display());
            }
            parsed += 1;
        }
    }
    assert!(parsed > 40, "{parsed} commands");
}
