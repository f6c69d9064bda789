use std::{collections::HashSet, path::PathBuf};

use crate::{
    Error, Groups, ImageOptions, LoadProgress, Result, Source, counted,
    decode::{Labelled, decode, headers},
    entries::file_name,
    groups::{numbered, stem_until},
    tree::Tree,
};

/// The image files of a folder or of lists, before they are decoded: see [`folder::find`](crate::folder::find) and
/// [`list::find`](crate::list::find).
///
/// ```no_run
/// use nc_data::{Groups, ImageOptions, folder};
///
/// let mut files = folder::find("my-videos".as_ref())?;
/// files.group_by(&Groups::Directory)?; // the frames of a video are in a directory of their own
/// let source = files.decode(ImageOptions { size: Some((64, 64)), ..Default::default() }, &mut ())?;
/// # Ok::<(), nc_data::Error>(())
/// ```
pub struct ImageFiles {
    /// Display name.
    pub(crate) name: String,
    /// Class names, in the order of labels.
    pub(crate) class_names: Vec<String>,
    pub(crate) train: Files,
    pub(crate) validation: Option<Files>,
    pub(crate) test: Option<Files>,
    /// The number of the group of each training image, if they are in groups.
    pub(crate) groups: Option<Vec<u32>>,
    /// Class directories that cannot be used, each with the reason.
    pub(crate) faults: Vec<String>,
    /// Images of lists that do not exist.
    pub(crate) missing: Vec<PathBuf>,
    /// Remark on images that are all in subdirectories of class directories, unless these are groups.
    pub(crate) nested: Option<String>,
    /// Other remarks to display: skipped files and directories.
    pub(crate) notes: Vec<String>,
    /// Where the files are.
    pub(crate) tree: Tree,
}

/// Numbers and sizes of images, from their headers: see [`ImageFiles::survey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Training images of each class.
    pub class_counts: Vec<usize>,
    /// Validation images, if there is such a set.
    pub validation: Option<usize>,
    /// Test images, if there is such a set.
    pub test: Option<usize>,
    /// Height and width, if all images have the same.
    pub size: Option<(usize, usize)>,
    /// Channels: 1 if all images are grey, else 3.
    pub channels: usize,
}

/// The images of a set.
#[derive(Default)]
pub(crate) struct Files {
    pub(crate) images: Labelled,
    /// Key of each image for [`Groups::Directory`], empty for an image on its own.
    pub(crate) directories: Vec<String>,
    /// The column `group` of a list, with empty strings for images on their own.
    pub(crate) column: Option<Vec<String>>,
}

/// Class, unless groups span classes, and name of a group.
type Key = (Option<u32>, String);

impl Files {
    /// The group of each image, none for an image on its own; `None` without the column of [`Groups::Column`]. Groups of
    /// directories and file names are of a class.
    fn keys(&self, groups: &Groups) -> Option<Vec<Option<Key>>> {
        let Labelled { paths, labels } = &self.images;
        let of_class = |(key, &label): (Option<String>, &u32)| Some((Some(label), key?));
        Some(match groups {
            Groups::Directory => {
                let keys = self.directories.iter().map(|key| (!key.is_empty()).then(|| key.clone()));
                keys.zip(labels).map(of_class).collect()
            }
            Groups::FileName { until } => {
                paths.iter().map(|path| stem_until(path, until)).zip(labels).map(of_class).collect()
            }
            Groups::Column => {
                let column = self.column.as_ref()?.iter();
                column.map(|key| (!key.is_empty()).then(|| (None, key.clone()))).collect()
            }
        })
    }

    /// A number for the group of each image by [`Groups::Column`].
    pub(crate) fn column_groups(&self) -> Option<Vec<u32>> {
        self.keys(&Groups::Column).map(numbered)
    }
}

impl ImageFiles {
    /// Puts the training images in groups, which hold-outs keep together. Lists with a column `group` need no call: their
    /// groups are those of the column.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for groups by a column that the list lacks, or by a separator that no file name has.
    pub fn group_by(&mut self, groups: &Groups) -> Result<()> {
        let keys = self.train.keys(groups).ok_or_else(|| {
            Error::Config(format!("expected a CSV list with a column group, found none in {:?}", self.name))
        })?;
        if let Groups::FileName { until } = groups
            && keys.iter().all(Option::is_none)
        {
            let example = self.train.images.paths.first().map_or_else(String::new, |path| file_name(path));
            let message =
                format!("expected a separator of file names such as {example:?}, found {until:?} in none");
            return Err(Error::Config(message));
        }
        if *groups == Groups::Directory {
            self.nested = None;
        }
        self.groups = Some(numbered(keys));
        if *groups != Groups::Column {
            if self.train.column.is_some() {
                let note =
                    format!("{}: the column group is not used, because other groups are set", self.name);
                self.notes.push(note);
            }
            self.note_shared_groups(groups);
        }
        Ok(())
    }

