//! What is said of work that is done, or beside the output: it never fails, for that work stands when nobody can read
//! about it.

use std::io::Write;

/// Writes a line to standard error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Writes a line to standard output.
pub(crate) fn show(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
