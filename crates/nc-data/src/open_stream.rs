//! Opens image files as a [`Stream`].

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{
    Dataset, Error, ImageFiles, ImageShape, LoadProgress, Result, Source, StreamOptions, Transform,
    decode::refuse,
    files::Files,
    images::Header,
    index::{Facts, Index, Stamp},
    stream::{Encoded, Stream},
    transform::Fit,
    tree::{Place, Reader, Tree},
};

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
