//! Inspection of image files without training.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    path::PathBuf,
};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{
    Error, ImageFiles, ImageOptions, LoadProgress, Result,
    decode::images_per_report,
    group_hold_out::split,
    hold_out::Image,
    images::{Header, Picture},
    rng::Purpose,
    skip,
    tree::Tree,
};

/// Findings in image files, see [`check_images`].
#[derive(Debug, Default)]
pub struct ImageCheck {
    /// Classes, largest training class first.
    pub classes: Vec<ClassCheck>,
    /// Whether there is a validation set.
    pub has_validation: bool,
    /// Whether there is a test set.
    pub has_test: bool,
    /// Number of images of each size (height, width), after turning by EXIF orientation if that is wanted.
    pub sizes: BTreeMap<(usize, usize), usize>,
    /// Number of grey images.
    pub grey: usize,
    /// Number of images that have an EXIF orientation that turns or mirrors them.
    pub turned: usize,
    /// Class directories without images or of classes without training images, each with the reason.
    pub unusable_classes: Vec<String>,
    /// Files that cannot be decoded, each with the reason.
    pub unreadable: Vec<Error>,
    /// The line of each file that cannot be decoded in a list for [`ImageFiles::skip`], unless its path is not UTF-8.
    pub skip_lines: Vec<String>,
    /// Identical images of different sets.
    pub copies_across: Vec<Copied>,
    /// Identical training images of different classes.
    pub copies_between_classes: Vec<Copied>,
    /// Number of training images that are identical to another of the same class.
    pub copies_within_classes: usize,
    /// Unused files and directories.
    pub notes: Vec<String>,
    /// The number of the group of each training image, if they are in groups.
    groups: Option<Vec<u32>>,
}

/// Number of readable images of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassCheck {
    /// Name.
    pub name: String,
    /// Training images.
    pub train: usize,
    /// Validation images.
    pub validation: usize,
    /// Test images.
    pub test: usize,
    /// Groups of training images, if they are in groups.
    pub groups: Option<usize>,
    /// Training images.
    images: Vec<Image>,
}

/// Images of a class in each set after hold-outs, or groups if the images are in groups: see [`ImageCheck::hold_outs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldOut {
    /// Left for training.
    pub train: usize,
    /// Held out for validation.
    pub validation: usize,
    /// Held out for testing.
    pub test: usize,
    /// Images left for training, in groups or not.
    pub training_images: usize,
    /// Images held out for validation or testing that are copies of an image left for training, of any class.
    pub copies: usize,
}

/// A set of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Set {
    /// Training images.
    Training,
    /// Validation images.
    Validation,
    /// Test images.
    Test,
}

/// `training`, `validation` or `test`.
impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Training => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        })
    }
}

/// Two files with equal pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// A file.
    pub path: PathBuf,
    /// Its set.
    pub set: Set,
    /// The other file.
    pub original: PathBuf,
    /// Its set, never after `set`.
    pub original_set: Set,
    /// Whether both are of the same class.
    pub same_class: bool,
}

/// An image, and its set and class.
struct Found {
    path: PathBuf,
    label: u32,
    set: Set,
}

/// The size, the digest of the pixels, and the header of an image.
struct Inspected {
    size: (usize, usize),
    digest: [u8; 32],
    header: Header,
}

/// Reads every image, one at a time per thread. Finds unreadable files, sizes, and copies by their decoded pixels.
/// Unreadable images are findings, not errors.
pub fn check_images(
    files: ImageFiles,
    exif_orientation: bool,
    progress: &mut dyn LoadProgress,
) -> ImageCheck {
    let sets = [Set::Training, Set::Validation, Set::Test].into_iter().zip(files.sets());
    let found: Vec<Found> = sets
        .flat_map(|(set, images)| {
            let images = images.into_iter().flat_map(|images| images.paths.iter().zip(&images.labels));
            images.map(move |(path, &label)| Found { path: path.clone(), label, set })
        })
        .collect();
    let options = ImageOptions { size: None, exif_orientation };
    let inspected = inspect_all(&files.tree, &found, options, progress);
    let mut check = ImageCheck {
        has_validation: files.validation.is_some(),
        has_test: files.test.is_some(),
        classes: files.class_names.into_iter().map(ClassCheck::new).collect(),
        groups: files.groups,
        unusable_classes: files.faults,
        notes: files.notes.into_iter().chain(files.nested).collect(),
        ..ImageCheck::default()
    };
    // The first image of each content in each set, in the order of sets.
    let mut seen: HashMap<[u8; 32], Vec<&Found>> = HashMap::new();
    for (index, (image, inspected)) in found.iter().zip(inspected).enumerate() {
        let Inspected { size, digest, header } = match inspected {
            Ok(inspected) => inspected,
            Err(error) => {
                check.unreadable.push(error);
                check.skip_lines.extend(skip::line(files.tree.root(), &image.path));
                continue;
            }
        };
        *check.sizes.entry(size).or_default() += 1;
        check.grey += usize::from(header.grey);
        check.turned += usize::from(header.turned);
        let class = &mut check.classes[image.label as usize];
        match image.set {
            Set::Training => {
                class.train += 1;
                class.images.push(Image { digest, index });
            }
            Set::Validation => class.validation += 1,
            Set::Test => class.test += 1,
        }
        let originals = seen.entry(digest).or_default();
        for original in &*originals {
            check.add_copy(image, original);
        }
        if originals.last().is_none_or(|last| last.set != image.set) {
            originals.push(image);
        }
    }
    for class in &mut check.classes {
        class.groups = check.groups.as_ref().map(|groups| distinct(groups, &class.images));
    }
    check.classes.sort_by_key(|class| std::cmp::Reverse(class.train));
    check
}

