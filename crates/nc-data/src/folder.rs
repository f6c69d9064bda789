//! Image folders with one directory per class.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use unicode_normalization::UnicodeNormalization;

use crate::{
    Error, ImageFiles, Result, Source,
    archive::is_archive,
    entries::{entries, file_name},
    error::first,
    files::Files,
    images::ImageOptions,
    list,
    names::is_printable,
    tree::Tree,
    walk::{Tally, images},
};

pub use crate::walk::image_files;

const TEST: &str = "test";

/// Names of the validation directory, in order of preference.
const VALIDATION: [&str; 3] = ["val", "valid", "validation"];

/// All names of directories beside `train`, for messages.
const BESIDE: &str = "test, val, valid, validation";

/// Reads images (PNG, JPEG, WebP, BMP, TIFF, PNM) from `directory/train/CLASS/`, `directory/val/CLASS/` and
/// `directory/test/CLASS/`. The validation directory may also be named `valid` or `validation`; without `directory/test`
/// it is the test set. Without `directory/train`, reads `directory/CLASS/` and has no test set. Subdirectories of a class
/// belong to it. A class directory may be a symlink; symlinks to directories below it are skipped. [`Source::notes`] counts
/// the skipped entries: files of other kinds, hidden files and so on.
///
/// Archives take the place of directories: `directory` may be a `.tar` file, or have `train.tar` in place of `train`, and
/// `val.tar` and `test.tar` beside it. They hold class directories, or an archive `CLASS.tar` of each class as that of
/// ImageNet does. They are read in place; compressed ones are refused. If paths in an archive start with its own name, as in
/// `train.tar` made from `train`, that directory is ignored.
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
/// Those of [`find`] and [`ImageFiles::decode`].
pub fn read_dir(directory: &Path, options: ImageOptions) -> Result<Source> {
    find(directory)?.decode(options, &mut ())
}

/// Finds the images that [`read_dir`] reads.
///
/// # Errors
///
/// [`Error::Read`] and [`Error::Malformed`] name an unreadable directory of a set, a file that is not an archive, a single
/// class that contains directories itself, directories beside `train` none of which is a test or validation directory, or such
/// directories without `train`. Class directories that are unreadable or have no images, and classes without training images,
/// are errors of decoding, [`Error::Classes`].
pub fn find(directory: &Path) -> Result<ImageFiles> {
    let mut tree = archives(directory)?;
    let mut notes = Vec::from_iter(list::unused_note(directory));
    notes.append(&mut tree.notes);
    let (train_dir, sets) = match tree.child_dir(directory, "train") {
        Some(train_dir) => (train_dir, Sets::beside_train(&tree, directory, &mut notes)?),
        None => (directory.to_owned(), Sets::default()),
    };
    let mut tally = Tally::default();
    let classes = class_directories(&tree, &train_dir, &mut tally)?;
    if train_dir == directory {
        refuse_sets(directory, &classes)?;
    }
    refuse_one_level_too_high(&tree, &train_dir, &classes)?;
    let mut faults = vec![];
    let classes = ClassImages::all(&tree, classes, &mut tally, &mut faults);
    let mut class_names: Vec<String> = classes.iter().map(|class| class.name.clone()).collect();
    class_names.sort();
    class_names.dedup();
    let train = labelled(classes, &class_names, &mut faults);
    notes.extend(tally.notes(&train_dir));
    let is_nested = !train.directories.is_empty() && train.directories.iter().all(|below| !below.is_empty());
    let nested = is_nested.then(|| {
        format!(
            "{}: all images are in subdirectories of the class directories; if those are the classes, use the directory \
             one level below",
            train_dir.display()
        )
    });
    let mut read = |directory: Option<PathBuf>| -> Result<Option<Files>> {
        let Some(directory) = directory else { return Ok(None) };
        let mut tally = Tally::default();
        let classes = class_directories(&tree, &directory, &mut tally)?;
        let classes = ClassImages::all(&tree, classes, &mut tally, &mut faults);
        notes.extend(tally.notes(&directory));
        Ok(Some(labelled(classes, &class_names, &mut faults)))
    };
    let (validation, test) = (read(sets.validation)?, read(sets.test)?);
    let name = tree.name(directory);
    Ok(ImageFiles {
        name,
        class_names,
        train,
        validation,
        test,
        groups: None,
        nested,
        faults,
        missing: vec![],
        notes,
        tree,
    })
}

/// The files of `directory` with its archives: itself, or those named like sets if `train` is one of them.
fn archives(directory: &Path) -> Result<Tree> {
    if directory.is_file() && !is_archive(directory) {
        let message = "expected a directory or a .tar archive, found another file".into();
        return Err(Error::Malformed { path: directory.to_owned(), message });
    }
    if directory.is_file() {
        return Tree::with_archives(directory, vec![directory.to_owned()]);
    }
    let archive = |set: &&str| directory.join(format!("{set}.tar"));
    if directory.join("train").is_dir() || !archive(&"train").is_file() {
        return Ok(Tree::new(directory));
    }
    let names = ["train", TEST].into_iter().chain(VALIDATION);
    let is_set = |path: &PathBuf| names.clone().any(|name| file_name(path) == name);
    // Class directories beside an archive named train.tar are the images, as in earlier versions.
    if entries(directory, |_| ())?.iter().any(|path| path.is_dir() && !is_set(path)) {
        return Ok(Tree::new(directory));
    }
    let sets = names.filter(|set| archive(set).is_file() && !directory.join(set).is_dir());
    Tree::with_archives(directory, sets.map(|set| archive(&set)).collect())
}

/// Directories beside `train`.
#[derive(Default)]
struct Sets {
    validation: Option<PathBuf>,
    test: Option<PathBuf>,
}

