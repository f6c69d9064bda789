//! The errors of a library, one of each variant at least, as text that is kept beside it, in its `tests/errors.txt`.

#[path = "refusals.rs"]
mod refusals;

pub(crate) use refusals::Refusals;

/// Compares the messages of `cases`, each what was done with the error it gave, with those kept. A variant that is not
/// listed does not compile, and one without a case fails.
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
        assert!(missing.is_empty(), "no case of {missing:?}");
        told.assert_kept();
    }};
}
