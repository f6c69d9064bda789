//! Image lists: text files with a line `path label` for each image, as ImageNet-LT and iNaturalist 2018 ship them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use crate::{
    Error, Result, Source,
    error::first,
    folder::file_name,
    images::{Labelled, decode},
};

/// The lines of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageList {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// One image of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its line, from 1.
    pub line: usize,
    /// Its file, relative to the images' directory.
    pub path: PathBuf,
    /// Its class, from 0.
    pub label: u32,
}

impl ImageList {
    /// Reads a list. The label is what follows the last space or tab of a line; empty lines are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if it cannot be read, [`Error::Malformed`] if it is empty, or names the line that is none.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
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
        Ok(Self { path: path.to_owned(), entries })
    }

    /// The images, in the order of their lines.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The images that have no file below `root`, in the order of their lines.
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

    /// The number of classes of a training list, in which each has an image.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] names a class that has none.
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

/// Reads the images that two lists in `directory` name, relative to it: of the `.txt` files there, that with "train" in
/// its name and that with "test" in its name, or else with "val"; without either there is no test set. [`Source::notes`] names the
/// other `.txt` files. For `size` and
/// colours see [`folder::read_dir`](crate::folder::read_dir).
///
/// ```no_run
/// let source = nc_data::list::read_dir("ImageNet_LT".as_ref(), Some((64, 64)))?;
/// assert_eq!(source.train.num_classes(), 1000);
/// # Ok::<(), nc_data::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`ImageList::read`] and of [`folder::read_dir`](crate::folder::read_dir); [`Error::Malformed`] if there is
/// no such list or more than one, or a class has no training image; [`Error::MissingFiles`] names images without file.
pub fn read_dir(directory: &Path, size: Option<(usize, usize)>) -> Result<Source> {
    let expected = |message: String| Error::Malformed { path: directory.to_owned(), message };
    let lists = text_files(directory)?;
    let train = find(directory, &lists, "train", None)?;
    let train = train.ok_or_else(|| expected("expected a list *train*.txt, found none".into()))?;
    // The training list's own name may hold these parts, too, as trainval.txt does.
    let test = match find(directory, &lists, "test", Some(&train))? {
        Some(list) => Some(list),
        None => find(directory, &lists, "val", Some(&train))?,
    };
    let unused = lists.iter().filter(|list| **list != train && Some(*list) != test.as_ref());
    let unused: Vec<String> = unused.map(|list| file_name(list)).collect();
    let note = || format!("{}: lists not used: {}", directory.display(), first(&unused));
    let notes = if unused.is_empty() { vec![] } else { vec![note()] };
    let train = ImageList::read(&train)?;
    let names: Vec<String> = (0..train.classes()?).map(|class| class.to_string()).collect();
    let test = match test {
        Some(test) => {
            let test = ImageList::read(&test)?;
            if let Some(entry) = test.entries.iter().find(|entry| entry.label as usize >= names.len()) {
                let message = format!(
                    "line {}: class {} is not among the {} of the training list",
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
    let (train, test) = decode(train.labelled(directory)?, test, &names, size)?;
    Ok(Source { notes, ..Source::new(file_name(directory), train, test) })
}

/// The `.txt` files in `directory`, by name.
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

/// The only one of `lists`, `other` apart, with `part` in its name.
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
