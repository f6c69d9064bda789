//! Files below a directory, with tar archives as directories.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    Error, Result,
    archive::{Part, is_archive, scan},
    entries,
    index::{Index, Stamp},
};

/// Files below `root` and in the archives there. The path of a file in an archive begins with that of the archive. The
/// default has no archives.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    root: PathBuf,
    archives: Vec<Archive>,
    /// The index of `root`, if there are archives.
    pub(crate) index: Option<Index>,
    pub(crate) notes: Vec<String>,
}

#[derive(Debug)]
struct Archive {
    path: Arc<Path>,
    /// Sorted by path, so that the files of a directory are consecutive.
    parts: Vec<Part>,
}

/// Where the bytes of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a file of their own.
    Loose,
    /// In an archive.
    Archived { archive: Arc<Path>, offset: u64, length: u64 },
}

impl Tree {
    /// The files of the directory `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), ..Self::default() }
    }

    /// The files of `root`, itself one of `archives` or a directory of them. Archives that have not changed since the index
    /// was written are not read.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] and [`Error::Malformed`] for an unusable archive.
    pub(crate) fn with_archives(root: &Path, archives: Vec<PathBuf>) -> Result<Self> {
        let (mut index, note) = Index::read(root);
        let archives = archives.into_iter().map(|path| Archive::open(root, path, &mut index));
        let archives = archives.collect::<Result<_>>()?;
        Ok(Self { root: root.to_owned(), archives, index: Some(index), notes: Vec::from_iter(note) })
    }

    /// The directory or archive.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The files in archives at or below `path`.
    fn below(&self, path: &Path) -> &[Part] {
        let Some(Archive { parts, .. }) = self.archives.iter().find(|one| path.starts_with(&one.path)) else {
            return &[];
        };
        let start = parts.partition_point(|part| part.path.as_path() < path);
        let count = parts[start..].partition_point(|part| part.path.starts_with(path));
        &parts[start..start + count]
    }

    /// True for directories, and for archives.
    pub(crate) fn is_dir(&self, path: &Path) -> bool {
        path.is_dir() || self.below(path).iter().any(|part| part.path != path)
    }

    /// True for files that are not archives of this tree.
    pub(crate) fn is_file(&self, path: &Path) -> bool {
        match self.below(path) {
            [] => path.is_file(),
            [first, ..] => first.path == path,
        }
    }

    /// The visible entries of a directory or archive, sorted by path. Hidden ones are passed to `hidden`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] for an unreadable directory.
    pub(crate) fn entries(&self, directory: &Path, hidden: impl FnMut(&Path)) -> Result<Vec<PathBuf>> {
        let below = self.below(directory);
        if below.is_empty() {
            return entries::entries(directory, hidden);
        }
        let depth = directory.components().count() + 1;
        let child = |part: &Part| part.path.components().take(depth).collect::<PathBuf>();
        let children: BTreeSet<PathBuf> = below.iter().map(child).collect();
        Ok(entries::visible(children.into_iter().collect(), hidden))
    }

    /// The name of a file, directory or archive, the last without its ending.
    pub(crate) fn name(&self, path: &Path) -> String {
        if is_archive(path) && self.is_dir(path) && !path.is_dir() {
            return entries::file_name(&path.with_extension(""));
        }
        entries::file_name(path)
    }

    /// The directory `name` in `directory`, or the archive of that name.
    pub(crate) fn child_dir(&self, directory: &Path, name: &str) -> Option<PathBuf> {
        let paths = [directory.join(name), directory.join(format!("{name}.tar"))];
        paths.into_iter().find(|path| self.is_dir(path))
    }

    /// The file `path` below `directory`, where the name of an archive may lack its ending.
    pub(crate) fn find(&self, directory: &Path, path: &Path) -> Option<PathBuf> {
        let whole = directory.join(path);
        if self.archives.is_empty() || whole.is_file() {
            return whole.is_file().then_some(whole);
        }
        let mut found = directory.to_owned();
        for name in path.parent()?.components() {
            let next = found.join(name);
            found = if self.is_dir(&next) {
                next
            } else {
                let mut archive = next.into_os_string();
                archive.push(".tar");
                Some(PathBuf::from(archive)).filter(|path| self.is_dir(path))?
            };
        }
        Some(found.join(path.file_name()?)).filter(|path| self.is_file(path))
    }

    /// Where the bytes of the file `path` are.
    pub(crate) fn place(&self, path: &Path) -> Place {
        let archive = self.archives.iter().find(|archive| path.starts_with(&archive.path));
        match (archive, self.below(path)) {
            (Some(archive), [part, ..]) if part.path == path => {
                let &Part { offset, length, .. } = part;
                Place::Archived { archive: Arc::clone(&archive.path), offset, length }
            }
            _ => Place::Loose,
        }
    }

    /// The bytes of the file `path`.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::read`].
    pub(crate) fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let mut reader = Reader::default();
        reader.read(path, &self.place(path), u64::MAX)?;
        Ok(reader.bytes)
    }

    /// At most `most` bytes from the beginning of the file `path`, and its length.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::read`].
    pub(crate) fn beginning(&self, path: &Path, most: usize) -> Result<(Vec<u8>, u64)> {
        let (mut reader, place) = (Reader::default(), self.place(path));
        reader.read(path, &place, most as u64)?;
        let length = match place {
            Place::Archived { length, .. } => length,
            Place::Loose => {
                let file =
                    fs::metadata(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
                file.len()
            }
        };
        Ok((reader.bytes, length))
    }
}

