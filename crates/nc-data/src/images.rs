//! Decodes image files into images of one size.

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image as Pixels, ImageRef},
};
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, metadata::Orientation,
};
use rayon::prelude::*;

use crate::{Dataset, Error, ImageShape, Result};

/// How image files become images of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageOptions {
    /// Height and width: each image is scaled to just cover it (bilinear, antialiased) and centre-cropped. `None` if all
    /// images have the same size.
    pub size: Option<(usize, usize)>,
    /// Turn images as the orientation in their EXIF data says; cameras store photographs in the sensor's orientation.
    pub exif_orientation: bool,
}

/// Images of their own size, turned.
impl Default for ImageOptions {
    fn default() -> Self {
        Self { size: None, exif_orientation: true }
    }
}

/// Image files and their labels.
#[derive(Default)]
pub(crate) struct Labelled {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) labels: Vec<u32>,
}

/// Decodes training and test images, dropping transparency. All are grey if every file is, else in colour. Their size
/// is that of `options`, or of the files, which must all agree.
pub(crate) fn decode(
    train: Labelled,
    test: Labelled,
    class_names: &[String],
    options: ImageOptions,
) -> Result<(Dataset, Dataset)> {
    let paths: Vec<&PathBuf> = train.paths.iter().chain(&test.paths).collect();
    if options.size.is_none() {
        refuse_different_sizes(&paths, options.exif_orientation)?;
    }
    let mut pictures: Vec<Picture> = all_or_every_error(&paths, |path| Picture::read(path, options))?;
    let Some(first) = pictures.first() else {
        return Err(Error::Dataset("expected images, found none".into()));
    };
    let (height, width) = first.size();
    let channels = if pictures.iter().all(|picture| picture.grey) { 1 } else { 3 };
    let shape = ImageShape { channels, height, width };
    let test_pictures = pictures.split_off(train.paths.len());
    let dataset = |pictures: Vec<Picture>, labels| {
        let mut pixels = Vec::with_capacity(pictures.len() * shape.values());
        for picture in pictures {
            picture.write_planes(channels, &mut pixels);
        }
        Dataset::new(shape, pixels, labels, class_names.to_vec())
    };
    Ok((dataset(pictures, train.labels)?, dataset(test_pictures, test.labels)?))
}

/// Compares the sizes in the file headers before decoding anything: full-size images may exceed the memory.
fn refuse_different_sizes(paths: &[&PathBuf], exif_orientation: bool) -> Result<()> {
    let sizes: Vec<(u32, u32)> = all_or_every_error(paths, |path| width_and_height(path, exif_orientation))?;
    let Some(other) = sizes.iter().position(|size| *size != sizes[0]) else { return Ok(()) };
    let size = |(width, height): (u32, u32)| (width as usize, height as usize);
    Err(Error::ImageSizes {
        first: paths[0].clone(),
        first_size: size(sizes[0]),
        other: paths[other].clone(),
        other_size: size(sizes[other]),
    })
}

/// Applies `read` to each file. The error names every file that fails.
fn all_or_every_error<T: Send>(
    paths: &[&PathBuf],
    read: impl Fn(&Path) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let mut all = Vec::with_capacity(paths.len());
    let mut errors = vec![];
    for result in paths.par_iter().map(|path| read(path)).collect::<Vec<_>>() {
        match result {
            Ok(value) => all.push(value),
            Err(error) => errors.push(error),
        }
    }
    if errors.len() > 1 {
        return Err(Error::Images { reasons: errors.iter().map(ToString::to_string).collect() });
    }
    errors.pop().map_or(Ok(all), Err)
}

fn width_and_height(path: &Path, exif_orientation: bool) -> Result<(u32, u32)> {
    let size = |mut decoder: Box<dyn ImageDecoder>| {
        let (width, height) = decoder.dimensions();
        let turned = exif_orientation && is_sideways(decoder.orientation()?);
        Ok(if turned { (height, width) } else { (width, height) })
    };
    let decoder = open(path)?.into_decoder();
    decoder.and_then(|decoder| size(Box::new(decoder))).map_err(|error| undecodable(path, &error))
}

/// True if the orientation swaps width and height.
fn is_sideways(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH)
}

