//! Image folders with one directory per class.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use unicode_normalization::UnicodeNormalization;

use crate::{
    Error, Result, Source,
    error::first,
    images::{ImageOptions, Labelled, decode},
};

/// Names of the test directory, in order of preference.
const TEST: [&str; 4] = ["test", "val", "valid", "validation"];

/// Reads images (PNG, JPEG, WebP, BMP, TIFF, PNM) from `directory/train/CLASS/` and `directory/test/CLASS/` (or `val`, `valid`, `validation`;
/// the first that exists). Without `directory/train`, reads `directory/CLASS/` and has no test set. Subdirectories of a
/// class belong to it, except symlinks. [`Source::notes`] counts the skipped entries: files of other kinds, hidden
/// files and so on.
///
/// Labels follow the sorted names of the class directories. Images are grey if all files are, in colour otherwise;
/// transparency is dropped. Class names are normalised to Unicode's NFC, so that the same name from another file system
/// is the same class. `options` has the size and the EXIF orientation.
///
/// ```no_run
/// let options = nc_data::ImageOptions { size: Some((64, 64)), ..Default::default() };
/// let source = nc_data::folder::read_dir("my-photos".as_ref(), options)?;
/// println!("{:?}", source.train.class_counts());
/// # Ok::<(), nc_data::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Read`] and [`Error::Malformed`] name an unreadable directory or file, an invalid image, a class without
/// images or without training images, a single class that contains directories itself, directories beside `train` none
/// of which is a test directory, or a test directory without `train`. [`Error::ImageSizes`] names two images of
/// different size if `options.size` is `None`.
pub fn read_dir(directory: &Path, options: ImageOptions) -> Result<Source> {
    let Layout { names, train, test, notes, .. } = Layout::read(directory)?;
    let (train, test) = decode(train, test, &names, options)?;
    Ok(Source { notes, ..Source::new(file_name(directory), train, test) })
}

/// The image files of a folder.
pub(crate) struct Layout {
    /// Class names, in the order of labels.
    pub(crate) names: Vec<String>,
    pub(crate) train: Labelled,
    pub(crate) test: Labelled,
    /// Unused files and directories.
    pub(crate) notes: Vec<String>,
    pub(crate) has_test: bool,
}

impl Layout {
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let train_dir = directory.join("train");
        let mut notes = vec![];
        let (train_dir, test_dir) = if train_dir.is_dir() {
            (train_dir, test_directory(directory, &mut notes)?)
        } else {
            (directory.to_owned(), None)
        };
        let mut train_files = Files::default();
        let classes = class_directories(&train_dir, &mut train_files)?;
        let mut names: Vec<String> = classes.iter().map(|class| class_name(class)).collect();
        names.sort();
        names.dedup();
        if train_dir == directory {
            refuse_sets(directory, &names)?;
        }
        refuse_one_level_too_high(&train_dir, &classes)?;
        let train = labelled(&classes, &names, &mut train_files)?;
        notes.extend(train_files.notes(&train_dir));
        let test = match &test_dir {
            Some(test_dir) => {
                let mut files = Files::default();
                let test = labelled(&class_directories(test_dir, &mut files)?, &names, &mut files)?;
                notes.extend(files.notes(test_dir));
                test
            }
            None => Labelled::default(),
        };
        Ok(Self { names, train, test, notes, has_test: test_dir.is_some() })
    }
}

/// Counts of used and skipped files below a directory.
#[derive(Default)]
struct Files {
    used: usize,
    /// Number of used files in subdirectories of class directories.
    nested: usize,
    /// Number of skipped files by extension, and of other skipped entries by kind.
    unused: BTreeMap<String, usize>,
}

impl Files {
    fn skip(&mut self, path: &Path) {
        let kind = if file_name(path).starts_with('.') {
            "hidden".to_owned()
        } else if path.is_dir() {
            "symlinked directory".to_owned()
        } else {
            let ending =
                path.extension().map(|ending| format!(".{}", ending.to_string_lossy().to_lowercase()));
            ending.unwrap_or_else(|| "without extension".to_owned())
        };
        *self.unused.entry(kind).or_default() += 1;
    }

    fn notes(&self, directory: &Path) -> Vec<String> {
        let mut notes = vec![];
        let unused: usize = self.unused.values().sum();
        if unused > 0 {
            let kinds: Vec<String> =
                self.unused.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            let (directory, kinds) = (directory.display(), kinds.join(", "));
            let all = self.used + unused;
            notes.push(format!(
                "{directory}: skipped {unused} of {all} files ({kinds}); images are {ENDINGS}"
            ));
        }
        if self.used > 0 && self.nested == self.used {
            notes.push(format!(
                "{}: all images are in subdirectories of the class directories; if those are the classes, use the \
                 directory one level below",
                directory.display()
            ));
        }
        notes
    }
}

/// The test directory beside `train`, if any. An error if there are other directories but no test directory: one of
/// them may be a misnamed test set, or `train` may be a class.
fn test_directory(directory: &Path, notes: &mut Vec<String>) -> Result<Option<PathBuf>> {
    let (directories, files): (Vec<PathBuf>, Vec<PathBuf>) =
        entries(directory, |_| ())?.into_iter().partition(|path| path.is_dir());
    let found = TEST.iter().find_map(|name| directories.iter().find(|path| file_name(path) == *name));
    let others: Vec<String> =
        directories.iter().map(|path| file_name(path)).filter(|name| name != "train").collect();
    if found.is_none() && !others.is_empty() {
        let message = format!(
            "found {} beside train; name the test directory one of {}, or remove the others",
            others.join(", "),
            TEST.join(", ")
        );
        return Err(Error::Malformed { path: directory.to_owned(), message });
    }
    let used = |path: &PathBuf| Some(path) == found || file_name(path) == "train";
    let unused: Vec<String> =
        directories.iter().filter(|path| !used(path)).chain(&files).map(|path| file_name(path)).collect();
    if !unused.is_empty() {
        notes.push(format!("{}: not used: {}", directory.display(), first(&unused)));
    }
    Ok(found.cloned())
}

