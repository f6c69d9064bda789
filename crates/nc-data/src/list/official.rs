//! The lists that papers use.

use std::{collections::HashMap, fmt, fs, sync::LazyLock};

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
    /// SHA-256 of the file in hexadecimal, if known.
    sha256: Option<&'static str>,
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

/// The lists in `data/official-lists.csv`. iNaturalist 2018 has no test list with labels, and the
/// digest of its training list is not known. Of Places-LT there are two versions, with paths such as `data_256/a/airfield/...` and
/// `train/airfield/...`; by counts a list resembles the first.
static LISTS: LazyLock<Vec<OfficialList>> = LazyLock::new(|| {
    let lines = include_str!("../../official-lists.csv").lines().skip(1);
    lines.map(|line| OfficialList::parse(line).expect("the tests read all lines")).collect()
});

impl OfficialList {
    /// Parses a line of the table. Empty fields are not known.
    fn parse(line: &'static str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, images, classes, sha256, each, many, medium, few] = fields[..] else { return None };
        let counts = match (each, many) {
            ("", "") => Counts::Unknown,
            ("", _) => Counts::Shots([many.parse().ok()?, medium.parse().ok()?, few.parse().ok()?]),
            _ => Counts::Each(each.parse().ok()?),
        };
        let sha256 = Some(sha256).filter(|digest| !digest.is_empty());
        Some(Self { name, images: images.parse().ok()?, classes: classes.parse().ok()?, sha256, counts })
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

/// As in `the official ImageNet-LT training list, by its SHA-256`.
impl fmt::Display for Recognized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OfficialList { name, images, classes, sha256, counts } = self.official;
        let totals = format!("{images} images of {classes} classes, as the official {name}");
        let compared = match counts {
            Counts::Unknown => "its class sizes are not known here",
            Counts::Each(_) | Counts::Shots(_) => "the class sizes agree",
        };
        let bytes = match sha256 {
            Some(_) => "but other paths, labels or line order",
            None => "its SHA-256 is not known here",
        };
        match self.likeness {
            Likeness::Bytes => write!(f, "the official {name}, by its SHA-256"),
            Likeness::ExceptLastNewline => write!(f, "the official {name} except for the newline at the end"),
            Likeness::Counts => write!(f, "{totals}; {compared}, {bytes}"),
            Likeness::Totals => write!(f, "{totals}, but with other class sizes"),
        }
    }
}

impl ImageList {
    /// The official list that this is, by its SHA-256 or else by its numbers of images: lists of ImageNet-LT, iNaturalist 2018
    /// and Places-LT.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the file can no longer be read.
    pub fn recognize(&self) -> Result<Option<Recognized>> {
        let path = self.path();
        let bytes = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let digest = |bytes: &[u8]| hex(&Sha256::digest(bytes));
        let by_digest = |digest: String, likeness| {
            let official = LISTS.iter().find(|list| list.sha256 == Some(digest.as_str()))?;
            Some(Recognized { official, likeness })
        };
        let other_end = match bytes.strip_suffix(b"\n") {
            Some(shorter) => shorter.to_vec(),
            None => [&bytes, &b"\n"[..]].concat(),
        };
        let found = by_digest(digest(&bytes), Likeness::Bytes)
            .or_else(|| by_digest(digest(&other_end), Likeness::ExceptLastNewline));
        Ok(found.or_else(|| self.recognize_counts()))
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
            let OfficialList { name, images, classes, sha256, counts } = list;
            assert!(sha256.is_none_or(|digest| digest.len() == 64), "{name}");
            match counts {
                Counts::Each(each) => assert_eq!(each * classes, *images, "{name}"),
                Counts::Shots(shots) => assert!(shots.iter().sum::<usize>() == *classes, "{name}"),
                Counts::Unknown => {}
            }
        }
    }
}
