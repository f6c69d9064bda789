//! Decodes many image files into images of one size.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::{
    Dataset, Error, ImageShape, Result, StreamOptions,
    images::{Header, ImageOptions, Picture},
    rng::ImageStreams,
    transform::{Canvas, Chain, Fit},
    tree::Tree,
};

/// Receives the progress of reading image files. `()` ignores it.
#[allow(unused_variables)] // of the default methods, whose documentation shows the names
pub trait LoadProgress {
    /// Reading of the headers of image files begins.
    fn begins_headers(&mut self, images: usize) {}

    /// The headers are read; decoding begins. The decoded images take `bytes` bytes of memory, 0 if they are not kept.
    fn begins(&mut self, images: usize, bytes: u64) {}

    /// Another `images` images are decoded, or their headers read.
    fn decoded(&mut self, images: usize) {}
}

/// Ignores the progress.
impl LoadProgress for () {}

/// Image files and their labels.
#[derive(Default)]
pub(crate) struct Labelled {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) labels: Vec<u32>,
}

/// Decodes sets of images, dropping transparency. All are grey if every file of every set is, else in colour. Their size
/// is that of `options`, or of the files, which must all agree. The files are read twice: their headers give the shape, so
/// that each image is decoded into its place in the memory of its set.
pub(crate) fn decode(
    tree: &Tree,
    sets: &[Labelled],
    class_names: &[String],
    options: ImageOptions,
    progress: &mut dyn LoadProgress,
) -> Result<Vec<Dataset>> {
    let paths: Vec<&PathBuf> = sets.iter().flat_map(|set| &set.paths).collect();
    let shape = common_shape(&paths, &headers(tree, &paths, options, progress)?, options)?;
    progress.begins(paths.len(), shape.bytes(paths.len()).unwrap_or(usize::MAX) as u64);
    let mut buffers = sets.iter().map(|set| zeros(shape, set.paths.len())).collect::<Result<Vec<_>>>()?;
    let mut errors = vec![];
    for (set, pixels) in sets.iter().zip(&mut buffers) {
        let read = |path: &PathBuf, pixels: &mut [u8]| read_into(tree, path, shape, options, pixels);
        let results = in_place(&set.paths, shape, pixels, progress, read);
        errors.extend(results.into_iter().filter_map(Result::err));
    }
    refuse(errors)?;
    let dataset = |(set, pixels): (&Labelled, Vec<u8>)| {
        Dataset::new(shape, pixels, set.labels.clone(), class_names.to_vec())
    };
    sets.iter().zip(buffers).map(dataset).collect()
}

/// Reads all headers. If one cannot be read, the error names every file that cannot be decoded.
pub(crate) fn headers(
    tree: &Tree,
    paths: &[&PathBuf],
    options: ImageOptions,
    progress: &mut dyn LoadProgress,
) -> Result<Vec<Header>> {
    progress.begins_headers(paths.len());
    let mut headers = Vec::with_capacity(paths.len());
    for paths in paths.chunks(images_per_report()) {
        headers.par_extend(paths.par_iter().map(|path| header(tree, path, options.exif_orientation)));
        progress.decoded(paths.len());
    }
    if headers.iter().any(Result::is_err) {
        // The error of the whole file, as of `check_images`, is more precise than that of the header.
        let whole = |path: &Path| Picture::decode(path, &tree.read(path)?, options);
        let error = |(path, header): (&&PathBuf, Result<Header>)| whole(path).err().or(header.err());
        refuse(paths.par_iter().zip(headers).filter_map(error).collect())?;
        return Ok(vec![]);
    }
    headers.into_iter().collect()
}

/// The header of a file, from its beginning if that suffices.
fn header(tree: &Tree, path: &Path, exif_orientation: bool) -> Result<Header> {
    let (beginning, length) = tree.beginning(path, Header::BEGINNING)?;
    if beginning.len() as u64 == length {
        return Header::read(path, &beginning, exif_orientation);
    }
    match Header::of_beginning(path, &beginning, length, exif_orientation) {
        Some(header) => Ok(header),
        None => Header::read(path, &tree.read(path)?, exif_orientation),
    }
}

/// An error that names every file, if there are errors.
pub(crate) fn refuse(mut errors: Vec<Error>) -> Result<()> {
    if errors.len() > 1 {
        return Err(Error::Images { reasons: errors.iter().map(ToString::to_string).collect() });
    }
    errors.pop().map_or(Ok(()), Err)
}

fn common_shape(paths: &[&PathBuf], headers: &[Header], options: ImageOptions) -> Result<ImageShape> {
    let Some(Header { size: first, .. }) = headers.first().copied() else {
        return Err(Error::Dataset("expected images, found none".into()));
    };
    if options.size.is_none()
        && let Some(other) = headers.iter().position(|header| header.size != first)
    {
        let size = |(height, width): (usize, usize)| (width, height);
        return Err(Error::ImageSizes {
            first: paths[0].clone(),
            first_size: size(first),
            other: paths[other].clone(),
            other_size: size(headers[other].size),
        });
    }
    let (height, width) = options.size.unwrap_or(first);
    let channels = if headers.iter().all(|header| header.grey) { 1 } else { 3 };
    Ok(ImageShape { channels, height, width })
}

/// Memory for images, which [`Dataset::new`] checks.
fn zeros(shape: ImageShape, images: usize) -> Result<Vec<u8>> {
    let mut pixels = vec![];
    let bytes = shape.bytes(images).filter(|&bytes| pixels.try_reserve_exact(bytes).is_ok());
    let bytes = bytes.ok_or_else(|| {
        Error::Dataset(format!("not enough memory for {images} images of {shape} bytes; set a smaller size"))
    })?;
    pixels.resize(bytes, 0);
    Ok(pixels)
}

