//! Image files below a directory.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    Result, counted,
    entries::is_hidden,
    names::{ENDINGS, is_image},
    tree::Tree,
};

/// Counts of used and skipped files below a directory.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) used: usize,
    /// Number of skipped files by extension, and of other skipped entries by kind.
    unused: BTreeMap<String, usize>,
}

impl Tally {
    pub(crate) fn skip(&mut self, path: &Path) {
        let kind = if is_hidden(path) {
            "hidden".to_owned()
        } else if path.is_dir() {
            "symlinked directory".to_owned()
        } else if is_image(path) {
            // Paths in archives have no metadata.
            let is_special = path.symlink_metadata().is_ok() && !path.is_file();
            (if is_special { "not a file" } else { "beside class directories" }).to_owned()
        } else {
            let ending =
                path.extension().map(|ending| format!(".{}", ending.to_string_lossy().to_lowercase()));
            ending.unwrap_or_else(|| "without extension".to_owned())
        };
        *self.unused.entry(kind).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.used += other.used;
        for (kind, count) in other.unused {
            *self.unused.entry(kind).or_default() += count;
        }
    }

    /// The skipped files, such as `3 .gif, 1 hidden`.
    pub(crate) fn skipped(&self) -> String {
        let kinds: Vec<String> = self.unused.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        kinds.join(", ")
    }

    pub(crate) fn notes(&self, directory: &Path) -> Vec<String> {
        let mut notes = vec![];
        let unused: usize = self.unused.values().sum();
        if unused > 0 {
            let files = counted(self.used + unused, "file", "files");
            let (directory, skipped) = (directory.display(), self.skipped());
            notes.push(format!("{directory}: skipped {unused} of {files} ({skipped}); images are {ENDINGS}"));
        }
        notes
    }
}

/// All images in `directory` and its subdirectories, sorted by path, and the number of files skipped.
///
/// # Errors
///
/// [`Error::Read`](crate::Error::Read) for an unreadable directory.
pub fn image_files(directory: &Path) -> Result<(Vec<PathBuf>, usize)> {
    let (mut found, mut files) = (vec![], Tally::default());
    images(&Tree::default(), directory, &mut found, &mut files)?;
    Ok((found, files.unused.values().sum()))
}

/// Adds the images in `directory` and its subdirectories to `found`.
pub(crate) fn images(
    tree: &Tree,
    directory: &Path,
    found: &mut Vec<PathBuf>,
    files: &mut Tally,
) -> Result<()> {
    for path in tree.entries(directory, |hidden| files.skip(hidden))? {
        // Symlinked directories can form cycles, which would count images repeatedly.
        if tree.is_dir(&path) && !path.is_symlink() {
            images(tree, &path, found, files)?;
        } else if tree.is_file(&path) && is_image(&path) {
            found.push(path);
        } else {
            files.skip(&path);
        }
    }
    Ok(())
}
