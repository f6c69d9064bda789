//! Images left out of a data set.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read,
    path::{Path, absolute},
};

use sha2::{Digest, Sha256};

use crate::{Error, ImageFiles, Result, counted, error::first, files::Files, hex::hex, index::Index};

/// First line of the lists that [`skip_list`] writes. Files that begin with it are not lists of images.
const HEADER: &str = "# Images to leave out (data.skip)";

/// The text of a list for [`ImageFiles::skip`], with the lines of `before`, an earlier list, and `lines`.
pub fn skip_list(before: &str, lines: &[String]) -> String {
    let before = before.lines().filter(|line| *line != HEADER);
    let lines = [HEADER].into_iter().chain(before).chain(lines.iter().map(String::as_str));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// True for a file that begins as those of [`skip_list`].
pub(crate) fn is_list(path: &Path) -> bool {
    let mut beginning = [0; HEADER.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut beginning));
    read.is_ok() && beginning == HEADER.as_bytes()
}

/// The line of an image below `root` in a list; `None` if its path is not UTF-8 or has a line break.
pub(crate) fn line(root: &Path, image: &Path) -> Option<String> {
    let key = key(root, image).filter(|key| !key.contains(['\n', '\r']))?;
    Some(if key.starts_with('#') { format!("./{key}") } else { key })
}

/// The path of an image relative to `root`, or else its absolute path; `None` if it is not UTF-8.
fn key(root: &Path, image: &Path) -> Option<String> {
    let absolute_key = || {
        let parent = image.parent()?;
        // A listed file may be missing, even with its directory.
        let parent = parent.canonicalize().or_else(|_| absolute(parent)).ok()?;
        let image = parent.join(image.file_name()?);
        let below = root.canonicalize().ok().and_then(|root| Index::key(&root, &image));
        below.or_else(|| Some(image.to_str()?.to_owned()))
    };
    Index::key(root, image).or_else(absolute_key)
}

impl ImageFiles {
    /// Leaves out the images in the text file `list`, as [`skip_list`] and `nclt check --write-skip` write it: in each line a
    /// path relative to the directory of the images, or an absolute one. The path of an image in an archive begins with that
    /// of the archive. Empty lines and lines that begin with `#` are ignored. A note has the number of images and the
    /// SHA-256 of the list.
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
        let root = self.tree.root();
        let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
        // Whether the image of each line was found.
        let mut skipped: HashMap<String, (&str, bool)> =
            lines.filter_map(|line| Some((key(root, &root.join(line))?, (line, false)))).collect();
        let mut keep = |path: &Path| {
            let line = key(root, path).and_then(|key| skipped.get_mut(&key));
            line.map(|(_, found)| *found = true).is_none()
        };
        self.missing.retain(|path| keep(path));
        let kept: Vec<bool> = self.train.images.paths.iter().map(|path| keep(path)).collect();
        if let Some(groups) = &mut self.groups {
            retain(groups, &kept);
        }
        self.train.retain(&kept);
        for set in [&mut self.validation, &mut self.test].into_iter().flatten() {
            let kept: Vec<bool> = set.images.paths.iter().map(|path| keep(path)).collect();
            set.retain(&kept);
        }
        let found = skipped.len();
        let unknown = skipped.into_values().filter(|(_, found)| !found).map(|(line, _)| line.to_owned());
        let mut unknown: Vec<String> = unknown.collect();
        if !unknown.is_empty() {
            unknown.sort();
            let message =
                format!("expected paths of images relative to {}, found {}", root.display(), first(&unknown));
            return Err(malformed(message));
        }
        if found > 0 {
            let images = counted(found, "image is", "images are");
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
