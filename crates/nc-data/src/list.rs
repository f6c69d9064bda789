//! Image lists: text files with one line `path label` per image, the format of ImageNet-LT and iNaturalist 2018.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use crate::{
    Error, Result, Source,
    error::first,
    folder::file_name,
    images::{ImageOptions, Labelled, decode},
};

/// A parsed image list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageList {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// One image of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Line number, from 1.
    pub line: usize,
    /// Image file, relative to the image directory.
    pub path: PathBuf,
    /// Class label, from 0.
    pub label: u32,
}

impl ImageList {
    /// Reads a list. The label follows the last space or tab of a line; empty lines are skipped.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the file cannot be read, [`Error::Malformed`] if it is empty, a line is invalid or an image appears twice.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        // Editors on Windows begin a text with a byte-order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
        let entries = lines.map(|(index, line)| {
            let parts = line.rsplit_once([' ', '\t']);
            let entry = parts.and_then(|(file, label)| Some((file.trim_end(), label.parse().ok()?)));
            let (file, label) = entry.ok_or_else(|| Error::Malformed {
                path: path.to_owned(),
                message: format!("line {}: expected \"path label\", found {line:?}", index + 1),
            })?;
            Ok(Entry { line: index + 1, path: file.into(), label })
        });
        let entries: Vec<Entry> = entries.collect::<Result<_>>()?;
        if entries.is_empty() {
            let message = "expected images, found none".into();
            return Err(Error::Malformed { path: path.to_owned(), message });
        }
        let mut lines: HashMap<&Path, usize> = HashMap::new();
        for Entry { line, path: image, .. } in &entries {
            if let Some(before) = lines.insert(image, *line) {
                let message =
                    format!("line {line}: duplicate image {}, also in line {before}", image.display());
                return Err(Error::Malformed { path: path.to_owned(), message });
            }
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    /// The entries, in line order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries without a file below `root`, in line order.
    pub fn missing(&self, root: &Path) -> Vec<&Entry> {
        self.entries.par_iter().filter(|entry| !root.join(&entry.path).is_file()).collect()
    }

    fn labelled(&self, root: &Path) -> Result<Labelled> {
        let missing = self.missing(root);
        if !missing.is_empty() {
            let missing = missing.iter().map(|entry| entry.path.display().to_string()).collect();
            return Err(Error::MissingFiles { directory: root.to_owned(), missing });
        }
        Ok(Labelled {
            paths: self.entries.iter().map(|entry| root.join(&entry.path)).collect(),
            labels: self.entries.iter().map(|entry| entry.label).collect(),
        })
    }

    /// The number of classes of a training list, in which every class must have an image.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] names a class without images.
    pub fn classes(&self) -> Result<usize> {
        let mut labels: Vec<u32> = self.entries.iter().map(|entry| entry.label).collect();
        labels.sort_unstable();
        labels.dedup();
        let gap = labels.iter().enumerate().find(|&(class, &label)| label as usize != class);
        if let Some((class, &label)) = gap {
            let message = format!("has images of class {label} but none of class {class}");
            return Err(Error::Malformed { path: self.path.clone(), message });
        }
        Ok(labels.len())
    }
}

/// Reads the images of a training and a test list in `directory`, with paths relative to it. The training list is the
/// `.txt` file with "train" in its name; the test list has "test" in its name, or else "val", and is optional.
/// [`Source::notes`] names unused `.txt` files. For colours see [`folder::read_dir`](crate::folder::read_dir).
///
/// ```no_run
/// let options = nc_data::ImageOptions { size: Some((64, 64)), exif_orientation: false };
/// let source = nc_data::list::read_dir("ImageNet_LT".as_ref(), options)?;
/// assert_eq!(source.train.num_classes(), 1000);
/// # Ok::<(), nc_data::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`ImageList::read`] and [`folder::read_dir`](crate::folder::read_dir); [`Error::Malformed`] for no training
/// list, several candidates for either list, or a class without training images; [`Error::MissingFiles`] with the
/// missing images.
pub fn read_dir(directory: &Path, options: ImageOptions) -> Result<Source> {
    let expected = |message: String| Error::Malformed { path: directory.to_owned(), message };
    let lists = text_files(directory)?;
    let train = find(directory, &lists, "train", None)?;
    let train = train.ok_or_else(|| expected("expected a list *train*.txt, found none".into()))?;
    // The training list itself may match, as trainval.txt does.
    let test = match find(directory, &lists, "test", Some(&train))? {
        Some(list) => Some(list),
        None => find(directory, &lists, "val", Some(&train))?,
    };
    let unused = lists.iter().filter(|list| **list != train && Some(*list) != test.as_ref());
    let unused: Vec<String> = unused.map(|list| file_name(list)).collect();
    let note = || format!("{}: unused lists: {}", directory.display(), first(&unused));
    let mut notes = if unused.is_empty() { vec![] } else { vec![note()] };
    if test.is_none() {
        notes.push(format!("{}: no test list *test*.txt or *val*.txt", directory.display()));
    }
    let train = ImageList::read(&train)?;
    let names: Vec<String> = (0..train.classes()?).map(|class| class.to_string()).collect();
    let test = match test {
        Some(test) => {
            let test = ImageList::read(&test)?;
            if let Some(entry) = test.entries.iter().find(|entry| entry.label as usize >= names.len()) {
                let message = format!(
                    "line {}: class {} is not one of the {} training classes",
                    entry.line,
                    entry.label,
                    names.len()
                );
                return Err(Error::Malformed { path: test.path, message });
            }
            test.labelled(directory)?
        }
        None => Labelled::default(),
    };
    let (train, test) = decode(train.labelled(directory)?, test, &names, options)?;
    Ok(Source { notes, ..Source::new(file_name(directory), train, test) })
}

/// The `.txt` files in `directory`, sorted by name.
fn text_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |source| Error::Read { path: directory.to_owned(), source };
    let mut files = vec![];
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("txt")) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The only list with `part` in its name, except `other`.
fn find(directory: &Path, lists: &[PathBuf], part: &str, other: Option<&PathBuf>) -> Result<Option<PathBuf>> {
    let is_found = |path: &&PathBuf| Some(*path) != other && file_name(path).to_lowercase().contains(part);
    let found: Vec<&PathBuf> = lists.iter().filter(is_found).collect();
    if found.len() > 1 {
        let names: Vec<String> = found.iter().map(|path| file_name(path)).collect();
        let message = format!("expected one list *{part}*.txt, found {}", names.join(", "));
        return Err(Error::Malformed { path: directory.to_owned(), message });
    }
    Ok(found.first().copied().cloned())
}
