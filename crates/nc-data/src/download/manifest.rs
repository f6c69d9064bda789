use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::Deserialize;

use crate::{Error, Result};

/// Data sets by name, and what they are made of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Manifest {
    /// The data sets.
    pub entries: BTreeMap<String, Entry>,
}

/// A data set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What it is, in a line.
    pub about: String,
    /// The directory its files end up in, below the one for all data; also the one in its archives.
    pub directory: String,
    /// What to fetch.
    pub files: Vec<File>,
}

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// MD5 in hexadecimal: what the authors of the data publish.
    pub md5: String,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Where it can be had, best first.
    pub mirrors: Vec<String>,
    /// For a `.tar.gz` the files to take from its directory `Entry::directory`; empty for a file that is kept as it is.
    #[serde(default)]
    pub members: Vec<String>,
}

impl Manifest {
    /// The manifest that comes with this crate: `cifar10`, `cifar100`, `fashion-mnist`.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`]; the crate's tests see to it that there is none.
    pub fn built_in() -> Result<Self> {
        Self::parse("data/manifest.toml".as_ref(), include_str!("../../manifest.toml"))
    }

    /// Reads a manifest in the format of `data/manifest.toml`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if it cannot be read, [`Error::Malformed`] if it is none.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        let malformed = |message: String| Error::Malformed { path: path.to_owned(), message };
        let manifest: Self = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        for (name, entry) in &manifest.entries {
            let malformed = |message: String| malformed(format!("{name}: {message}"));
            if name == "all" {
                return Err(malformed("stands for every data set and names none".into()));
            }
            if entry.files.is_empty() {
                return Err(malformed("expected files, found none".into()));
            }
            let names = entry.files.iter().flat_map(|file| file.members.iter().chain([&file.name]));
            let mut seen = BTreeSet::new();
            for part in names.chain([&entry.directory]) {
                // They become paths below the directory for data.
                if part.is_empty() || part.starts_with('.') || part.contains(['/', '\\', ':']) {
                    return Err(malformed(format!("{part:?} should be the name of a file or directory")));
                }
                if !seen.insert(part) {
                    return Err(malformed(format!("{part:?} stands there twice")));
                }
            }
            for file in &entry.files {
                for (kind, digest, digits) in [("MD5", &file.md5, 32), ("SHA-256", &file.sha256, 64)] {
                    if digest.len() != digits || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                        let message = format!(
                            "the {kind} of {} should have {digits} hexadecimal digits, found {digest:?}",
                            file.name
                        );
                        return Err(malformed(message));
                    }
                }
            }
        }
        Ok(manifest)
    }
}
