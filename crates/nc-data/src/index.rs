//! The index of a directory of images: digests of image files and contents of archives, kept between runs.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use csv::{ReaderBuilder, StringRecord, WriterBuilder};

use crate::{Error, Result, hex::hex, hold_out::Digest256};

/// Ending of the names of index files.
const ENDING: &str = ".nclt-index";
/// First record: the format and its version.
const VERSION: [&str; 2] = ["nclt-index", "1"];

/// Identifies the content of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Length in bytes.
    pub(crate) length: u64,
    /// Time of the last change in nanoseconds since 1970, or the offset of a file in an archive.
    pub(crate) place: u64,
}

impl Stamp {
    /// The stamp of the file at `path`.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let file = fs::metadata(path)?;
        let modified = file.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { length: file.len(), place: u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX) })
    }
}

/// Facts of an image file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// SHA-256 of the bytes of the file.
    pub(crate) digest: Digest256,
    /// Whether the image has no colour.
    pub(crate) grey: bool,
}

/// A file in an archive: its path below the archive, and its offset and length in bytes.
pub(crate) type Listed = (String, Stamp);

/// The index. Paths are relative to the directory, with `/` between names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// Whether there is something new since the index was read.
    pub(crate) changed: bool,
    archives: BTreeMap<String, (Stamp, Vec<Listed>)>,
    images: BTreeMap<String, (Stamp, Facts)>,
}

impl Index {
    /// The index file of `root`, a directory or an archive: in the directory, or beside the archive.
    pub(crate) fn path(root: &Path) -> PathBuf {
        if root.is_dir() {
            return root.join(ENDING);
        }
        let name = root.file_name().unwrap_or_default().to_string_lossy();
        root.with_file_name(format!(".{name}{ENDING}"))
    }

    /// True for the name of an index file.
    pub(crate) fn is_index(name: &str) -> bool {
        name.starts_with('.') && name.ends_with(ENDING)
    }

    /// The path of a file in an index; `None` if it is not below `root` or not UTF-8, and so not indexed.
    pub(crate) fn key(root: &Path, path: &Path) -> Option<String> {
        let below = path.strip_prefix(root).ok()?;
        let names: Option<Vec<&str>> = below.iter().map(|name| name.to_str()).collect();
        names.map(|names| names.join("/"))
    }

    /// Reads the index of `root`, empty if there is none or it is damaged. The text is a note on a damaged one.
    pub(crate) fn read(root: &Path) -> (Self, Option<String>) {
        let path = Self::path(root);
        let reason = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default().into(),
            Err(error) => error.to_string(),
            Ok(bytes) => match Self::parse(&bytes) {
                Ok(index) => return index.into(),
                Err(reason) => reason,
            },
        };
        (Self::default(), Some(format!("{}: not used and created again: {reason}", path.display())))
    }

    fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
        let mut records = reader.records();
        let first = records.next().transpose().map_err(|error| error.to_string())?.unwrap_or_default();
        if first != VERSION[..] {
            let found = first.iter().collect::<Vec<_>>().join(",");
            return Err(format!("expected {:?} in line 1, found {found:?}", VERSION.join(",")));
        }
        let mut index = Self::default();
        let mut archive = None;
        for record in records {
            let record = record.map_err(|error| error.to_string())?;
            let line = record.position().map_or(0, csv::Position::line);
            index.add(&record, &mut archive).ok_or_else(|| format!("line {line} is damaged"))?;
        }
        Ok(index)
    }

    /// Adds a record; `None` if it is invalid. The files of an archive follow it.
    fn add(&mut self, record: &StringRecord, archive: &mut Option<String>) -> Option<()> {
        let fields: Vec<&str> = record.iter().collect();
        let (&[kind, path, length, place], rest) = fields.split_first_chunk()?;
        let stamp = Stamp { length: length.parse().ok()?, place: place.parse().ok()? };
        match (kind, rest) {
            ("archive", []) => {
                self.archives.insert(path.to_owned(), (stamp, vec![]));
                *archive = Some(path.to_owned());
            }
            ("part", []) => {
                let (of_archive, listed) = self.archives.get_mut(archive.as_ref()?)?;
                let is_safe = path.split('/').all(|name| !["", ".", ".."].contains(&name));
                if !is_safe || stamp.place.checked_add(stamp.length)? > of_archive.length {
                    return None;
                }
                listed.push((path.to_owned(), stamp));
            }
            ("image", &[digest, channels]) => {
                let grey = match channels {
                    "1" => true,
                    "3" => false,
                    _ => return None,
                };
                self.images.insert(path.to_owned(), (stamp, Facts { digest: from_hex(digest)?, grey }));
            }
            _ => return None,
        }
        Some(())
    }

    /// The files of the archive `key`, if it has not changed.
    pub(crate) fn archive(&self, key: &str, stamp: Stamp) -> Option<&[Listed]> {
        self.archives.get(key).filter(|(known, _)| *known == stamp).map(|(_, listed)| &listed[..])
    }

    /// Sets the files of the archive `key`, and forgets images of an earlier archive of the name.
    pub(crate) fn set_archive(&mut self, key: &str, stamp: Stamp, listed: Vec<Listed>) {
        let within =
            |image: &str| key.is_empty() || image.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'));
        self.changed = true;
        self.images.retain(|image, _| !within(image));
        self.archives.insert(key.to_owned(), (stamp, listed));
    }

    /// The facts of the image `key`, if it has not changed.
    pub(crate) fn image(&self, key: &str, stamp: Stamp) -> Option<Facts> {
        self.images.get(key).filter(|(known, _)| *known == stamp).map(|(_, facts)| *facts)
    }

    /// Sets the facts of the image `key`.
    pub(crate) fn set_image(&mut self, key: String, stamp: Stamp, facts: Facts) {
        self.changed = true;
        self.images.insert(key, (stamp, facts));
    }

    /// Writes the index of `root`, replacing an earlier one in one step.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub(crate) fn write(&self, root: &Path) -> Result<()> {
        let path = Self::path(root);
        let mut temporary = path.clone().into_os_string();
        temporary.push(format!(".{}", std::process::id()));
        let written = self.write_to(Path::new(&temporary)).and_then(|()| fs::rename(&temporary, &path));
        written.map_err(|source| {
            // The temporary file may not exist.
            let _ = fs::remove_file(&temporary);
            Error::Write { path, source }
        })
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        let mut writer = WriterBuilder::new().flexible(true).from_path(path)?;
        writer.write_record(VERSION)?;
        let row = |kind: &str, path: &str, stamp: &Stamp| {
            [kind.to_owned(), path.to_owned(), stamp.length.to_string(), stamp.place.to_string()]
        };
        for (path, (stamp, listed)) in &self.archives {
            writer.write_record(row("archive", path, stamp))?;
            for (path, stamp) in listed {
                writer.write_record(row("part", path, stamp))?;
            }
        }
        for (path, (stamp, Facts { digest, grey })) in &self.images {
            let channels = if *grey { "1" } else { "3" };
            writer
                .write_record(row("image", path, stamp).into_iter().chain([hex(digest), channels.into()]))?;
        }
        writer.flush()
    }
}

