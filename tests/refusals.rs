//! Snapshot of a library's error messages in its `tests/errors.txt`: each case, and its message below.

#[path = "snapshot.rs"]
mod snapshot;

use std::{error::Error, fmt::Display};

/// Text of the snapshot.
#[derive(Default)]
pub(crate) struct Refusals(String);

impl Refusals {
    /// Adds the error of `result` and its causes, without causes that the message already ends with.
    pub(crate) fn add<T, E: Error>(&mut self, tried: impl Display, result: Result<T, E>) {
        let Err(error) = result else { panic!("{tried}: expected an error") };
        let mut message = error.to_string().trim_end().to_owned();
        let mut source = error.source();
        while let Some(cause) = source {
            let said = cause.to_string().trim_end().to_owned();
            if !message.ends_with(&said) {
                message = format!("{message}: {said}");
            }
            source = cause.source();
        }
        self.0 = format!("{}{tried}\n    {}\n", self.0, message.replace('\n', "\n    "));
    }

    /// Compares the text with the file, after replacing temporary directories by `DIRECTORY`.
    pub(crate) fn assert_kept(self) {
        let temporary = std::env::temp_dir().join(".tmp").display().to_string();
        let mut parts = self.0.split(&temporary);
        let first = parts.next().unwrap_or_default().to_owned();
        // The name of a temporary directory ends in six random letters.
        let text = parts.fold(first, |text, part| format!("{text}DIRECTORY{}", &part[6..]));
        snapshot::assert_kept("tests/errors.txt", &text);
    }
}
