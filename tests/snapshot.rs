//! Text that is kept beside the code, so that a change of what a user reads is read in the diff.

use std::path::Path;

/// The variable that has the files written in place of compared.
const UPDATE: &str = "UPDATE_SNAPSHOTS";

/// Sees to it that `file`, of the package that is tested, holds `text`.
pub(crate) fn assert_kept(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = kept.lines().zip(text.lines()).enumerate().find(|(_, (kept, now))| kept != now);
    assert!(
        kept == text,
        "{} is not what the code says (first at line {}): run the test with {UPDATE}=1 and read the diff\n{}",
        path.display(),
        lines.map_or_else(|| kept.lines().count().min(text.lines().count()) + 1, |(line, _)| line + 1),
        lines.map_or_else(String::new, |(_, (kept, now))| format!("- {kept}\n+ {now}")),
    );
}