/// Opens an image; the memory of its decoder is limited in proportion to the file length.
fn open(path: &Path) -> Result<ImageReader<BufReader<File>>> {
    let unreadable = |source| Error::Read { path: path.to_owned(), source };
    let mut reader =
        ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(unreadable)?;
    reader.limits(limits(fs::metadata(path).map_err(unreadable)?.len()));
    Ok(reader)
}

/// Formats that can be read.
const FORMATS: &str = "PNG, JPEG, WebP, BMP, TIFF or PNM";

fn not_an_image(path: &Path, reason: &str) -> Error {
    Error::Malformed { path: path.to_owned(), message: format!("expected an image ({FORMATS}): {reason}") }
}

/// The error for a file that is not an image or exceeds the limits of [`open`].
fn undecodable(path: &Path, error: &ImageError) -> Error {
    if !matches!(error, ImageError::Limits(_)) {
        return not_an_image(path, &error.to_string());
    }
    let size = ImageReader::open(path).and_then(ImageReader::with_guessed_format).map(|mut reader| {
        reader.no_limits();
        reader.into_dimensions()
    });
    let size = match size {
        Ok(Ok((width, height))) => format!(" of {width}x{height} pixels"),
        _ => String::new(),
    };
    let limit = fs::metadata(path).map_or(0, |file| limits(file.len()).max_alloc.unwrap_or(0) >> 20);
    let message = format!(
        "the image{size} needs more than the {limit} MiB allowed for decoding a file of this length; scale it down"
    );
    Error::Malformed { path: path.to_owned(), message }
}

/// True if a JPEG file is complete up to its end marker; the decoder would fill missing data with grey. A marker is
/// 0xff and a nonzero byte; a segment length follows, except after start, restart and end markers (ITU-T T.81, B.1).
fn is_whole_jpeg(mut bytes: &[u8]) -> bool {
    let is_segment = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 1 | 0xd0..=0xd8 | 0xff);
    while let Some(at) = bytes.windows(2).position(is_segment) {
        if bytes[at + 1] == 0xd9 {
            return true;
        }
        let [_, _, high, low, ..] = bytes[at..] else { return false };
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        bytes = bytes.get(end..).unwrap_or_default();
    }
    false
}

/// Decodes an image within `limits`, as [`ImageReader::decode`], and turns it.
fn upright(
    reader: ImageReader<BufReader<File>>,
    mut limits: Limits,
    exif_orientation: bool,
) -> image::ImageResult<DynamicImage> {
    let mut decoder = reader.into_decoder()?;
    limits.reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    if exif_orientation {
        image.apply_orientation(orientation);
    }
    Ok(image)
}

/// An image file, decoded and turned.
pub(crate) struct Inspected {
    /// Height and width.
    pub(crate) size: (usize, usize),
    pub(crate) grey: bool,
    /// Whether the EXIF orientation turned or mirrored it.
    pub(crate) turned: bool,
    pub(crate) bytes: Vec<u8>,
}