/// Refuses a single class that contains directories itself: the path is probably one level too high.
fn refuse_one_level_too_high(directory: &Path, classes: &[PathBuf]) -> Result<()> {
    let [class] = classes else { return Ok(()) };
    let below = entries(class, |_| ())?.into_iter().filter(|path| path.is_dir()).count();
    if below < 2 {
        return Ok(());
    }
    let message = format!(
        "has the single class {:?}, which has {below} directories itself; if those are the classes, name {}",
        file_name(class),
        class.display()
    );
    Err(Error::Malformed { path: directory.to_owned(), message })
}

/// Without `train`, refuses directories named like a split, which would be read as classes.
fn refuse_sets(directory: &Path, classes: &[String]) -> Result<()> {
    let is_set =
        |name: &&str| ["train", "training"].iter().chain(&TEST).any(|set| name.eq_ignore_ascii_case(set));
    let sets: Vec<&str> = classes.iter().map(String::as_str).filter(is_set).collect();
    if sets.is_empty() {
        return Ok(());
    }
    let message = format!(
        "found {} but no directory train; expected train and one of {}, or class directories only",
        sets.join(", "),
        TEST.join(", ")
    );
    Err(Error::Malformed { path: directory.to_owned(), message })
}

fn class_directories(directory: &Path, files: &mut Files) -> Result<Vec<PathBuf>> {
    let found = entries(directory, |hidden| files.skip(hidden))?;
    let (classes, others): (Vec<PathBuf>, Vec<PathBuf>) = found.into_iter().partition(|path| path.is_dir());
    for file in &others {
        files.skip(file);
    }
    if classes.is_empty() {
        let message = "expected one directory of images per class, found none".into();
        return Err(Error::Malformed { path: directory.to_owned(), message });
    }
    // Characters that act on a terminal, or reorder the text around them.
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let is_text =
        |class: &&PathBuf| class.file_name().and_then(OsStr::to_str).is_some_and(|name| !name.contains(acts));
    if let Some(class) = classes.iter().find(|class| !is_text(class)) {
        let message =
            format!("expected UTF-8 class names without control characters, found {:?}", file_name(class));
        return Err(Error::Malformed { path: directory.to_owned(), message });
    }
    Ok(classes)
}

/// The images of the class directories `classes`; a label is the index of the class name in `names`.
fn labelled(classes: &[PathBuf], names: &[String], files: &mut Files) -> Result<Labelled> {
    let mut all = Labelled::default();
    for directory in classes {
        let malformed = |message: &str| Error::Malformed { path: directory.clone(), message: message.into() };
        let name = class_name(directory);
        let label = names.iter().position(|class| *class == name);
        let label = label.ok_or_else(|| malformed("this class is not in the training set"))?;
        let before = all.paths.len();
        images(directory, &mut all.paths, files)?;
        if all.paths.len() == before {
            return Err(malformed(&format!("expected images ({ENDINGS}), found none")));
        }
        files.nested += all.paths[before..].iter().filter(|path| path.parent() != Some(directory)).count();
        all.labels.resize(all.paths.len(), label as u32);
    }
    files.used = all.paths.len();
    Ok(all)
}

/// Extensions of image files, in any case.
const IMAGES: [&str; 15] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "jif", "webp", "bmp", "tif", "tiff", "pnm", "pbm", "pgm", "ppm",
    "pam",
];
const ENDINGS: &str =
    ".png, .jpg, .jpeg, .jpe, .jfif, .jif, .webp, .bmp, .tif, .tiff, .pnm, .pbm, .pgm, .ppm, .pam";

/// True for a file whose extension is that of an image.
fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|ending| IMAGES.iter().any(|image| ending.eq_ignore_ascii_case(image)))
}

/// All images in `directory` and its subdirectories, sorted by path, and the number of files skipped.
///
/// # Errors
///
/// [`Error::Read`] for an unreadable directory.
pub fn image_files(directory: &Path) -> Result<(Vec<PathBuf>, usize)> {
    let (mut found, mut files) = (vec![], Files::default());
    images(directory, &mut found, &mut files)?;
    Ok((found, files.unused.values().sum()))
}

/// The name of a class directory in NFC.
fn class_name(directory: &Path) -> String {
    file_name(directory).nfc().collect()
}

fn images(directory: &Path, found: &mut Vec<PathBuf>, files: &mut Files) -> Result<()> {
    for path in entries(directory, |hidden| files.skip(hidden))? {
        // Symlinked directories can form cycles, which would count images repeatedly.
        if path.is_dir() && !path.is_symlink() {
            images(&path, found, files)?;
        } else if path.is_file() && is_image(&path) {
            found.push(path);
        } else {
            files.skip(&path);
        }
    }
    Ok(())
}

/// The visible entries of a directory, sorted by path. Hidden ones are passed to `hidden`.
fn entries(directory: &Path, hidden: impl FnMut(&Path)) -> Result<Vec<PathBuf>> {
    let unreadable = |source| Error::Read { path: directory.to_owned(), source };
    let entries = fs::read_dir(directory).map_err(unreadable)?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(unreadable)?;
    paths.sort();
    let (hidden_paths, paths): (Vec<PathBuf>, _) =
        paths.into_iter().partition(|path| file_name(path).starts_with('.'));
    hidden_paths.iter().map(PathBuf::as_path).for_each(hidden);
    Ok(paths)
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "images".into(), |name| name.to_string_lossy().into_owned())
}
