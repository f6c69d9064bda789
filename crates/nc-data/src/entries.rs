//! Entries of directories.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Error, Result, index::Index};

/// The visible entries of a directory, sorted by path. Hidden ones are passed to `hidden`.
pub(crate) fn entries(directory: &Path, hidden: impl FnMut(&Path)) -> Result<Vec<PathBuf>> {
    let unreadable = |source| Error::Read { path: directory.to_owned(), source };
    let entries = fs::read_dir(directory).map_err(unreadable)?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(unreadable)?;
    paths.sort();
    Ok(visible(paths, hidden))
}

/// The visible ones of the entries of a directory. Hidden ones are passed to `hidden`, except an index of images.
pub(crate) fn visible(paths: Vec<PathBuf>, hidden: impl FnMut(&Path)) -> Vec<PathBuf> {
    let (hidden_paths, paths): (Vec<PathBuf>, _) = paths.into_iter().partition(|path| is_hidden(path));
    let hidden_paths = hidden_paths.iter().map(PathBuf::as_path);
    hidden_paths.filter(|path| !Index::is_index(&file_name(path))).for_each(hidden);
    paths
}

/// True for hidden entries, and for the directory that archives from macOS have beside their files.
pub(crate) fn is_hidden(path: &Path) -> bool {
    let name = file_name(path);
    name.starts_with('.') || name == "__MACOSX"
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "images".into(), |name| name.to_string_lossy().into_owned())
}