/// An index without a note.
impl From<Index> for (Index, Option<String>) {
    fn from(index: Index) -> Self {
        (index, None)
    }
}

fn from_hex(text: &str) -> Option<Digest256> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    (digits.len() == 64).then(|| bytes.try_into().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Index {
        let mut index = Index::default();
        let stamp = |length, place| Stamp { length, place };
        let listed =
            vec![("ant/ä,\"1\".jpg".to_owned(), stamp(7, 512)), ("bee/1.jpg".to_owned(), stamp(9, 1536))];
        index.set_archive("train.tar", stamp(4096, 3), listed);
        index.set_image(
            "train.tar/bee/1.jpg".into(),
            stamp(9, 1536),
            Facts { digest: [0xa7; 32], grey: true },
        );
        index.set_image("a\nb.png".into(), stamp(5, 77), Facts { digest: [1; 32], grey: false });
        index
    }

    #[test]
    fn a_written_index_is_read_back() {
        let root = tempfile::tempdir().unwrap();
        let index = example();
        index.write(root.path()).unwrap();
        let (read, note) = Index::read(root.path());
        assert_eq!((read.archives, read.images, note), (index.archives, index.images, None));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "no temporary file remains");
    }

    #[test]
    fn changed_files_are_not_in_the_index() {
        let mut index = example();
        let stamp = Stamp { length: 9, place: 1536 };
        assert!(index.image("train.tar/bee/1.jpg", stamp).is_some());
        assert_eq!(index.image("train.tar/bee/1.jpg", Stamp { length: 8, ..stamp }), None);
        assert_eq!(index.image("train.tar/bee/1.jpg", Stamp { place: 1, ..stamp }), None);
        assert_eq!(index.archive("train.tar", Stamp { length: 4096, place: 4 }), None);
        // The same offsets in another archive are other images.
        index.set_archive("train.tar", Stamp { length: 4096, place: 4 }, vec![]);
        assert_eq!(index.image("train.tar/bee/1.jpg", stamp), None);
        assert!(index.image("a\nb.png", Stamp { length: 5, place: 77 }).is_some());
    }

    #[test]
    fn a_damaged_index_is_refused_with_its_line() {
        let digest = hex(&[7; 32]);
        for (text, reason) in [
            (String::new(), "expected \"nclt-index,1\" in line 1, found \"\""),
            ("nclt-index,2\n".into(), "found \"nclt-index,2\""),
            ("nclt-index,1\nimage,a.png,5,1\n".into(), "line 2 is damaged"),
            (format!("nclt-index,1\nimage,a.png,5,1,{digest}0,3\n"), "line 2 is damaged"),
            (format!("nclt-index,1\nimage,a.png,5,1,{digest},2\n"), "line 2 is damaged"),
            ("nclt-index,1\npart,a.png,5,1\n".into(), "line 2 is damaged"),
            ("nclt-index,1\narchive,a.tar,9,1\npart,a.png,5,5\n".into(), "line 3 is damaged"),
            (format!("nclt-index,1\narchive,a.tar,9,1\npart,a.png,5,{}\n", u64::MAX), "line 3 is damaged"),
            ("nclt-index,1\narchive,a.tar,9,1\npart,../a.png,1,5\n".into(), "line 3 is damaged"),
        ] {
            let error = Index::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
        let whole = format!("nclt-index,1\narchive,a.tar,9,1\npart,a.png,4,5\nimage,a.png,5,1,{digest},3\n");
        assert!(Index::parse(whole.as_bytes()).is_ok());
    }
}
