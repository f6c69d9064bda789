//! Snapshots of user-facing text, so that its changes are reviewed in the diff.

use std::path::Path;

/// Environment variable that rewrites the snapshots instead of comparing them.
const UPDATE: &str = "UPDATE_SNAPSHOTS";

/// Asserts that `file` in the tested package equals `text`.
pub(crate) fn assert_kept(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = kept.lines().zip(text.lines()).enumerate().find(|(_, (kept, now))| kept != now);
    assert!(
        kept == text,
        "{} is out of date (first at line {}): run the test with {UPDATE}=1 and review the diff\n{}",
        path.display(),
        lines.map_or_else(|| kept.lines().count().min(text.lines().count()) + 1, |(line, _)| line + 1),
        lines.map_or_else(String::new, |(_, (kept, now))| format!("- {kept}\n+ {now}")),
    );
}
