//! Commands of `cargo xtask` in the Markdown pages.

#[path = "../../tests/documented.rs"]
mod documented;

use std::{fs, path::Path, process::Command};

#[test]
fn documented_commands_parse() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut parsed = 0;
    for page in documented::pages(&root) {
        for words in documented::commands(&fs::read_to_string(&page).unwrap(), &["cargo", "xtask"]) {
            // Passed on to `nclt`, whose tests parse them.
            let passed_on = ["train", "download", "reproduce-tables"].contains(&words[0].as_str());
            if passed_on || words[0].chars().all(|c| c.is_ascii_uppercase()) {
                continue;
            }
            let words: Vec<String> = words.iter().filter(|word| !word.starts_with('[')).cloned().collect();
            let output =
                Command::new(env!("CARGO_BIN_EXE_xtask")).args(&words).arg("--help").output().unwrap();
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {}: {message}", page.display(), words.join(" "));
            parsed += 1;
        }
    }
    assert!(parsed > 10, "{parsed} commands");
}
