use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;

use super::{Entry, File, digest::verify};
use crate::{Error, Result};

/// Maximum size of an archive member in bytes.
const LARGEST_MEMBER: u64 = 1 << 30;

/// True if all files of `entry` exist below `data`. Their contents are not checked.
pub fn is_installed(entry: &Entry, data: &Path) -> bool {
    let directory = data.join(&entry.directory);
    entry.files.iter().all(|file| products(file).iter().all(|name| directory.join(name).is_file()))
}

/// Installed names: the members of an archive, or the file itself.
fn products(file: &File) -> &[String] {
    if file.members.is_empty() { std::slice::from_ref(&file.name) } else { &file.members }
}

/// Verifies `source` against `file` and installs it into the directory of `entry` below `data`: the members of an
/// archive, any other file as it is. Only regular files with paths of the manifest are extracted. Each file appears
/// under its name once it is complete.
///
/// # Errors
///
/// [`Error::Malformed`] if `source` does not match the manifest or lacks a member; [`Error::Read`] and [`Error::Write`]
/// name the path that could not be read or written.
pub fn install(entry: &Entry, file: &File, source: &Path, data: &Path) -> Result<()> {
    verify(file, source)?;
    let directory = data.join(&entry.directory);
    let unwritable = |source| Error::Write { path: directory.clone(), source };
    fs::create_dir_all(&directory).map_err(unwritable)?;
    if file.members.is_empty() {
        let content = fs::File::open(source).map_err(|error| unreadable(source, error))?;
        return write(&directory.join(&file.name), content, file.size, source);
    }
    let missing = unpack(entry, file, source, &directory)?;
    if !missing.is_empty() {
        let message = format!("lacks {} in {}", missing.join(", "), entry.directory);
        return Err(Error::Malformed { path: source.to_owned(), message });
    }
    Ok(())
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Read { path: path.to_owned(), source }
}

/// Extracts the members and returns the missing ones.
fn unpack(entry: &Entry, file: &File, source: &Path, directory: &Path) -> Result<Vec<String>> {
    let unreadable = |error| unreadable(source, error);
    let content = fs::File::open(source).map_err(unreadable)?;
    let mut archive = tar::Archive::new(MultiGzDecoder::new(io::BufReader::new(content)));
    let mut missing = file.members.clone();
    for member in archive.entries().map_err(unreadable)? {
        let member = member.map_err(unreadable)?;
        let path = member.path().map_err(unreadable)?.into_owned();
        let wanted = missing.iter().position(|name| Path::new(&entry.directory).join(name) == path);
        let Some(wanted) = wanted.filter(|_| member.header().entry_type().is_file()) else { continue };
        let name = missing.swap_remove(wanted);
        if member.size() > LARGEST_MEMBER {
            let message = format!("{name} has {} bytes, more than {LARGEST_MEMBER}", member.size());
            return Err(Error::Malformed { path: source.to_owned(), message });
        }
        let size = member.size();
        write(&directory.join(name), member, size, source)?;
    }
    Ok(missing)
}

/// Writes `size` bytes of `content`, read from `source`, to a partial file and renames it to `path`.
fn write(path: &Path, content: impl Read, size: u64, source: &Path) -> Result<()> {
    let part = part_of(path);
    let written = copy(content, &part, size, source).and_then(|()| {
        fs::rename(&part, path).map_err(|source| Error::Write { path: path.to_owned(), source })
    });
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

fn copy(mut content: impl Read, part: &Path, size: u64, source: &Path) -> Result<()> {
    let unwritable = |source| Error::Write { path: part.to_owned(), source };
    let mut file = fs::File::create(part).map_err(unwritable)?;
    let (mut buffer, mut copied) = (vec![0; 1 << 16], 0);
    loop {
        let n = content.read(&mut buffer).map_err(|error| unreadable(source, error))?;
        if n == 0 {
            break;
        }
        file.write_all(&buffer[..n]).map_err(unwritable)?;
        copied += n as u64;
    }
    if copied != size {
        // The archive is truncated although its digests match the manifest.
        let message = format!("a member ends after {copied} of {size} bytes");
        return Err(Error::Malformed { path: source.to_owned(), message });
    }
    file.sync_all().map_err(unwritable)
}

/// The path of the partial file.
pub(super) fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}
