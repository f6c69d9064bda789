//! Images left out of a data set.

use std::{collections::HashSet, fs, path::Path};

use sha2::{Digest, Sha256};

use crate::{Error, ImageFiles, Result, counted, error::first, files::Files, hex::hex, index::Index};

impl ImageFiles {
    /// Leaves out the images in the text file `list`, a path relative to the directory of the images in each line, as
    /// `nclt check --write-skip` writes them. The path of an image in an archive begins with that of the archive. Empty lines
    /// and lines that begin with `#` are ignored. A note has the number of images and the SHA-256 of the list.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the list cannot be read, [`Error::Malformed`] if it is not UTF-8 or names files that are not
    /// among the images: the list may be that of other images.
    pub fn skip(&mut self, list: &Path) -> Result<()> {
        let bytes = fs::read(list).map_err(|source| Error::Read { path: list.to_owned(), source })?;
        let malformed = |message: String| Error::Malformed { path: list.to_owned(), message };
        let text =
            std::str::from_utf8(&bytes).map_err(|_| malformed("not UTF-8; save the file as UTF-8".into()))?;
        let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let lines: Vec<&str> = lines.collect();
        let skipped: HashSet<&str> = lines.iter().copied().collect();
        let mut found = HashSet::new();
        let root = self.tree.root();
        self.missing.retain(|path| Index::key(root, path).is_none_or(|key| !skipped.contains(key.as_str())));
        let mut keep = |path: &Path| {
            let key = Index::key(root, path).filter(|key| skipped.contains(key.as_str()));
            let is_kept = key.is_none();
            found.extend(key);
            is_kept
        };
        let kept: Vec<bool> = self.train.images.paths.iter().map(|path| keep(path)).collect();
        if let Some(groups) = &mut self.groups {
            retain(groups, &kept);
        }
        self.train.retain(&kept);
        for set in [&mut self.validation, &mut self.test].into_iter().flatten() {
            let kept: Vec<bool> = set.images.paths.iter().map(|path| keep(path)).collect();
            set.retain(&kept);
        }
        let unknown = lines.iter().filter(|line| !found.contains(**line)).map(|line| (*line).to_owned());
        let unknown: Vec<String> = unknown.collect();
        if !unknown.is_empty() {
            let message =
                format!("expected paths of images relative to {}, found {}", root.display(), first(&unknown));
            return Err(malformed(message));
        }
        if !found.is_empty() {
            let images = counted(found.len(), "image is", "images are");
            let digest = hex(&Sha256::digest(&bytes));
            self.notes.push(format!("{images} skipped, listed in {} (SHA-256 {digest})", list.display()));
        }
        Ok(())
    }
}

impl Files {
    fn retain(&mut self, kept: &[bool]) {
        retain(&mut self.images.paths, kept);
        retain(&mut self.images.labels, kept);
        retain(&mut self.directories, kept);
        if let Some(column) = &mut self.column {
            retain(column, kept);
        }
    }
}

/// Keeps the elements for which `kept` is true.
fn retain<T>(elements: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    elements.retain(|_| kept.next().is_none_or(|&kept| kept));
}
