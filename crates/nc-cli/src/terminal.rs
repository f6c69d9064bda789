//! Best-effort status output. Write errors are ignored: a closed terminal must not fail a finished run.

use std::{borrow::Cow, io::Write};

/// Escapes control characters in `text`, except line breaks and tabs: names of files and classes may contain terminal
/// escape sequences.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let acts = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(acts) {
        return text.into();
    }
    let escaped = |c: char| if acts(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect::<String>().into()
}

/// Writes a line to standard error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", harmless(line));
}

/// Writes a line to standard output.
pub(crate) fn show(line: &str) {
    let _ = writeln!(std::io::stdout(), "{}", harmless(line));
}
