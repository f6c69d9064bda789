use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::Deserialize;

use crate::{Error, Result};

/// Downloadable data sets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Manifest {
    /// Data sets by name.
    pub entries: BTreeMap<String, Entry>,
}

/// A data set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// One-line description.
    pub about: String,
    /// Directory of its files, below the data directory; also the directory inside its archives.
    pub directory: String,
    /// Files to fetch.
    pub files: Vec<File>,
}

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// File name.
    pub name: String,
    /// Length in bytes.
    pub size: u64,
    /// MD5 in hexadecimal, as published by the authors of the data.
    pub md5: String,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// URLs in order of preference.
    pub mirrors: Vec<String>,
    /// For a `.tar.gz`, the files to extract from its directory `Entry::directory`; empty for a file kept as it is.
    #[serde(default)]
    pub members: Vec<String>,
}

impl Manifest {
    /// The built-in manifest: `cifar10`, `cifar100`, `fashion-mnist`.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`]; never in practice, as the crate's tests parse the manifest.
    pub fn built_in() -> Result<Self> {
        Self::parse("data/manifest.toml".as_ref(), include_str!("../../manifest.toml"))
    }

    /// Reads a manifest in the format of `data/manifest.toml`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the file cannot be read, [`Error::Malformed`] if it is not a valid manifest.
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
                return Err(malformed("this name is reserved for all data sets".into()));
            }
            if entry.files.is_empty() {
                return Err(malformed("expected files, found none".into()));
            }
            let names = entry.files.iter().flat_map(|file| file.members.iter().chain([&file.name]));
            let mut seen = BTreeSet::new();
            for part in names.chain([&entry.directory]) {
                // Names become paths below the data directory.
                if part.is_empty() || part.starts_with('.') || part.contains(['/', '\\', ':']) {
                    return Err(malformed(format!("expected a file or directory name, found {part:?}")));
                }
                if !seen.insert(part) {
                    return Err(malformed(format!("duplicate name {part:?}")));
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