impl Archive {
    /// Opens the archive `path` of `root`, from the index if it has not changed.
    fn open(root: &Path, path: PathBuf, index: &mut Index) -> Result<Self> {
        let key = Index::key(root, &path);
        let stamp = Stamp::of(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        if let Some(listed) = key.as_deref().and_then(|key| index.archive(key, stamp)) {
            let part = |(below, Stamp { length, place: offset }): &(String, Stamp)| Part {
                path: path.join(below),
                offset: *offset,
                length: *length,
            };
            let mut parts: Vec<Part> = listed.iter().map(part).collect();
            parts.sort_by(|one, other| one.path.cmp(&other.path));
            return Ok(Self { path: path.into(), parts });
        }
        let parts = scan(&path)?;
        let listed = |part: &Part| {
            let stamp = Stamp { length: part.length, place: part.offset };
            Some((Index::key(&path, &part.path)?, stamp))
        };
        // An archive with other names than in UTF-8 is read again each time.
        if let (Some(key), Some(listed)) = (key, parts.iter().map(listed).collect()) {
            index.set_archive(&key, stamp, listed);
        }
        Ok(Self { path: path.into(), parts })
    }
}

/// Reads files one after another. Keeps the last archive open.
#[derive(Default)]
pub(crate) struct Reader {
    archive: Option<(Arc<Path>, File)>,
    bytes: Vec<u8>,
}

impl Reader {
    /// At most `most` bytes from the beginning of the file `path`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the file or its archive cannot be read, [`Error::Malformed`] if the archive became shorter.
    pub(crate) fn read(&mut self, path: &Path, place: &Place, most: u64) -> Result<&mut [u8]> {
        self.bytes.clear();
        match place {
            Place::Loose => {
                let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut self.bytes));
                read.map_err(|source| Error::Read { path: path.to_owned(), source })?;
            }
            Place::Archived { archive, offset, length } => {
                let wanted = most.min(*length);
                let read = self.read_archived(archive, *offset, wanted);
                let read = read.map_err(|source| Error::Read { path: archive.to_path_buf(), source })?;
                if read as u64 != wanted {
                    let message =
                        format!("expected {wanted} bytes in the archive, found {read}; start again");
                    return Err(Error::Malformed { path: path.to_owned(), message });
                }
            }
        }
        Ok(&mut self.bytes)
    }

    fn read_archived(&mut self, archive: &Arc<Path>, offset: u64, length: u64) -> std::io::Result<usize> {
        let mut file = match self.archive.take() {
            Some((path, file)) if path == *archive => file,
            _ => File::open(archive)?,
        };
        file.seek(SeekFrom::Start(offset))?;
        let read = file.by_ref().take(length).read_to_end(&mut self.bytes)?;
        self.archive = Some((Arc::clone(archive), file));
        Ok(read)
    }
}