/// Images between two reports of progress. The threads, which read 64 each, wait for each other there.
pub(crate) fn images_per_report() -> usize {
    64 * rayon::current_num_threads()
}

/// Applies `read` to each file and its part of `pixels`, in parallel. Returns the results in order.
fn in_place<T: Send>(
    paths: &[PathBuf],
    shape: ImageShape,
    pixels: &mut [u8],
    progress: &mut dyn LoadProgress,
    read: impl Fn(&PathBuf, &mut [u8]) -> T + Sync,
) -> Vec<T> {
    let (values, part) = (shape.values().max(1), images_per_report());
    let mut results = Vec::with_capacity(paths.len());
    for (paths, pixels) in paths.chunks(part).zip(pixels.chunks_mut(part.saturating_mul(values))) {
        let images = paths.par_iter().zip(pixels.par_chunks_exact_mut(values));
        results.par_extend(images.map(|(path, pixels)| read(path, pixels)));
        progress.decoded(paths.len());
    }
    results
}

/// Decodes a file into `pixels`. It must agree with the header that was read before.
fn read_into(
    tree: &Tree,
    path: &Path,
    shape: ImageShape,
    options: ImageOptions,
    pixels: &mut [u8],
) -> Result<()> {
    let picture = Picture::decode(path, &tree.read(path)?, options)?;
    if picture.size() != (shape.height, shape.width) || (shape.channels == 1 && !picture.grey) {
        let message = "the file changed while it was read; start again".into();
        return Err(Error::Malformed { path: path.to_owned(), message });
    }
    picture.write_planes(pixels);
    Ok(())
}

/// Decoded files, see [`decode_files`].
#[derive(Debug)]
pub struct DecodedFiles {
    /// The images; all labels are 0.
    pub images: Dataset,
    /// The file of each image.
    pub paths: Vec<PathBuf>,
    /// Files that cannot be decoded, with the reason.
    pub errors: Vec<(PathBuf, Error)>,
}

/// Decodes files to images of `shape`, in parallel and in order. Colour images become grey, and grey ones colour, if
/// the channels of `shape` say so.
///
/// ```
/// use nc_data::{ImageOptions, ImageShape, decode_files};
///
/// let shape = ImageShape { channels: 3, height: 32, width: 32 };
/// let decoded = decode_files(&["no-such-file.png".into()], shape, ImageOptions::default())?;
/// assert_eq!((decoded.images.len(), decoded.errors.len()), (0, 1));
/// # Ok::<(), nc_data::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Dataset`] if `shape` has neither 1 nor 3 channels or the images do not fit into memory. `options.size` is
/// ignored.
pub fn decode_files(paths: &[PathBuf], shape: ImageShape, options: ImageOptions) -> Result<DecodedFiles> {
    let options = ImageOptions { size: Some((shape.height, shape.width)), ..options };
    decode_files_by(paths, shape, options, &Fit::Cover)
}

impl StreamOptions {
    /// As [`decode_files`], to images of `channels` channels and the size of these options, with the transforms of
    /// evaluation.
    ///
    /// # Errors
    ///
    /// Those of [`decode_files`], and [`Error::Config`] for transforms that do not end at the size.
    pub fn decode_files(&self, paths: &[PathBuf], channels: usize) -> Result<DecodedFiles> {
        let (size @ (height, width), fit) = (self.size, Fit::new(&self.evaluation, self.size)?);
        let size = (fit == Fit::Cover).then_some(size);
        let options = ImageOptions { size, exif_orientation: self.exif_orientation };
        decode_files_by(paths, ImageShape { channels, height, width }, options, &fit)
    }
}

fn decode_files_by(
    paths: &[PathBuf],
    shape: ImageShape,
    options: ImageOptions,
    fit: &Fit,
) -> Result<DecodedFiles> {
    let channels = shape.channels;
    if ![1, 3].contains(&channels) {
        return Err(Error::Dataset(format!("expected 1 or 3 channels, found {channels}")));
    }
    let (mut pixels, tree) = (zeros(shape, paths.len())?, Tree::default());
    let chain = Chain::new(fit, &[], shape)?;
    // The transforms of evaluation draw nothing.
    let streams = ImageStreams { seed: 0, epoch: 0, index: 0 };
    let read = |path: &PathBuf, pixels: &mut [u8]| {
        let picture = Picture::decode(path, &tree.read(path)?, options)?.with_channels(channels);
        let mut canvas = Canvas::default();
        canvas.load_picture(picture, channels);
        chain.apply_streamed(streams, &mut canvas, pixels);
        Ok(())
    };
    let results = in_place(paths, shape, &mut pixels, &mut (), read);
    let (mut decoded, mut errors) = (vec![], vec![]);
    for ((place, path), result) in paths.iter().enumerate().zip(results) {
        match result {
            Ok(()) => {
                // Closes the gaps of unreadable files.
                let values = shape.values();
                pixels.copy_within(place * values..(place + 1) * values, decoded.len() * values);
                decoded.push(path.clone());
            }
            Err(error) => errors.push((path.clone(), error)),
        }
    }
    pixels.truncate(decoded.len() * shape.values());
    let labels = vec![0; decoded.len()];
    let images = Dataset::new(shape, pixels, labels, vec!["unknown".into()])?;
    Ok(DecodedFiles { images, paths: decoded, errors })
}
