//! The Markdown pages: every link resolves, every command parses.

use std::{fs, path::Path};

use crate::{
    documented::{commands, pages, parts},
    run::{nclt, small, stdout},
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

/// A short run of validation in `runs/name`.
fn train_example(dir: &Path, name: &str, seed: &str) {
    let args = ["--epochs", "1", "--seed", seed, "--set=data.validation.fraction=0.1", "--out", "new"];
    stdout(&nclt(dir, &small(&args)));
    let run = fs::read_dir(dir.join("new")).unwrap().next().unwrap().unwrap().path();
    fs::create_dir_all(dir.join("runs")).unwrap();
    fs::rename(run, dir.join("runs").join(name)).unwrap();
}

/// Runs the documented commands that need no data of the reader's, with fewer images and epochs. RUN, RUN1, ... stand for
/// finished runs. A subcommand alone is a name in the text.
#[test]
fn commands_on_embedded_data_run() {
    let dir = tempfile::tempdir().unwrap();
    for (seed, name) in ["RUN", "RUN1", "RUN2", "RUN3"].into_iter().enumerate() {
        train_example(dir.path(), name, &seed.to_string());
    }
    let mut documented: Vec<Vec<String>> = vec![];
    for page in pages(root()) {
        let text = fs::read_to_string(&page).unwrap();
        documented.extend(commands(&text, &["nclt"]));
        documented
            .extend(commands(&text, &["cargo", "xtask"]).into_iter().filter(|words| words[0] == "train"));
    }
    documented.sort();
    documented.dedup();
    // `analyze` reads what `export-features` writes.
    documented.sort_by_key(|words| words[0] != "export-features");
    let mut ran = [0; 2];
    for words in documented {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        let value =
            |option: &str| words.iter().position(|word| *word == option).map(|place| words[place + 1]);
        let on_a_run = words.iter().any(|word| word.starts_with("runs/RUN"));
        let reads = match words[0] {
            "presets" | "config" => true,
            "report" | "eval" | "export" | "export-features" | "analyze" => words.len() > 1,
            _ => false,
        };
        let foreign = words.iter().any(|word| {
            *word == "--data-dir"
                || word.starts_with("--cu")
                || word.starts_with("cuda")
                || *word == "--metal"
                || *word == "FILE"
                || *word == "runs/*"
        });
        let embedded = value("--preset").is_none_or(|name| name.starts_with("fashion-mnist-lt/"));
        let trains = words[0] == "train" && embedded && (on_a_run || value("--config").is_none());
        if foreign
            || words.contains(&"--help")
            || !(trains || reads)
            || words[1..].iter().any(|word| is_placeholder(word) && !word.starts_with("runs/RUN"))
        {
            continue;
        }
        if trains && !on_a_run {
            if let Some(place) = words.iter().position(|word| *word == "--epochs") {
                words[place + 1] = "1";
            } else {
                words.extend(["--epochs", "1"]);
            }
            words.extend(&small(&[])[1..]);
        }
        let output = nclt(dir.path(), &words);
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "nclt {}: {message}", words.join(" "));
        ran[usize::from(reads)] += 1;
    }
    assert!(ran[0] >= 5 && ran[1] >= 9, "{ran:?}");
}
