//! Inspection of an image folder without training.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{Error, Result, folder::Layout, images::inspect};

/// Findings in an image folder, see [`check_folder`].
#[derive(Debug, Default)]
pub struct FolderCheck {
    /// Classes, largest training class first.
    pub classes: Vec<ClassCheck>,
    /// Whether there is a directory of test images.
    pub has_test: bool,
    /// Number of images of each size (height, width), after turning by EXIF orientation.
    pub sizes: BTreeMap<(usize, usize), usize>,
    /// Number of grey images.
    pub grey: usize,
    /// Number of images that their EXIF orientation turns or mirrors.
    pub turned: usize,
    /// Files that cannot be decoded, each with the reason.
    pub unreadable: Vec<Error>,
    /// Pairs of a test image and an identical training image.
    pub copies_across: Vec<(PathBuf, PathBuf)>,
    /// Pairs of identical training images of different classes.
    pub copies_between_classes: Vec<(PathBuf, PathBuf)>,
    /// Number of training images that are identical to another of the same class.
    pub copies_within_classes: usize,
    /// Unused files and directories.
    pub notes: Vec<String>,
}

/// Number of images of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassCheck {
    /// Name.
    pub name: String,
    /// Readable training images.
    pub train: usize,
    /// Readable test images.
    pub test: usize,
}

/// An image, and its split and class.
struct Found {
    path: PathBuf,
    label: u32,
    is_test: bool,
}

/// Reads every image of a folder, laid out as for [`folder::read_dir`](crate::folder::read_dir), one at a time per
/// thread. Finds unreadable files, sizes, and copies by their decoded pixels.
///
/// # Errors
///
/// Those of [`folder::read_dir`](crate::folder::read_dir) about directories and classes. Unreadable images are findings.
pub fn check_folder(directory: &Path) -> Result<FolderCheck> {
    let Layout { names, train, test, notes, has_test } = Layout::read(directory)?;
    let found: Vec<Found> = [(train, false), (test, true)]
        .into_iter()
        .flat_map(|(images, is_test)| {
            let images = images.paths.into_iter().zip(images.labels);
            images.map(move |(path, label)| Found { path, label, is_test })
        })
        .collect();
    let inspected: Vec<Result<_>> = found.par_iter().map(|image| inspect(&image.path)).collect();
    let class = |name: String| ClassCheck { name, train: 0, test: 0 };
    let mut check = FolderCheck { has_test, notes, ..FolderCheck::default() };
    check.classes = names.into_iter().map(class).collect();
    // The first training image of each content.
    let mut seen: HashMap<[u8; 32], &Found> = HashMap::new();
    for (image, inspected) in found.iter().zip(inspected) {
        let inspected = match inspected {
            Ok(inspected) => inspected,
            Err(error) => {
                check.unreadable.push(error);
                continue;
            }
        };
        *check.sizes.entry(inspected.size).or_default() += 1;
        check.grey += usize::from(inspected.grey);
        check.turned += usize::from(inspected.turned);
        let class = &mut check.classes[image.label as usize];
        *(if image.is_test { &mut class.test } else { &mut class.train }) += 1;
        let (height, width) = inspected.size;
        let digest = Sha256::new().chain_update(format!("{height} {width} ")).chain_update(&inspected.bytes);
        match seen.entry(digest.finalize().into()) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                // Test images come last: they are compared with training images, not with each other.
                if !image.is_test {
                    entry.insert(image);
                }
            }
            std::collections::hash_map::Entry::Occupied(entry) => {
                let pair = (image.path.clone(), entry.get().path.clone());
                if image.is_test {
                    check.copies_across.push(pair);
                } else if entry.get().label == image.label {
                    check.copies_within_classes += 1;
                } else {
                    check.copies_between_classes.push(pair);
                }
            }
        }
    }
    check.classes.sort_by_key(|class| std::cmp::Reverse(class.train));
    Ok(check)
}
