//! The lists that papers use.

use std::{collections::HashMap, fmt, fs, sync::LazyLock};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{ImageList, Label};
use crate::{Error, Result, hex::hex};

/// A published list.
#[derive(Debug, PartialEq, Eq)]
pub struct OfficialList {
    /// Name, such as `ImageNet-LT training list`.
    pub name: &'static str,
    /// Number of images.
    pub images: usize,
    /// Number of classes K.
    pub classes: usize,
    /// SHA-256 of the file in hexadecimal, or its shorter [Git object id](git_object_id).
    digest: &'static str,
    counts: Counts,
}

/// Known facts of the class sizes.
#[derive(Debug, PartialEq, Eq)]
enum Counts {
    /// As many of each class.
    Each(usize),
    /// Classes of over 100, of 20 to 100 and of fewer images.
    Shots([usize; 3]),
    /// None known.
    Unknown,
}

/// The lists in `data/official-lists.csv`. iNaturalist 2018 has no test list with labels; of its
/// training list only the Git object id is known. Of Places-LT there are two versions, with paths such as `data_256/a/airfield/...` and
/// `train/airfield/...`; by counts a list resembles the first.
static LISTS: LazyLock<Vec<OfficialList>> = LazyLock::new(|| {
    let lines = include_str!("../../official-lists.csv").lines().skip(1);
    lines.map(|line| OfficialList::parse(line).expect("the tests read all lines")).collect()
});

impl OfficialList {
    /// Parses a line of the table. Empty fields are not known.
    fn parse(line: &'static str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, images, classes, digest, each, many, medium, few] = fields[..] else { return None };
        let counts = match (each, many) {
            ("", "") => Counts::Unknown,
            ("", _) => Counts::Shots([many.parse().ok()?, medium.parse().ok()?, few.parse().ok()?]),
            _ => Counts::Each(each.parse().ok()?),
        };
        Some(Self { name, images: images.parse().ok()?, classes: classes.parse().ok()?, digest, counts })
    }
}

/// An official list that a list equals or resembles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recognized {
    /// The official list.
    pub official: &'static OfficialList,
    /// Their common properties.
    pub likeness: Likeness,
}

/// Common properties of a list and an official one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// All bytes.
    Bytes,
    /// All bytes but a newline at the end.
    ExceptLastNewline,
    /// The numbers of images and classes, and the known facts of class sizes.
    Counts,
    /// The numbers of images and classes, but not the class sizes.
    Totals,
}

/// Id of a file in a Git repository: the SHA-1 of `blob`, its length and its bytes.
fn git_object_id(bytes: &[u8]) -> String {
    let mut digest = Sha1::new_with_prefix(format!("blob {}\0", bytes.len()));
    digest.update(bytes);
    hex(&digest.finalize())
}

/// The list of `lists` with these bytes, or with these except for a newline at the end.
fn with_bytes(lists: &'static [OfficialList], bytes: &[u8]) -> Option<Recognized> {
    let of = |bytes: &[u8], likeness| {
        let digests = [hex(&Sha256::digest(bytes)), git_object_id(bytes)];
        let official = lists.iter().find(|list| digests.iter().any(|digest| digest == list.digest))?;
        Some(Recognized { official, likeness })
    };
    let other_end = match bytes.strip_suffix(b"\n") {
        Some(shorter) => shorter.to_vec(),
        None => [bytes, b"\n"].concat(),
    };
    of(bytes, Likeness::Bytes).or_else(|| of(&other_end, Likeness::ExceptLastNewline))
}

/// As in `the official ImageNet-LT training list, by its SHA-256`.
impl fmt::Display for Recognized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OfficialList { name, images, classes, digest, counts } = self.official;
        let totals = format!("{images} images of {classes} classes, as the official {name}");
        let compared = match counts {
            Counts::Unknown => "its class sizes are not known here",
            Counts::Each(_) | Counts::Shots(_) => "the class sizes agree",
        };
        let kind = if digest.len() == 64 { "SHA-256" } else { "Git object id" };
        match self.likeness {
            Likeness::Bytes => write!(f, "the official {name}, by its {kind}"),
            Likeness::ExceptLastNewline => write!(f, "the official {name} except for the newline at the end"),
            Likeness::Counts => write!(f, "{totals}; {compared}, but other paths, labels or line order"),
            Likeness::Totals => write!(f, "{totals}, but with other class sizes"),
        }
    }
}

impl ImageList {
    /// The official list that this is, by its digest or else by its numbers of images: lists of ImageNet-LT, iNaturalist 2018
    /// and Places-LT.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the file can no longer be read.
    pub fn recognize(&self) -> Result<Option<Recognized>> {
        let path = self.path();
        let bytes = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Ok(with_bytes(&LISTS, &bytes).or_else(|| self.recognize_counts()))
    }

    fn recognize_counts(&self) -> Option<Recognized> {
        let mut of_label: HashMap<&Label, usize> = HashMap::new();
        for entry in self.entries() {
            *of_label.entry(&entry.label).or_default() += 1;
        }
        let (images, classes) = (self.entries().len(), of_label.len());
        let official = LISTS.iter().find(|list| (list.images, list.classes) == (images, classes))?;
        let agree = match official.counts {
            Counts::Each(each) => of_label.values().all(|&count| count == each),
            Counts::Shots(shots) => {
                let of = |least: usize, most: usize| {
                    of_label.values().filter(|&&count| (least..=most).contains(&count)).count()
                };
                [of(101, usize::MAX), of(20, 100), of(1, 19)] == shots
            }
            Counts::Unknown => true,
        };
        let likeness = if agree { Likeness::Counts } else { Likeness::Totals };
        Some(Recognized { official, likeness })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_consistent() {
        assert_eq!(LISTS.len(), 11);
        for list in LISTS.iter() {
            let OfficialList { name, images, classes, digest, counts } = list;
            assert!([40, 64].contains(&digest.len()), "{name}");
            match counts {
                Counts::Each(each) => assert_eq!(each * classes, *images, "{name}"),
                Counts::Shots(shots) => assert!(shots.iter().sum::<usize>() == *classes, "{name}"),
                Counts::Unknown => {}
            }
        }
    }
    /// Digests of `hello` and a newline, as `sha256sum` and `git hash-object` print them.
    #[test]
    fn lists_are_recognized_by_either_digest_and_without_the_last_newline() {
        static KNOWN: LazyLock<Vec<OfficialList>> = LazyLock::new(|| {
            [
                "by SHA-256,1,1,5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03,1,,,",
                "by Git,1,1,ce013625030ba8dba906f756967f9e9ca394464a,1,,,",
            ]
            .map(|line| OfficialList::parse(line).unwrap())
            .into()
        });
        let told = |bytes: &[u8]| with_bytes(&KNOWN, bytes).map(|found| found.to_string());
        assert_eq!(told(b"hello\n").unwrap(), "the official by SHA-256, by its SHA-256");
        let by_git = |bytes: &[u8]| with_bytes(&KNOWN[1..], bytes).map(|found| found.to_string());
        assert_eq!(by_git(b"hello").unwrap(), "the official by Git except for the newline at the end");
        assert_eq!(
            with_bytes(&KNOWN[1..], b"hello\n").unwrap().to_string(),
            "the official by Git, by its Git object id"
        );
        assert_eq!(told(b"hello world\n"), None);
    }
}
