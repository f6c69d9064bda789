//! The errors of a library as text that is kept beside it, in its `tests/errors.txt`.

#[path = "snapshot.rs"]
mod snapshot;

pub(crate) use snapshot::assert_kept;

/// What a program prints of `error`: the message, and what it comes from where that has not been said.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string().trim_end().to_owned();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string().trim_end().to_owned();
        if !message.ends_with(&said) {
            message = format!("{message}: {said}");
        }
        cause = error.source();
    }
    message
}

/// Sees to it that `cases`, each what was done with the error it gave, have every variant of an error, and that all are
/// worded as they are kept, with the directory they were made in left out. A variant that is not listed does not compile.
macro_rules! assert_worded {
    ($error:ident { $($variant:ident),* $(,)? }, $cases:expr $(, in $directory:expr)?) => {{
        let variant = |error: &$error| match error {
            $($error::$variant { .. } => stringify!($variant),)*
        };
        let cases: Vec<(&str, $error)> = $cases;
        let mut text = String::new();
        $({
            let of_it = cases.iter().filter(|(_, error)| variant(error) == stringify!($variant));
            let said: Vec<String> =
                of_it.map(|(what, error)| format!("{what}\n    {}\n", worded::told(error).replace('\n', "\n    "))).collect();
            assert!(!said.is_empty(), "no case of {}", stringify!($variant));
            text.push_str(&said.concat());
        })*
        $(text = text.replace(&$directory.display().to_string(), "DIRECTORY");)?
        worded::assert_kept("tests/errors.txt", &text);
    }};
}
