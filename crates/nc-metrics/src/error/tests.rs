#[macro_use]
#[path = "../../../../tests/worded.rs"]
mod worded;

use super::{Error, check, check_length, check_rows};

#[test]
fn every_error_is_worded_as_it_is_kept() {
    assert_worded!(
        Error { Length, ClassifierShape, Label, NotFinite, Empty },
        vec![
            ("a weight too short", check_length("weight", &[0.0; 5], 6).unwrap_err()),
            ("another classifier", Error::ClassifierShape { expected: (10, 64), found: (100, 64) }),
            ("a label too large", check("features", &[0.0; 4], 2, &[0, 3], 3, 128).unwrap_err()),
            ("features with a hole", check("features", &[0.0, f32::NAN], 1, &[0, 1], 2, 128).unwrap_err()),
            ("no columns", check_rows::<f32>("rows", &[], 0).unwrap_err()),
            ("no samples", crate::ClassMeans::of(&[], &[], 3, 2).unwrap_err()),
        ]
    );
}
