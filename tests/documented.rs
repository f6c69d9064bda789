//! Commands in the Markdown pages, for the tests of `nclt` and of xtask.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The Markdown pages of the project.
pub(crate) fn pages(root: &Path) -> Vec<PathBuf> {
    let mut pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "results/README.md"]
        .map(|page| root.join(page))
        .to_vec();
    let entries =
        |directory: &str| fs::read_dir(root.join(directory)).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(entries("docs").filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    pages.extend(entries("crates").map(|path| path.join("README.md")).filter(|path| path.is_file()));
    pages
}

/// The text outside code blocks, and the lines of `sh` blocks with continuations joined.
pub(crate) fn parts(text: &str) -> (String, Vec<String>) {
    let (mut prose, mut lines) = (String::new(), vec![]);
    for (index, part) in text.split("```").enumerate() {
        match (index % 2, part.strip_prefix("sh\n")) {
            (0, _) => prose.push_str(part),
            (_, Some(block)) => lines.extend(block.replace("\\\n", " ").lines().map(str::to_owned)),
            _ => {}
        }
    }
    (prose, lines)
}

/// The arguments of each documented command that starts with the words of `program`.
pub(crate) fn commands(text: &str, program: &[&str]) -> Vec<Vec<String>> {
    let (prose, lines) = parts(text);
    let inline = prose.split('`').skip(1).step_by(2).map(|code| code.replace('\n', " "));
    let words = lines.into_iter().chain(inline).map(|line| words(&line));
    let of_program = words.filter(|words| words.len() > program.len() && words[..program.len()] == *program);
    of_program.map(|words| words[program.len()..].to_vec()).collect()
}

/// Splits a line as a shell does, up to a comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (vec![], None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