impl ImageCheck {
    /// The sets of each class, in the order of [`classes`](Self::classes), after holding out the share `test` of each class
    /// for testing and `validation` of the rest for validation. Numbers of images are those of
    /// [`Subset::hold_out`](crate::Subset::hold_out). Numbers of groups and copies are of one draw; that of training can differ,
    /// because it depends on the images as they are scaled.
    pub fn hold_outs(&self, test: Option<f64>, validation: Option<f64>) -> Vec<HeldOut> {
        let split = |classes: Vec<Vec<Image>>, fraction: Option<f64>, purpose| {
            let Some(fraction) = fraction else {
                let none = vec![vec![]; classes.len()];
                return (classes, none);
            };
            split(classes, self.groups.as_deref(), fraction, 0, purpose)
        };
        let all = self.classes.iter().map(|class| class.images.clone()).collect();
        let (rest, test) = split(all, test, Purpose::Test);
        let (train, validation) = split(rest, validation, Purpose::Validation);
        let count =
            |images: &[Image]| self.groups.as_ref().map_or(images.len(), |groups| distinct(groups, images));
        let trained: HashSet<[u8; 32]> = train.iter().flatten().map(|image| image.digest).collect();
        let sets = train.iter().zip(validation.iter().zip(&test));
        sets.map(|(train, (validation, test))| HeldOut {
            train: count(train),
            validation: count(validation),
            test: count(test),
            training_images: train.len(),
            copies: validation.iter().chain(test).filter(|image| trained.contains(&image.digest)).count(),
        })
        .collect()
    }

    fn add_copy(&mut self, image: &Found, original: &Found) {
        let same_class = image.label == original.label;
        let copied = Copied {
            path: image.path.clone(),
            set: image.set,
            original: original.path.clone(),
            original_set: original.set,
            same_class,
        };
        if image.set != original.set {
            self.copies_across.push(copied);
        } else if image.set == Set::Training {
            if same_class {
                self.copies_within_classes += 1;
            } else {
                self.copies_between_classes.push(copied);
            }
        }
    }
}

impl ClassCheck {
    fn new(name: String) -> Self {
        Self { name, train: 0, validation: 0, test: 0, groups: None, images: vec![] }
    }
}

/// The number of groups of `images`.
fn distinct(groups: &[u32], images: &[Image]) -> usize {
    images.iter().map(|image| groups[image.index]).collect::<HashSet<_>>().len()
}

fn inspect_all(
    tree: &Tree,
    found: &[Found],
    options: ImageOptions,
    progress: &mut dyn LoadProgress,
) -> Vec<Result<Inspected>> {
    progress.begins(found.len(), 0);
    let mut inspected = Vec::with_capacity(found.len());
    for images in found.chunks(images_per_report()) {
        inspected.par_extend(images.par_iter().map(|image| inspect(tree, image, options)));
        progress.decoded(images.len());
    }
    inspected
}

fn inspect(tree: &Tree, image: &Found, options: ImageOptions) -> Result<Inspected> {
    let bytes = tree.read(&image.path)?;
    let picture = Picture::decode(&image.path, &bytes, options)?;
    let header = Header::read(&image.path, &bytes, options.exif_orientation)?;
    let (size, mut digest) = (picture.size(), Sha256::new());
    digest.update(format!("{} {} ", size.0, size.1));
    digest.update(&picture.bytes);
    Ok(Inspected { size, digest: digest.finalize().into(), header })
}
