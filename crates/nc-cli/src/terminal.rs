//! What is said beside the output.

use std::io::Write;

/// Writes a line to standard error. A run goes on, and ends as it should, when nobody can read about it.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