    /// Notes groups that two of the given sets have.
    pub(crate) fn note_shared_groups(&mut self, groups: &Groups) {
        let keys = |set: &Option<Files>| set.as_ref().and_then(|set| set.keys(groups)).unwrap_or_default();
        let train = self.train.keys(groups).unwrap_or_default();
        let (validation, test) = (keys(&self.validation), keys(&self.test));
        for (images, what, of, others, effect) in [
            (&validation, "validation", "training", &train, "which inflates accuracy"),
            (&test, "test", "training", &train, "which inflates accuracy"),
            (&test, "test", "validation", &validation, "so test images take part in choosing an epoch"),
        ] {
            let others: HashSet<_> = others.iter().flatten().collect();
            let shared = images.iter().flatten().filter(|key| others.contains(key)).count();
            if shared > 0 {
                let (one, many) =
                    (format!("{what} image is in a group"), format!("{what} images are in groups"));
                self.notes.push(format!("{} of {of} images, {effect}", counted(shared, &one, &many)));
            }
        }
    }

    /// Reads the headers of all images, with its `progress`.
    ///
    /// # Errors
    ///
    /// [`Error::Classes`] names class directories that cannot be used, [`Error::MissingFiles`] the missing images of lists;
    /// [`Error::Malformed`], [`Error::Read`] or [`Error::Images`] the files that cannot be decoded.
    pub fn survey(&self, options: ImageOptions, progress: &mut dyn LoadProgress) -> Result<Survey> {
        self.refuse_faults()?;
        let paths: Vec<&PathBuf> = self.sets().into_iter().flatten().flat_map(|set| &set.paths).collect();
        let headers = headers(&self.tree, &paths, options, progress)?;
        let mut class_counts = vec![0; self.class_names.len()];
        for &label in &self.train.images.labels {
            class_counts[label as usize] += 1;
        }
        let images = |set: &Option<Files>| set.as_ref().map(|set| set.images.paths.len());
        let first = headers.first().map(|header| header.size);
        Ok(Survey {
            class_counts,
            validation: images(&self.validation),
            test: images(&self.test),
            size: first.filter(|&first| headers.iter().all(|header| header.size == first)),
            channels: if headers.iter().all(|header| header.grey) { 1 } else { 3 },
        })
    }

    /// Decodes all images; see [`folder::read_dir`](crate::folder::read_dir) for colours and sizes.
    ///
    /// # Errors
    ///
    /// [`Error::Classes`] names class directories that cannot be used, [`Error::MissingFiles`] the missing images of lists;
    /// [`Error::Malformed`], [`Error::Read`] or [`Error::Images`] the files that cannot be decoded; [`Error::ImageSizes`] two images of different size if `options.size` is `None`. [`Error::Dataset`] if there are no
    /// images or they do not fit into memory.
    pub fn decode(self, options: ImageOptions, progress: &mut dyn LoadProgress) -> Result<Source> {
        self.refuse_faults()?;
        let Self { name, class_names, train, validation, test, groups, nested, mut notes, tree, .. } = self;
        notes.extend(nested);
        let has_validation = validation.is_some();
        let images = [train, test.unwrap_or_default(), validation.unwrap_or_default()].map(|set| set.images);
        let mut sets = decode(&tree, &images, &class_names, options, progress)?.into_iter();
        let (Some(train), Some(test), validation) = (sets.next(), sets.next(), sets.next()) else {
            return Err(Error::Dataset("expected images, found none".into()));
        };
        let train = match groups {
            Some(groups) => train.with_groups(groups)?,
            None => train,
        };
        let validation = validation.filter(|_| has_validation);
        Ok(Source { name, train, validation, test, notes })
    }

    pub(crate) fn refuse_faults(&self) -> Result<()> {
        if !self.faults.is_empty() {
            return Err(Error::Classes { reasons: self.faults.clone() });
        }
        if self.missing.is_empty() {
            return Ok(());
        }
        let root = self.tree.root();
        let missing =
            self.missing.iter().map(|path| path.strip_prefix(root).unwrap_or(path).display().to_string());
        Err(Error::MissingFiles { directory: root.to_owned(), missing: missing.collect() })
    }

    /// Training, validation and test images.
    pub(crate) fn sets(&self) -> [Option<&Labelled>; 3] {
        [
            Some(&self.train.images),
            self.validation.as_ref().map(|set| &set.images),
            self.test.as_ref().map(|set| &set.images),
        ]
    }
}
