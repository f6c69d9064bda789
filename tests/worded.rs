//! Snapshot of a library's error messages in its `tests/errors.txt`, with at least one case per variant.

#[path = "refusals.rs"]
mod refusals;

pub(crate) use refusals::Refusals;

/// Compares the messages of `cases`, pairs of a description and an error, with the snapshot. An unlisted variant does
/// not compile; a variant without a case fails.
macro_rules! assert_worded {
    ($error:ident { $($variant:ident),* $(,)? }, $cases:expr) => {{
        let variant = |error: &$error| match error {
            $($error::$variant { .. } => stringify!($variant),)*
        };
        let (mut missing, mut told) = (vec![$(stringify!($variant)),*], worded::Refusals::default());
        for (what, error) in $cases {
            missing.retain(|other| *other != variant(&error));
            told.add::<(), $error>(what, Err(error));
        }
        assert!(missing.is_empty(), "no case for {missing:?}");
        told.assert_kept();
    }};
}
