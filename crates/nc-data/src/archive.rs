//! Files in tar archives, read in place.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    ops::Range,
    path::{Component, Path, PathBuf},
};

use tar::EntryType;

use crate::{Error, Result};

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The path of the archive, then the path in it; an archive in the archive counts as a directory.
    pub(crate) path: PathBuf,
    /// First byte, from the start of the outer archive.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) length: u64,
}

/// True for a file name of an archive.
pub(crate) fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("tar"))
}

/// The files of an archive and of the archives in it, sorted by path. Reads headers only. Links and other special entries
/// are omitted. If all paths start with a directory named like the archive, as in `photos.tar` made from `photos`, that
/// directory is omitted.
///
/// # Errors
///
/// [`Error::Read`] if the archive cannot be read, [`Error::Malformed`] if it is not an archive, compressed or cut off.
pub(crate) fn scan(archive: &Path) -> Result<Vec<Part>> {
    let read = |source| Error::Read { path: archive.to_owned(), source };
    let mut file = File::open(archive).map_err(read)?;
    let mut magic = [0; 2];
    let found = file.read(&mut magic).map_err(read)?;
    if magic[..found] == [0x1f, 0x8b] {
        return Err(malformed(
            archive,
            "compressed with gzip; decompress it, because images are read in place",
        ));
    }
    let length = file.metadata().map_err(read)?.len();
    let mut parts = vec![];
    list(archive, &mut BufReader::with_capacity(4096, file), 0..length, false, &mut parts)?;
    if parts.is_empty() {
        return Err(malformed(archive, "expected an archive of images, found no files"));
    }
    // Of entries with the same path, the last one counts, as in `tar --append`. The sort is stable.
    parts.sort_by(|one, other| one.path.cmp(&other.path));
    parts.reverse();
    parts.dedup_by(|earlier, later| earlier.path == later.path);
    parts.reverse();
    let stem = archive.with_extension("");
    let top = archive.join(stem.file_name().unwrap_or_default());
    if parts.iter().all(|part| part.path != top && part.path.starts_with(&top)) {
        for part in &mut parts {
            if let Ok(below) = part.path.strip_prefix(&top) {
                part.path = archive.join(below);
            }
        }
    }
    Ok(parts)
}

/// Adds the files of the archive in the bytes `range` of `file`, named `path`; an `inner` archive contains no others.
fn list(
    path: &Path,
    file: &mut BufReader<File>,
    range: Range<u64>,
    inner: bool,
    parts: &mut Vec<Part>,
) -> Result<()> {
    let broken = |error: io::Error| malformed(path, format!("not a tar archive, or damaged: {error}"));
    let mut window = Window { file, range: range.clone(), position: 0 };
    window.rewind().map_err(broken)?;
    let (mut archive, mut archives) = (tar::Archive::new(window), vec![]);
    for entry in archive.entries_with_seek().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?;
        let kind = entry.header().entry_type();
        let refuse = |reason: &str| malformed(path, format!("{}: {reason}", name.display()));
        if kind == EntryType::GNUSparse {
            return Err(refuse("sparse files cannot be read in place; create the archive without --sparse"));
        }
        if !kind.is_file() && kind != EntryType::Continuous {
            continue;
        }
        let (offset, length) = (range.start.saturating_add(entry.raw_file_position()), entry.size());
        if offset.checked_add(length).is_none_or(|end| end > range.end) {
            return Err(refuse("the archive is cut off within this file"));
        }
        let mut whole = path.to_owned();
        for component in name.components() {
            match component {
                Component::Normal(name) => whole.push(name),
                Component::ParentDir => return Err(refuse("expected a path without ..")),
                _ => {}
            }
        }
        if whole == path {
            return Err(refuse("expected the path of a file"));
        }
        let list = if is_archive(&whole) && !inner { &mut archives } else { &mut *parts };
        list.push(Part { path: whole, offset, length });
    }
    for Part { path, offset, length } in archives {
        list(&path, file, offset..offset + length, true, parts)?;
    }
    Ok(())
}

fn malformed(path: &Path, message: impl Into<String>) -> Error {
    Error::Malformed { path: path.to_owned(), message: message.into() }
}

/// A range of bytes of a file as a file of its own.
struct Window<'a> {
    file: &'a mut BufReader<File>,
    range: Range<u64>,
    /// From the start of the range.
    position: u64,
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = (self.range.end - self.range.start).saturating_sub(self.position);
        let read = self.file.by_ref().take(left).read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => (self.range.end - self.range.start).checked_add_signed(by),
        };
        let place = position.and_then(|position| Some((position, self.range.start.checked_add(position)?)));
        let (position, place) = place.ok_or(io::ErrorKind::InvalidInput)?;
        self.file.seek(SeekFrom::Start(place))?;
        self.position = position;
        Ok(position)
    }
}
