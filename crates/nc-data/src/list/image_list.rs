use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Component, Path, PathBuf},
};

use rayon::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::parse::{self, Entry, Fault, Label, Parsed};
use crate::{
    Error, Result,
    archive::is_archive,
    decode::Labelled,
    entries::entries,
    error::{first, first_lines},
    files::Files,
    names::is_printable,
    tree::Tree,
};

/// A parsed image list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageList {
    path: PathBuf,
    entries: Vec<Entry>,
    has_groups: bool,
    unused_columns: Vec<String>,
}

impl ImageList {
    /// Reads a list. A file that ends in `.csv` has the columns path, label and possibly group, with or without a header.
    /// In other files, the label follows the last space or tab of a line if it is a number, and a tab if it is a class
    /// name; empty lines are skipped.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the file cannot be read, [`Error::Malformed`] if it is empty or not UTF-8, or for all lines that are
    /// invalid or repeat an image.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].split(|&byte| byte == b'\n').count();
            let message = format!("line {line}: not UTF-8; save the file as UTF-8");
            Error::Malformed { path: path.to_owned(), message }
        })?;
        Self::parse(path, text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        // Editors on Windows begin a text with a byte-order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let is_csv = path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("csv"));
        let parsed = if is_csv { parse::csv(text) } else { parse::text(text) };
        let Parsed { entries, has_groups, unused_columns, mut faults } = parsed;
        let mut lines: HashMap<String, usize> = HashMap::new();
        for Entry { line, path: image, label, .. } in &entries {
            let mut fault = |message| faults.push(Fault { line: *line, message });
            // `./a.jpg` is `a.jpg`, and names in NFC and NFD are the same.
            let plain: PathBuf = image.components().filter(|part| *part != Component::CurDir).collect();
            let name = plain.to_string_lossy().nfc().collect();
            if let Some(before) = lines.get(&name) {
                fault(format!("duplicate image {}, also in line {before}", image.display()));
            } else {
                lines.insert(name, *line);
            }
            if let Label::Name(name) = label
                && !is_printable(name)
            {
                fault(format!("expected a class name without control characters, found {label}"));
            }
        }
        // One fault of each line.
        faults.sort();
        faults.dedup_by_key(|fault| fault.line);
        let message = match &faults[..] {
            [] if entries.is_empty() => "expected images, found none".into(),
            [] => return Ok(Self { path: path.to_owned(), entries, has_groups, unused_columns }),
            [fault] => fault.to_string(),
            faults => {
                let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
                format!("{} lines cannot be used:\n  {}", faults.len(), first_lines(&faults))
            }
        };
        Err(Error::Malformed { path: path.to_owned(), message })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The entries, in line order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Columns of a CSV list that are not used.
    pub fn unused_columns(&self) -> &[String] {
        &self.unused_columns
    }

    /// True if the first image is a file below `root`.
    pub(super) fn first_exists(&self, root: &Path) -> bool {
        let tree = Tree::default();
        self.entries.first().is_some_and(|entry| file(&tree, root, &entry.path).is_some())
    }

    /// The files below `root`.
    pub(super) fn existing(&self, root: &Path) -> Vec<PathBuf> {
        let tree = Tree::default();
        self.entries.par_iter().filter_map(|entry| file(&tree, root, &entry.path)).collect()
    }

    /// The entries without a file below `root` or in the archives there, in line order.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] and [`Error::Malformed`] for an archive that cannot be read. Archives are read if files are missing.
    pub fn missing(&self, root: &Path) -> Result<Vec<&Entry>> {
        let tree = tree_of(&[self], root)?;
        Ok(self.missing_in(&tree, root))
    }

    fn missing_in(&self, tree: &Tree, root: &Path) -> Vec<&Entry> {
        self.entries.par_iter().filter(|entry| file(tree, root, &entry.path).is_none()).collect()
    }

    /// The class names of a training list, in the order of labels: sorted, or the numbers from 0, each of which must have
    /// an image.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] names a number without images.
    pub fn class_names(&self) -> Result<Vec<String>> {
        let mut labels: Vec<&Label> = self.entries.iter().map(|entry| &entry.label).collect();
        labels.sort_unstable();
        labels.dedup();
        let name = |(class, label): (usize, &Label)| match label {
            Label::Name(name) => Ok(name.clone()),
            Label::Number(number) if *number as usize == class => Ok(number.to_string()),
            Label::Number(number) => {
                let message =
                    format!("has images of class {number} but none of class {class}; labels count from 0");
                Err(Error::Malformed { path: self.path.clone(), message })
            }
        };
        labels.into_iter().enumerate().map(name).collect()
    }

    /// The images, with labels that index `class_names`. Names of files may be composed otherwise than in the list. Paths
    /// without a file are added to `missing`.
    pub(super) fn files(
        &self,
        tree: &Tree,
        root: &Path,
        class_names: &[String],
        missing: &mut Vec<PathBuf>,
    ) -> Result<Files> {
        let found: Vec<Option<PathBuf>> =
            self.entries.par_iter().map(|entry| file(tree, root, &entry.path)).collect();
        let paths = self.entries.iter().zip(found).map(|(entry, found)| {
            found.unwrap_or_else(|| {
                let path = root.join(&entry.path);
                missing.push(path.clone());
                path
            })
        });
        let paths: Vec<PathBuf> = paths.collect();
        let labels = self.labels(class_names)?;
        let directory = |entry: &Entry| {
            entry.path.parent().map_or_else(String::new, |parent| parent.to_string_lossy().nfc().collect())
        };
        let column = |entry: &Entry| entry.group.clone().unwrap_or_default();
        Ok(Files {
            images: Labelled { paths, labels },
            directories: self.entries.iter().map(directory).collect(),
            column: self.has_groups.then(|| self.entries.iter().map(column).collect()),
        })
    }

    fn labels(&self, class_names: &[String]) -> Result<Vec<u32>> {
        let places: HashMap<&str, u32> =
            class_names.iter().zip(0..).map(|(name, label)| (name.as_str(), label)).collect();
        let place = |entry: &Entry| {
            let place = match &entry.label {
                Label::Number(number) => places.get(number.to_string().as_str()),
                Label::Name(name) => places.get(name.as_str()),
            };
            place.copied()
        };
        let labels: Vec<Option<u32>> = self.entries.iter().map(place).collect();
        let mut seen = HashSet::new();
        let unknown = self.entries.iter().zip(&labels);
        let unknown = unknown.filter(|(entry, label)| label.is_none() && seen.insert(&entry.label));
        let unknown: Vec<String> =
            unknown.map(|(entry, _)| format!("class {} (line {})", entry.label, entry.line)).collect();
        if !unknown.is_empty() {
            let message = format!("no training images of {}", first(&unknown));
            return Err(Error::Malformed { path: self.path.clone(), message });
        }
        Ok(labels.into_iter().flatten().collect())
    }
}

