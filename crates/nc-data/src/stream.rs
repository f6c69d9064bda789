//! Images that are decoded each time that they are used.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{
    Dataset, Error, ImageFiles, ImageOptions, ImageShape, LoadProgress, Result, Source, Transform,
    decode::refuse,
    files::Files,
    hold_out::Digest256,
    images::{Header, Picture},
    index::{Facts, Index, Stamp},
    transform::Fit,
    tree::{Place, Reader, Tree},
};

/// How image files become streamed images of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamOptions {
    /// Height and width.
    pub size: (usize, usize),
    /// Turn images as the orientation in their EXIF data says.
    pub exif_orientation: bool,
    /// Transforms of a training image in its own size to `size`, before those of a view: `resize`, `center-crop` and
    /// `random-resized-crop` with a size. Empty to scale each image to just cover `size` and crop its centre, as in memory.
    pub training: Vec<Transform>,
    /// The same in evaluation, without `random-resized-crop`.
    pub evaluation: Vec<Transform>,
}

/// The encoded images of a set.
pub(crate) struct Stream {
    images: Vec<Encoded>,
    exif_orientation: bool,
    /// How training images get the common size.
    pub(crate) training: Fit,
    /// How images get the common size in evaluation.
    pub(crate) evaluation: Fit,
}

/// An image file.
#[derive(Clone)]
struct Encoded {
    path: PathBuf,
    place: Place,
    /// Length in bytes.
    length: u64,
    facts: Facts,
}

/// Time between two writes of the index while files are read for the first time.
const SAVE_EVERY: Duration = Duration::from_mins(1);

impl ImageFiles {
    /// Streams the images: they stay in their files, and a [`Loader`](crate::Loader) decodes those of each batch.
    ///
    /// Reads each file once for the SHA-256 of its bytes and the header of the image. An index file keeps them: `.nclt-index`
    /// in the directory, or `.NAME.nclt-index` beside an archive NAME. Later calls read only files whose length or time of
    /// change differs, and no archive that has not changed. A note in [`Source::notes`] says if the index cannot be written.
    /// Images are grey if all files are, in colour otherwise, as in memory.
    ///
    /// ```no_run
    /// use nc_data::{Interpolation::Bilinear, StreamOptions, Transform, list};
    ///
    /// let options = StreamOptions {
    ///     size: (224, 224),
    ///     exif_orientation: false,
    ///     training: vec![Transform::RandomResizedCrop {
    ///         size: Some(224),
    ///         smallest_area: 0.08,
    ///         interpolation: Bilinear,
    ///     }],
    ///     evaluation: vec![
    ///         Transform::Resize { size: 256, interpolation: Bilinear },
    ///         Transform::CenterCrop { size: 224 },
    ///     ],
    /// };
    /// let source = list::find("ImageNet_LT".as_ref())?.stream(&options, &mut ())?;
    /// assert!(source.train.is_streamed());
    /// # Ok::<(), nc_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for transforms that do not end at `size`, [`Error::Classes`] names class directories that cannot be
    /// used; [`Error::Malformed`], [`Error::Read`] or [`Error::Images`] the files that are no images. Files that are damaged
    /// behind the header are errors of a batch; [`check_images`](crate::check_images) finds them all.
    pub fn stream(self, options: &StreamOptions, progress: &mut dyn LoadProgress) -> Result<Source> {
        self.refuse_faults()?;
        let Self { name, class_names, train, validation, test, groups, nested, mut notes, mut tree, .. } =
            self;
        notes.extend(nested);
        let (height, width) = options.size;
        let (training, evaluation) =
            (Fit::new(&options.training, options.size)?, Fit::new(&options.evaluation, options.size)?);
        if evaluation.transforms().iter().any(|one| matches!(one, Transform::RandomResizedCrop { .. })) {
            let message = "expected resize and center-crop in evaluation, found random-resized-crop";
            return Err(Error::Config(message.into()));
        }
        let mut index = tree.index.take().unwrap_or_else(|| {
            let (index, note) = Index::read(tree.root());
            notes.extend(note);
            index
        });
        let sets = [Some(train), test, validation];
        let paths = sets.iter().flatten().flat_map(|set| &set.images.paths).collect::<Vec<_>>();
        let images = identify(&tree, &mut index, &paths, progress);
        if index.changed
            && let Err(error) = index.write(tree.root())
        {
            notes.push(format!("{error}; every start reads all files again"));
        }
        let mut images = images?.into_iter();
        let is_grey = images.as_slice().iter().all(|image| image.facts.grey);
        let shape = ImageShape { channels: if is_grey { 1 } else { 3 }, height, width };
        let mut dataset = |set: Option<Files>| {
            let labels = set.map(|set| set.images.labels).unwrap_or_default();
            let stream = Stream {
                images: images.by_ref().take(labels.len()).collect(),
                exif_orientation: options.exif_orientation,
                training: training.clone(),
                evaluation: evaluation.clone(),
            };
            Dataset::streamed(shape, stream, labels, class_names.clone())
        };
        let [train, test, validation] = sets;
        let has_validation = validation.is_some();
        let (train, test, validation) = (dataset(train)?, dataset(test)?, dataset(validation)?);
        let train = match groups {
            Some(groups) => train.with_groups(groups)?,
            None => train,
        };
        Ok(Source { name, train, validation: has_validation.then_some(validation), test, notes })
    }
}

