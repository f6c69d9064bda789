use std::{collections::HashMap, hash::Hash, path::Path};

use unicode_normalization::UnicodeNormalization;

/// Which training images belong together, such as the frames of one video or the photographs of one specimen. A hold-out
/// takes whole groups: otherwise near-identical images are both trained on and held out, which inflates accuracy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields))]
pub enum Groups {
    /// Images of a class in the same directory: for folders, below the class directory; for lists, that of the path. An
    /// image directly in the class directory is a group of its own.
    Directory,
    /// Images of a class whose file names agree up to a separator, such as `00001_00023.ppm` and `00001_00024.ppm`.
    FileName {
        /// The separator; its last occurrence in the name without the ending counts. An image without anything before it is a
        /// group of its own.
        until: String,
    },
    /// Images with the same value in the column `group` of a CSV list, also of different classes. An image without a value
    /// is a group of its own.
    Column,
}

/// The part of the file name before the last `until`, in NFC.
pub(crate) fn stem_until(path: &Path, until: &str) -> Option<String> {
    let stem = path.file_stem()?.to_string_lossy();
    stem.rsplit_once(until).map(|(key, _)| key.nfc().collect()).filter(|key: &String| !key.is_empty())
}

/// A number for each image: equal for equal keys, different for images without a key.
pub(crate) fn numbered<K: Eq + Hash>(keys: impl IntoIterator<Item = Option<K>>) -> Vec<u32> {
    let mut numbers = HashMap::new();
    let mut next = 0;
    let mut fresh = || {
        next += 1;
        next - 1
    };
    let number = |key: Option<K>| match key {
        Some(key) => *numbers.entry(key).or_insert_with(&mut fresh),
        None => fresh(),
    };
    keys.into_iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::{numbered, stem_until};

    #[test]
    fn keys_are_the_name_before_the_last_separator() {
        let key = |name: &str, until| stem_until(name.as_ref(), until);
        assert_eq!(key("a/00001_00023.ppm", "_").as_deref(), Some("00001"));
        assert_eq!(key("a_b_1.png", "_").as_deref(), Some("a_b"));
        assert_eq!(key("film.0001.png", ".").as_deref(), Some("film"));
        assert_eq!(key("cafe\u{301} 2-1.png", "-"), key("caf\u{e9} 2-7.png", "-"));
        assert_eq!((key("plain.png", "_"), key("_dsc1.png", "_")), (None, None));
    }

    #[test]
    fn images_without_a_key_are_on_their_own() {
        assert_eq!(numbered([Some("a"), None, Some("b"), Some("a"), None]), [0, 1, 2, 0, 3]);
    }
}