/// Decodes an image in its own size.
pub(crate) fn inspect(path: &Path) -> Result<Inspected> {
    let Picture { grey, height, width, bytes } = Picture::read(path, ImageOptions::default())?;
    let orientation = open(path)?.into_decoder().and_then(|mut decoder| decoder.orientation());
    let turned = orientation.map_err(|error| undecodable(path, &error))? != Orientation::NoTransforms;
    Ok(Inspected { size: (height, width), grey, turned, bytes })
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
/// [`Error::Dataset`] if `shape` has neither 1 nor 3 channels. `options.size` is ignored.
pub fn decode_files(paths: &[PathBuf], shape: ImageShape, options: ImageOptions) -> Result<DecodedFiles> {
    let ImageShape { channels, height, width } = shape;
    if ![1, 3].contains(&channels) {
        return Err(Error::Dataset(format!("expected 1 or 3 channels, found {channels}")));
    }
    let options = ImageOptions { size: Some((height, width)), ..options };
    let pictures: Vec<Result<Picture>> = paths.par_iter().map(|path| Picture::read(path, options)).collect();
    let (mut pixels, mut decoded, mut errors) = (vec![], vec![], vec![]);
    for (path, picture) in paths.iter().zip(pictures) {
        match picture {
            Ok(picture) => {
                picture.with_channels(channels).write_planes(channels, &mut pixels);
                decoded.push(path.clone());
            }
            Err(error) => errors.push((path.clone(), error)),
        }
    }
    let labels = vec![0; decoded.len()];
    let images = Dataset::new(shape, pixels, labels, vec!["unknown".into()])?;
    Ok(DecodedFiles { images, paths: decoded, errors })
}

/// A decoded image: rows of pixels, one byte each if grey, else three.
struct Picture {
    grey: bool,
    height: usize,
    width: usize,
    bytes: Vec<u8>,
}

/// Upper bound on the bytes decoded from one byte of a PNG file: inflation by 1032 (<https://zlib.net/zlib_tech.html>),
/// times 32 for a two-colour palette (eight pixels of four bytes). JPEG expands less.
const MOST_INFLATED: u64 = 1032 * 32;

/// Memory limit in bytes for small files.
const ALWAYS: u64 = 16 << 20;

/// Memory limit for decoding a file of `length` bytes, whatever image size it declares.
fn limits(length: u64) -> Limits {
    let mut limits = Limits::default();
    let needed = length.saturating_mul(MOST_INFLATED).max(ALWAYS);
    limits.max_alloc = limits.max_alloc.map(|most| most.min(needed));
    limits
}

impl Picture {
    /// Reads a file, turns and resizes the image.
    fn read(path: &Path, options: ImageOptions) -> Result<Self> {
        let file = open(path)?;
        if file.format() == Some(ImageFormat::Jpeg) {
            let bytes = fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
            if !is_whole_jpeg(&bytes) {
                return Err(not_an_image(path, "the file is cut off before its end marker"));
            }
        }
        let length = fs::metadata(path).map_or(0, |file| file.len());
        let image = upright(file, limits(length), options.exif_orientation);
        let image = image.map_err(|error| undecodable(path, &error))?;
        let picture = Self::new(image);
        match options.size {
            Some((height, width)) if (height, width) != picture.size() => {
                picture.resized(height, width).map_err(|error| Error::Malformed {
                    path: path.to_owned(),
                    message: format!("cannot be scaled to {height}x{width}: {error}"),
                })
            }
            _ => Ok(picture),
        }
    }

    fn new(image: DynamicImage) -> Self {
        let (height, width) = (image.height() as usize, image.width() as usize);
        let grey = !image.color().has_color();
        let bytes = if grey { image.into_luma8().into_raw() } else { image.into_rgb8().into_raw() };
        Self { grey, height, width, bytes }
    }

    /// The luma of a colour image if one channel is wanted.
    fn with_channels(self, channels: usize) -> Self {
        if self.grey || channels == 3 {
            return self;
        }
        // Luma of ITU-R BT.601 in fixed point, as in Pillow.
        let luma = |rgb: &[u8]| {
            let [r, g, b] = [rgb[0], rgb[1], rgb[2]].map(u32::from);
            ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) as u8
        };
        Self { grey: true, bytes: self.bytes.chunks_exact(3).map(luma).collect(), ..self }
    }

    fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// Bilinear resizing with antialiasing, as in Pillow and torchvision.
    fn resized(&self, height: usize, width: usize) -> std::result::Result<Self, Box<dyn std::error::Error>> {
        let kind = if self.grey { PixelType::U8 } else { PixelType::U8x3 };
        let from = ImageRef::new(u32::try_from(self.width)?, u32::try_from(self.height)?, &self.bytes, kind)?;
        let mut to = Pixels::new(u32::try_from(width)?, u32::try_from(height)?, kind);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .fit_into_destination(Some((0.5, 0.5)));
        Resizer::new().resize(&from, &mut to, &options)?;
        Ok(Self { grey: self.grey, height, width, bytes: to.into_vec() })
    }

    /// Appends the image channel by channel; a grey image is repeated in each.
    fn write_planes(&self, channels: usize, pixels: &mut Vec<u8>) {
        let step = if self.grey { 1 } else { 3 };
        for channel in 0..channels {
            let offset = if self.grey { 0 } else { channel };
            pixels.extend(self.bytes.iter().skip(offset).step_by(step));
        }
    }
}