/// The files below `root`, with the archives there if an image of `lists` is not a file of its own.
pub(super) fn tree_of(lists: &[&ImageList], root: &Path) -> Result<Tree> {
    if !root.is_dir() {
        return Ok(Tree::new(root));
    }
    let is_readable = |path: &PathBuf| is_archive(path) && path.is_file();
    let archives: Vec<PathBuf> = entries(root, |_| ())?.into_iter().filter(is_readable).collect();
    let plain = Tree::new(root);
    if archives.is_empty() || lists.iter().all(|list| list.missing_in(&plain, root).is_empty()) {
        return Ok(plain);
    }
    Tree::with_archives(root, archives)
}

/// The file below `root`, whose name may be composed as in Unicode's NFC or decomposed as in NFD, whatever the list has.
/// Images of ImageNet may lie in [other places](imagenet_places).
fn file(tree: &Tree, root: &Path, path: &Path) -> Option<PathBuf> {
    if let Some(found) = tree.find(root, path) {
        return Some(found);
    }
    if let Some(places) = imagenet_places(path) {
        return places.iter().find_map(|place| tree.find(root, place));
    }
    let text = path.to_str().filter(|text| !text.is_ascii())?;
    let others: [String; 2] = [text.nfc().collect(), text.nfd().collect()];
    others.into_iter().find_map(|other| tree.find(root, other.as_ref()))
}

/// Other places of an image of ImageNet, whose file names are unique; none for other images. Validation images may lie beside the
/// directories of their classes instead of in them, as in the official archive, the directories of training images in the
/// root, and all below `ILSVRC/Data/CLS-LOC`, as in Kaggle's copy.
fn imagenet_places(path: &Path) -> Option<[PathBuf; 3]> {
    let (name, class) = (path.file_name()?.to_str()?, path.parent()?.file_name()?.to_str()?);
    let in_release = if name.starts_with("ILSVRC2012_val_") {
        path.parent()?.parent()?.join(name)
    } else if class.len() == 9 && class.starts_with('n') && name.starts_with(&format!("{class}_")) {
        Path::new(class).join(name)
    } else {
        return None;
    };
    let [listed, released] = [path, &in_release].map(|place| Path::new("ILSVRC/Data/CLS-LOC").join(place));
    Some([in_release, listed, released])
}
