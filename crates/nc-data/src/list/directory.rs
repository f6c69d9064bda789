//! The lists in a directory.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use super::{ImageList, image_list::tree_of};
use crate::{
    Error, Groups, ImageFiles, ImageOptions, Result, Source,
    entries::{entries, file_name},
    error::first,
    skip,
    walk::image_files,
};

/// Reads the images of the lists in `directory`, with paths relative to it. The training list is the `.txt` or `.csv` file
/// with "train" in its name, or the only list. The test list has "test" in its name and the validation list "val"; both
/// are optional, and without a test list, the validation list is the test list. Archives in `directory` take the place of
/// directories: `train/ant/1.jpg` may be the file `ant/1.jpg` in `train.tar`, or the file `1.jpg` in the archive `ant.tar` in it. [`Source::notes`] names unused lists and
/// columns. For colours see [`folder::read_dir`](crate::folder::read_dir).
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
/// Those of [`find`] and [`ImageFiles::decode`].
pub fn read_dir(directory: &Path, options: ImageOptions) -> Result<Source> {
    find(directory)?.decode(options, &mut ())
}

/// Finds the images that [`read_dir`] reads.
///
/// # Errors
///
/// Those of [`ImageList::read`] for each list, together. [`Error::Malformed`] if there is no training list, if several files
/// could be the same list, or for a class without training images. Missing images are errors of [`ImageFiles::survey`] and
/// [`ImageFiles::decode`].
pub fn find(directory: &Path) -> Result<ImageFiles> {
    let Lists { train, validation, test, mut notes } = Lists::in_dir(directory)?;
    let read = |path: Option<PathBuf>| path.map(|path| ImageList::read(&path)).transpose();
    let (train, (validation, test)) = both(ImageList::read(&train), both(read(validation), read(test)))?;
    let class_names = train.class_names()?;
    let lists: Vec<&ImageList> = [&train].into_iter().chain(&validation).chain(&test).collect();
    notes.extend(lists.iter().filter_map(|list| columns_note(list)));
    let mut tree = tree_of(&lists, directory)?;
    notes.append(&mut tree.notes);
    let mut missing = vec![];
    let mut files = |list: &ImageList| list.files(&tree, directory, &class_names, &mut missing);
    let train = files(&train)?;
    let validation = validation.as_ref().map(&mut files).transpose();
    let test = test.as_ref().map(&mut files).transpose();
    let (validation, test) = both(validation, test)?;
    let groups = train.column_groups();
    let name = file_name(directory);
    let mut files = ImageFiles {
        name,
        class_names,
        train,
        validation,
        test,
        groups,
        faults: vec![],
        missing,
        nested: None,
        notes,
        tree,
    };
    files.note_shared_groups(&Groups::Column);
    Ok(files)
}

fn both<A, B>(one: Result<A>, other: Result<B>) -> Result<(A, B)> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(one), Err(other)) => Err(Error::Both(one.into(), other.into())),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

fn columns_note(list: &ImageList) -> Option<String> {
    let unused = list.unused_columns();
    let names: Vec<String> = unused.iter().map(|name| format!("{name:?}")).collect();
    (!names.is_empty()).then(|| format!("{}: unused columns: {}", list.path().display(), first(&names)))
}

/// True if the images of `directory` are those of lists, false if they are those of class directories: the first image of
/// the training list exists, or there is a training list but no class directories. Lists beside the directories of
/// their images look like a folder, and tables beside class directories like a list. A file has no lists.
///
/// # Errors
///
/// [`Error::Read`] if the directory cannot be read, [`Error::Malformed`] for several training lists.
pub fn has_lists(directory: &Path) -> Result<bool> {
    if directory.is_file() {
        return Ok(false);
    }
    let lists = all(directory)?;
    let Some(list) = training(directory, &lists)? else { return only_has_listed_images(directory, &lists) };
    match ImageList::read(&list) {
        Ok(list) if list.first_exists(directory) => Ok(true),
        // The error of the list is more helpful than that of a folder without class directories.
        Ok(_) => Ok(!has_class_directories(directory)?),
        Err(_) => {
            let is_csv = list.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("csv"));
            Ok((is_csv || is_named_training(&list)) && !has_class_directories(directory)?)
        }
    }
}

/// A note on the training list of a folder, whose images are not those of the list.
pub(crate) fn unused_note(directory: &Path) -> Option<String> {
    let path = training(directory, &all(directory).ok()?).ok()??;
    match ImageList::read(&path) {
        Ok(list) if list.first_exists(directory) => None,
        Ok(list) => {
            let image = list.entries()[0].path.display();
            Some(format!(
                "{}: not used as a list, because its first image {image} does not exist",
                path.display()
            ))
        }
        Err(error) => is_named_training(&path).then(|| format!("not used as a list: {error}")),
    }
}