/// The digests and headers of files, from the index or else by reading them. The index is complete even if some files are
/// no images.
fn identify(
    tree: &Tree,
    index: &mut Index,
    paths: &[&PathBuf],
    progress: &mut dyn LoadProgress,
) -> Result<Vec<Encoded>> {
    let find = |path: &&PathBuf| -> Result<(Place, Stamp)> {
        let place = tree.place(path);
        let stamp = match place {
            Place::Archived { offset, length, .. } => Stamp { length, place: offset },
            Place::Loose => {
                Stamp::of(path).map_err(|source| Error::Read { path: (*path).clone(), source })?
            }
        };
        Ok((place, stamp))
    };
    let found: Vec<(Place, Stamp)> = paths.par_iter().map(find).collect::<Result<_>>()?;
    let key = |path: &Path| Index::key(tree.root(), path);
    let known = |(path, (_, stamp)): (&&PathBuf, &(Place, Stamp))| index.image(&key(path)?, *stamp);
    let mut facts: Vec<Option<Facts>> = paths.iter().zip(&found).map(known).collect();
    let unknown: Vec<usize> = (0..facts.len()).filter(|&image| facts[image].is_none()).collect();
    if !unknown.is_empty() {
        progress.begins(unknown.len(), 0);
    }
    let (mut errors, mut saved) = (vec![], Instant::now());
    for images in unknown.chunks(64 * rayon::current_num_threads()) {
        let read = |reader: &mut Reader, &image: &usize| inspect(reader, paths[image], &found[image].0);
        let read: Vec<Result<Facts>> = images.par_iter().map_init(Reader::default, read).collect();
        for (&image, result) in images.iter().zip(read) {
            match result {
                Ok(read) => {
                    facts[image] = Some(read);
                    if let Some(key) = key(paths[image]) {
                        index.set_image(key, found[image].1, read);
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        progress.decoded(images.len());
        if saved.elapsed() > SAVE_EVERY {
            // The caller reports a directory that cannot be written to.
            let _ = index.write(tree.root());
            saved = Instant::now();
        }
    }
    refuse(errors)?;
    let images = paths.iter().zip(found).zip(facts);
    let encoded = |((path, (place, stamp)), facts): ((&&PathBuf, (Place, Stamp)), Option<Facts>)| {
        Some(Encoded { path: (*path).clone(), place, length: stamp.length, facts: facts? })
    };
    Ok(images.filter_map(encoded).collect())
}

/// Reads a file.
fn inspect(reader: &mut Reader, path: &Path, place: &Place) -> Result<Facts> {
    let bytes = reader.read(path, place, u64::MAX)?;
    let header = Header::read(path, bytes, false)?;
    Ok(Facts { digest: Sha256::digest(bytes).into(), grey: header.grey })
}

impl Stream {
    /// SHA-256 of the file of image `index`.
    pub(crate) fn digest(&self, index: usize) -> Digest256 {
        self.images[index].facts.digest
    }

    /// Part of the hash of a subset. Distinguishes these images from the same ones in memory, turned or scaled otherwise.
    pub(crate) fn identity(&self) -> String {
        format!("nclt streamed, exif orientation {}, {}\n", self.exif_orientation, self.evaluation)
    }

    /// Decodes image `index` for `fit`, with at most `shape.channels` channels.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] and [`Error::Malformed`] name a file that cannot be read or decoded, or that changed.
    pub(crate) fn decode(
        &self,
        index: usize,
        fit: &Fit,
        shape: ImageShape,
        reader: &mut Reader,
    ) -> Result<Picture> {
        let Encoded { path, place, length, facts } = &self.images[index];
        let bytes = reader.read(path, place, u64::MAX)?;
        let size = (*fit == Fit::Cover).then_some((shape.height, shape.width));
        let options = ImageOptions { size, exif_orientation: self.exif_orientation };
        let is_changed = |picture: &Picture| picture.grey != facts.grey;
        let decoded = (bytes.len() as u64 == *length).then(|| Picture::decode(path, bytes, options));
        let decoded = decoded.transpose().map_err(|error| match error {
            Error::Malformed { path, message } => {
                let message = format!("{message}; list all damaged files by nclt check --write-skip");
                Error::Malformed { path, message }
            }
            other => other,
        })?;
        decoded.filter(|picture| !is_changed(picture)).ok_or_else(|| {
            let message = "the file changed while it was used; start again".into();
            Error::Malformed { path: path.clone(), message }
        })
    }
}