impl Sets {
    /// An error if there are directories beside `train` but none for testing: one of them may be a misnamed test set, or
    /// `train` may be a class.
    fn beside_train(tree: &Tree, directory: &Path, notes: &mut Vec<String>) -> Result<Self> {
        let (directories, files): (Vec<PathBuf>, Vec<PathBuf>) =
            tree.entries(directory, |_| ())?.into_iter().partition(|path| tree.is_dir(path));
        let named = |name: &str| directories.iter().find(|path| tree.name(path) == name).cloned();
        let mut sets = Self { validation: VALIDATION.iter().find_map(|name| named(name)), test: named(TEST) };
        if sets.test.is_none()
            && let Some(validation) = sets.validation.take()
        {
            let name = file_name(&validation);
            notes.push(format!(
                "{}: no directory test, so {name} is the test set; with both, {name} is the validation set",
                directory.display()
            ));
            sets.test = Some(validation);
        }
        let is_unused = |path: &&PathBuf| {
            let used = [sets.validation.as_ref(), sets.test.as_ref()].contains(&Some(*path));
            !used && tree.name(path) != "train"
        };
        let unused: Vec<String> = directories.iter().filter(is_unused).map(|path| file_name(path)).collect();
        if sets.test.is_none() && !unused.is_empty() {
            let message = format!(
                "found {} beside train; name the test directory one of {BESIDE}, or remove the others",
                unused.join(", ")
            );
            return Err(Error::Malformed { path: directory.to_owned(), message });
        }
        let unused: Vec<String> =
            unused.into_iter().chain(files.iter().map(|path| file_name(path))).collect();
        if !unused.is_empty() {
            notes.push(format!("{}: not used: {}", directory.display(), first(&unused)));
        }
        Ok(sets)
    }
}

/// Refuses a single class that contains directories itself: the path is probably one level too high.
fn refuse_one_level_too_high(tree: &Tree, directory: &Path, classes: &[PathBuf]) -> Result<()> {
    let [class] = classes else { return Ok(()) };
    let below = tree.entries(class, |_| ())?.into_iter().filter(|path| tree.is_dir(path)).count();
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
fn refuse_sets(directory: &Path, classes: &[PathBuf]) -> Result<()> {
    let names = ["train", "training", TEST];
    let is_set = |name: &String| names.iter().chain(&VALIDATION).any(|set| name.eq_ignore_ascii_case(set));
    let sets: Vec<String> = classes.iter().map(|class| file_name(class)).filter(is_set).collect();
    if sets.is_empty() {
        return Ok(());
    }
    let message = format!(
        "found {} but no directory train; expected train and one of {BESIDE}, or class directories only",
        sets.join(", ")
    );
    Err(Error::Malformed { path: directory.to_owned(), message })
}

fn class_directories(tree: &Tree, directory: &Path, files: &mut Tally) -> Result<Vec<PathBuf>> {
    let found = tree.entries(directory, |hidden| files.skip(hidden))?;
    let (classes, others): (Vec<PathBuf>, Vec<PathBuf>) =
        found.into_iter().partition(|path| tree.is_dir(path));
    for file in &others {
        files.skip(file);
    }
    if classes.is_empty() {
        let message = "expected one directory of images per class, found none".into();
        return Err(Error::Malformed { path: directory.to_owned(), message });
    }
    let is_text = |class: &&PathBuf| class.file_name().and_then(OsStr::to_str).is_some_and(is_printable);
    if let Some(class) = classes.iter().find(|class| !is_text(class)) {
        let message =
            format!("expected UTF-8 class names without control characters, found {:?}", file_name(class));
        return Err(Error::Malformed { path: directory.to_owned(), message });
    }
    Ok(classes)
}

/// A class directory and the images in it.
struct ClassImages {
    /// Name of the class in NFC.
    name: String,
    directory: PathBuf,
    images: Vec<PathBuf>,
}

impl ClassImages {
    /// The images of the class directories. Adds unreadable ones and those without images to `faults`.
    fn all(tree: &Tree, directories: Vec<PathBuf>, tally: &mut Tally, faults: &mut Vec<String>) -> Vec<Self> {
        let mut classes = vec![];
        for directory in directories {
            let (mut found, mut files) = (vec![], Tally::default());
            let read = images(tree, &directory, &mut found, &mut files);
            files.used = found.len();
            if let Err(error) = read {
                faults.push(error.to_string());
            } else if found.is_empty() {
                let skipped = files.skipped();
                let only =
                    if skipped.is_empty() { "an empty directory".into() } else { format!("only {skipped}") };
                faults.push(format!("{}: no images, {only}", directory.display()));
            } else {
                let name = tree.name(&directory).nfc().collect();
                classes.push(Self { name, directory, images: found });
            }
            tally.add(files);
        }
        classes
    }
}

/// The images of `classes`; a label is the index of the class name in `names`. Adds classes of other names to `faults`.
fn labelled(classes: Vec<ClassImages>, names: &[String], faults: &mut Vec<String>) -> Files {
    let mut all = Files::default();
    for ClassImages { name, directory, images } in classes {
        let Ok(label) = names.binary_search(&name) else {
            faults.push(format!("{}: no training images of this class", directory.display()));
            continue;
        };
        all.directories.extend(images.iter().map(|path| directory_below(&directory, path)));
        all.images.labels.resize(all.images.labels.len() + images.len(), label as u32);
        all.images.paths.extend(images);
    }
    all
}

/// The directory of `path` relative to `directory`, in NFC; empty for that directory itself.
fn directory_below(directory: &Path, path: &Path) -> String {
    let below = path.parent().and_then(|parent| parent.strip_prefix(directory).ok());
    below.map_or_else(String::new, |below| below.to_string_lossy().nfc().collect())
}