fn is_named_training(list: &Path) -> bool {
    file_name(list).to_lowercase().contains("train")
}

/// True if two or more directories have images: those in `train`, if there is such a directory.
fn has_class_directories(directory: &Path) -> Result<bool> {
    let train = directory.join("train");
    let parent = if train.is_dir() { &train } else { directory };
    let mut classes = 0;
    for path in entries(parent, |_| ())? {
        classes += usize::from(path.is_dir() && !images_in(&path).is_empty());
    }
    Ok(classes > 1)
}

/// True if there are images of lists, and no others in class directories: the training list needs another name.
fn only_has_listed_images(directory: &Path, lists: &[PathBuf]) -> Result<bool> {
    let lists: Vec<ImageList> = lists.iter().filter_map(|list| ImageList::read(list).ok()).collect();
    let lists = lists.iter().filter(|list| list.first_exists(directory));
    let listed: HashSet<PathBuf> = lists.flat_map(|list| list.existing(directory)).collect();
    let mut images = vec![];
    for path in entries(directory, |_| ())?.iter().filter(|path| path.is_dir()) {
        images.extend(images_in(path));
    }
    Ok(!listed.is_empty() && images.iter().all(|image| listed.contains(image)))
}

/// The images of a directory; none if it cannot be read, which is an error of those who use it.
fn images_in(directory: &Path) -> Vec<PathBuf> {
    image_files(directory).map_or_else(|_| vec![], |(images, _)| images)
}

fn training(directory: &Path, lists: &[PathBuf]) -> Result<Option<PathBuf>> {
    Ok(match (named(directory, lists, "train", &[])?, lists) {
        (None, [only]) => Some(only.clone()),
        (train, _) => train,
    })
}

/// The list of each set.
struct Lists {
    train: PathBuf,
    validation: Option<PathBuf>,
    test: Option<PathBuf>,
    notes: Vec<String>,
}

impl Lists {
    fn in_dir(directory: &Path) -> Result<Self> {
        let lists = all(directory)?;
        let mut notes = vec![];
        let mut note = |text: String| notes.push(format!("{}: {text}", directory.display()));
        let train = training(directory, &lists)?.ok_or_else(|| {
            let found: Vec<String> = lists.iter().map(|list| file_name(list)).collect();
            let (found, hint) = if found.is_empty() {
                ("none".to_owned(), "")
            } else {
                (first(&found), "; rename the training list to train*.txt or train*.csv")
            };
            let message =
                format!("expected a list *train*.txt or *train*.csv, or a single list, found {found}{hint}");
            Error::Malformed { path: directory.to_owned(), message }
        })?;
        // The training list itself may match, as trainval.txt does.
        let mut test = named(directory, &lists, "test", &[&train])?;
        let others: Vec<&PathBuf> = [&train].into_iter().chain(&test).collect();
        let mut validation = named(directory, &lists, "val", &others)?;
        if test.is_none() {
            test = validation.take();
            note(match &test {
                Some(list) => {
                    let name = file_name(list);
                    format!(
                        "no list *test*, so {name} is the test set; with both, {name} is the validation set"
                    )
                }
                None => format!("no list *test* or *val*, only the training list {}", file_name(&train)),
            });
        }
        let used = [Some(&train), validation.as_ref(), test.as_ref()];
        let unused = lists.iter().filter(|list| !used.contains(&Some(*list)));
        let unused: Vec<String> = unused.map(|list| file_name(list)).collect();
        if !unused.is_empty() {
            note(format!("unused lists: {}", first(&unused)));
        }
        Ok(Self { train, validation, test, notes })
    }
}

/// The `.txt` and `.csv` files in `directory`, sorted by name, without those of images to skip.
fn all(directory: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |source| Error::Read { path: directory.to_owned(), source };
    let mut files = vec![];
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_list =
            |kind: &std::ffi::OsStr| ["txt", "csv"].iter().any(|list| kind.eq_ignore_ascii_case(list));
        if path.extension().is_some_and(is_list) && path.is_file() && !skip::is_list(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The only list with `part` in its name, except `others`.
fn named(directory: &Path, lists: &[PathBuf], part: &str, others: &[&PathBuf]) -> Result<Option<PathBuf>> {
    let is_found = |path: &&PathBuf| !others.contains(path) && file_name(path).to_lowercase().contains(part);
    let found: Vec<&PathBuf> = lists.iter().filter(is_found).collect();
    if found.len() > 1 {
        let names: Vec<String> = found.iter().map(|path| file_name(path)).collect();
        let message = format!(
            "expected one list *{part}*.txt or *{part}*.csv, found {}; rename the others",
            names.join(", ")
        );
        return Err(Error::Malformed { path: directory.to_owned(), message });
    }
    Ok(found.first().copied().cloned())
}
