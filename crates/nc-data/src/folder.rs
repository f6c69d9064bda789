//! Folders of images, a directory for each class.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Error, Result, Source,
    images::{Labelled, decode},
};

/// Names of the directory with test images, best first.
const TEST: [&str; 4] = ["test", "val", "valid", "validation"];

/// Reads PNG and JPEG files from `directory/train/CLASS/` and `directory/test/CLASS/` (or `val`, `valid`,
/// `validation`; the first of these that exists), or from `directory/CLASS/`, where there is no test set. Directories
/// inside a class belong to it, but not links to directories. Files of other kinds and hidden ones are passed over.
///
/// Classes are labelled in the order of their directories' names. Images are grey if all are, in colour otherwise;
/// transparency and EXIF orientation are ignored. With `size` (height, width), each image is
/// scaled to just cover it (bilinear, antialiased) and its middle cut out.
///
/// ```no_run
/// let source = nc_data::folder::read_dir("my-photos".as_ref(), Some((64, 64)))?;
/// println!("{:?}", source.train.class_counts());
/// # Ok::<(), nc_data::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Read`] and [`Error::Malformed`] name a directory or file that cannot be read, is no image, or a class
/// without images or without training images, directories beside `train` of which none is the test set's, or one of
/// a set's name without `train`; [`Error::ImageSizes`] two images of different size, where there is no `size`.
pub fn read_dir(directory: &Path, size: Option<(usize, usize)>) -> Result<Source> {
    let train_dir = directory.join("train");
    let (train_dir, test_dir) = if train_dir.is_dir() {
        (train_dir, test_directory(directory)?)
    } else {
        (directory.to_owned(), None)
    };
    let classes = class_directories(&train_dir)?;
    let names: Vec<String> = classes.iter().map(|class| file_name(class)).collect();
    if train_dir == directory {
        refuse_sets(directory, &names)?;
    }
    let train = labelled(&classes, &names)?;
    let test = match &test_dir {
        Some(test_dir) => labelled(&class_directories(test_dir)?, &names)?,
        None => Labelled::default(),
    };
    let (train, test) = decode(train, test, &names, size)?;
    Ok(Source { name: file_name(directory), train, test })
}

/// The directory with test images beside `train`, if there is one. Where other directories stand there and none of them
/// is it, a test set under another name would be passed over, or classes of which one is called train.
fn test_directory(directory: &Path) -> Result<Option<PathBuf>> {
    let directories: Vec<PathBuf> = entries(directory)?.into_iter().filter(|path| path.is_dir()).collect();
    let found = TEST.iter().find_map(|name| directories.iter().find(|path| file_name(path) == *name));
    let others: Vec<String> =
        directories.iter().map(|path| file_name(path)).filter(|name| name != "train").collect();
    if found.is_none() && !others.is_empty() {
        let message = format!(
            "has a directory train, and beside it {}: expected {} for test images, or no other directory",
            others.join(", "),
            TEST.join(", ")
        );
        return Err(Error::Malformed { path: directory.to_owned(), message });
    }
    Ok(found.cloned())
}

/// Where there is no `train`, sets under other names would be read as classes.
fn refuse_sets(directory: &Path, classes: &[String]) -> Result<()> {
    let is_set =
        |name: &&str| ["train", "training"].iter().chain(&TEST).any(|set| name.eq_ignore_ascii_case(set));
    let sets: Vec<&str> = classes.iter().map(String::as_str).filter(is_set).collect();
    if sets.is_empty() {
        return Ok(());
    }
    let message = format!(
        "has no directory train, but {}: expected train, and {} for test images, or directories of classes alone",
        sets.join(", "),
        TEST.join(", ")
    );
    Err(Error::Malformed { path: directory.to_owned(), message })
}

fn class_directories(directory: &Path) -> Result<Vec<PathBuf>> {
    let classes: Vec<PathBuf> = entries(directory)?.into_iter().filter(|path| path.is_dir()).collect();
    if classes.is_empty() {
        let message = "expected a directory of images for each class, found no directory".into();
        return Err(Error::Malformed { path: directory.to_owned(), message });
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = classes.iter().map(|class| file_name(class)).find(|name| !names.insert(name.clone()))
    {
        let message = format!("expected names in UTF-8, found two classes {twice}");
        return Err(Error::Malformed { path: directory.to_owned(), message });
    }
    Ok(classes)
}

/// The images of the class directories `classes`, labelled by the place of their names among `names`.
fn labelled(classes: &[PathBuf], names: &[String]) -> Result<Labelled> {
    let mut all = Labelled::default();
    for directory in classes {
        let malformed = |message: &str| Error::Malformed { path: directory.clone(), message: message.into() };
        let name = file_name(directory);
        let label = names.iter().position(|class| *class == name);
        let label = label.ok_or_else(|| malformed("is a class that the training images do not have"))?;
        let before = all.paths.len();
        images(directory, &mut all.paths)?;
        if all.paths.len() == before {
            return Err(malformed("expected images (.png, .jpg, .jpeg), found none"));
        }
        all.labels.resize(all.paths.len(), label as u32);
    }
    Ok(all)
}

fn images(directory: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for path in entries(directory)? {
        if path.is_dir() {
            // A link to a directory could lead back, and its images be counted again and again.
            if !path.is_symlink() {
                images(&path, found)?;
            }
        } else if path
            .extension()
            .is_some_and(|kind| ["png", "jpg", "jpeg"].iter().any(|image| kind.eq_ignore_ascii_case(image)))
        {
            found.push(path);
        }
    }
    Ok(())
}

/// What is in a directory and not hidden, by name.
fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |source| Error::Read { path: directory.to_owned(), source };
    let entries = fs::read_dir(directory).map_err(unreadable)?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(unreadable)?;
    paths.retain(|path| !file_name(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "images".into(), |name| name.to_string_lossy().into_owned())
}
