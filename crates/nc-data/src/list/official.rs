//! The lists that papers use.

use std::{collections::HashMap, fmt, fs};

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

/// Lists of three data sets. iNaturalist 2018 has no test list with labels. Of Places-LT there are two versions; the digests are
/// those of the one with paths such as `data_256/a/airfield/...`.
static LISTS: [OfficialList; 8] = [
    OfficialList {
        name: "ImageNet-LT training list",
        images: 115_846,
        classes: 1000,
        sha256: Some("efdbdad4f050237c310b2f354cf95a8b1d7c8d57a63c4ea4bb6bf2bcb012f37f"),
        counts: Counts::Shots([385, 479, 136]),
    },
    OfficialList {
        name: "ImageNet-LT validation list",
        images: 20_000,
        classes: 1000,
        sha256: Some("9af7ba688acf9532ff5845a8fb14a1e97fdc4c51ac48bc72c08ea9c3f7ff142e"),
        counts: Counts::Each(20),
    },
    OfficialList {
        name: "ImageNet-LT test list",
        images: 50_000,
        classes: 1000,
        sha256: Some("d1590191cf8a71fada7b1aaedaa2d139a2aea93ff2f1b755319d0bd8dbaa55d5"),
        counts: Counts::Each(50),
    },
    OfficialList {
        name: "iNaturalist 2018 training list",
        images: 437_513,
        classes: 8142,
        sha256: None,
        counts: Counts::Unknown,
    },
    OfficialList {
        name: "iNaturalist 2018 validation list",
        images: 24_426,
        classes: 8142,
        sha256: Some("efaeff65f80641b60864470e6f255aa69453406ef5717eec8c6681748f3a61f3"),
        counts: Counts::Each(3),
    },
    OfficialList {
        name: "Places-LT training list",
        images: 62_500,
        classes: 365,
        sha256: Some("09410632a22045212fb3231623261e8426ba8dc1887a2b633afeab78ba9c8868"),
        counts: Counts::Shots([131, 163, 71]),
    },
    OfficialList {
        name: "Places-LT validation list",
        images: 7300,
        classes: 365,
        sha256: Some("09cf0e5abf684f946f60b6bf9c526a5ee85d09f555d2c4b9cfaaf22b19d04974"),
        counts: Counts::Each(20),
    },
    OfficialList {
        name: "Places-LT test list",
        images: 36_500,
        classes: 365,
        sha256: Some("3c34622e44f036b17c7926b0b6bbdd3d335fa63077409ebb06da68afa7073cd9"),
        counts: Counts::Each(100),
    },
];

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
            let official = LISTS.iter().find(|list| list.sha256 == Some(&digest))?;
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
