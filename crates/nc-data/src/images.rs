//! Decodes one image file.

use std::{
    io::{BufRead, Cursor, Seek},
    path::Path,
};

use crate::{Error, Result, buffer::resize_exactly, jpeg};
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image as Pixels, ImageRef},
};
use image::{
    ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    metadata::Orientation,
};

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

/// Properties of an image, from the header of its file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Height and width, after turning by EXIF orientation if that is wanted.
    pub(crate) size: (usize, usize),
    /// Whether the decoded image has no colour: `DynamicImage` takes its colour type from the decoder of the header.
    pub(crate) grey: bool,
    /// Whether the EXIF orientation turns or mirrors the image.
    pub(crate) turned: bool,
}

impl Header {
    /// Bytes at the beginning of a file in which its header is looked for first.
    pub(crate) const BEGINNING: usize = 64 << 10;

    /// Reads the header of the file `path` with content `bytes`.
    pub(crate) fn read(path: &Path, bytes: &[u8], exif_orientation: bool) -> Result<Self> {
        refuse_empty(path, bytes)?;
        let header = Self::of(reader(path, bytes), bytes.len() as u64, exif_orientation);
        let header = header.map_err(|error| undecodable(path, bytes, &error))?;
        let (height, width) = header.size;
        if height * width == 0 { Err(no_pixels(path)) } else { Ok(header) }
    }

    /// The header of a JPEG or PNG file of `length` bytes from its `beginning`; `None` if that does not suffice or the file is of
    /// another format.
    pub(crate) fn of_beginning(
        path: &Path,
        beginning: &[u8],
        length: u64,
        exif_orientation: bool,
    ) -> Option<Self> {
        let reader = reader(path, beginning);
        // Decoders of other formats read metadata behind the pixels.
        reader.format().filter(|format| [ImageFormat::Jpeg, ImageFormat::Png].contains(format))?;
        let header = Self::of(reader, length, exif_orientation).ok()?;
        (header.size.0 * header.size.1 > 0).then_some(header)
    }

    fn of(
        reader: ImageReader<impl BufRead + Seek>,
        length: u64,
        exif_orientation: bool,
    ) -> image::ImageResult<Self> {
        let mut decoder = reader.into_decoder()?;
        limits(length).reserve(decoder.total_bytes())?;
        let (width, height) = decoder.dimensions();
        let (width, height) = (width as usize, height as usize);
        let orientation = decoder.orientation()?;
        let turned = exif_orientation && is_sideways(orientation);
        Ok(Self {
            size: if turned { (width, height) } else { (height, width) },
            grey: !decoder.color_type().has_color(),
            turned: orientation != Orientation::NoTransforms,
        })
    }
}

/// True if the orientation swaps width and height.
fn is_sideways(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH)
}

/// A reader of an image whose format follows from its content or, without a known beginning, from the name of its file. The
/// memory of its decoder is limited in proportion to the length of the file.
fn reader<'a>(path: &Path, bytes: &'a [u8]) -> ImageReader<Cursor<&'a [u8]>> {
    let mut reader = ImageReader::new(Cursor::new(bytes));
    if let Some(format) = image::guess_format(bytes).ok().or_else(|| ImageFormat::from_path(path).ok()) {
        reader.set_format(format);
    }
    reader.limits(limits(bytes.len() as u64));
    reader
}

/// Formats that can be read.
const FORMATS: &str = "PNG, JPEG, WebP, BMP, TIFF or PNM";

fn not_an_image(path: &Path, reason: &str) -> Error {
    Error::Malformed { path: path.to_owned(), message: format!("expected an image ({FORMATS}): {reason}") }
}

fn refuse_empty(path: &Path, bytes: &[u8]) -> Result<()> {
    if bytes.is_empty() { Err(not_an_image(path, "the file is empty")) } else { Ok(()) }
}

/// The error for an image of width or height 0, which some formats allow.
fn no_pixels(path: &Path) -> Error {
    not_an_image(path, "it has no pixels")
}

/// The error for a file that is not an image or exceeds the limits of [`reader`].
fn undecodable(path: &Path, bytes: &[u8], error: &ImageError) -> Error {
    if !matches!(error, ImageError::Limits(_)) {
        // Texts of decoders may have line breaks.
        let text = error.to_string();
        let reason: Vec<&str> = text.split_whitespace().collect();
        return not_an_image(path, &reason.join(" "));
    }
    let mut unlimited = reader(path, bytes);
    unlimited.no_limits();
    let size = match unlimited.into_dimensions() {
        Ok((width, height)) => format!(" of {width}x{height} pixels"),
        Err(_) => String::new(),
    };
    let limit = limits(bytes.len() as u64).max_alloc.unwrap_or(0) >> 20;
    let message = format!(
        "the image{size} needs more than the {limit} MiB allowed for decoding a file of this length; scale it down"
    );
    Error::Malformed { path: path.to_owned(), message }
}

/// Decodes an image within `limits`, as [`ImageReader::decode`], and rotates or mirrors it. Reuses the memory of `buffer` for 8-bit
/// grey and RGB images.
fn upright(
    reader: ImageReader<Cursor<&[u8]>>,
    mut limits: Limits,
    exif_orientation: bool,
    mut buffer: Vec<u8>,
) -> image::ImageResult<Picture> {
    let mut decoder = reader.into_decoder()?;
    let bytes = decoder.total_bytes();
    limits.reserve(bytes)?;
    let orientation = if exif_orientation { decoder.orientation()? } else { Orientation::NoTransforms };
    let (color, (width, height)) = (decoder.color_type(), decoder.dimensions());
    if orientation == Orientation::NoTransforms && [ColorType::L8, ColorType::Rgb8].contains(&color) {
        // Zeros, because decoders leave out pixels of some damaged files.
        buffer.clear();
        resize_exactly(&mut buffer, bytes as usize);
        decoder.read_image(&mut buffer)?;
        let (height, width) = (height as usize, width as usize);
        return Ok(Picture { grey: color == ColorType::L8, height, width, bytes: buffer });
    }
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(Picture::new(image))
}

/// A decoded image: rows of pixels, one byte each if grey, else three.
#[derive(Clone)]
pub(crate) struct Picture {
    pub(crate) grey: bool,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) bytes: Vec<u8>,
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
    /// Decodes the file `path` with content `bytes`, turns and resizes the image.
    pub(crate) fn decode(path: &Path, bytes: &[u8], options: ImageOptions) -> Result<Self> {
        Self::decode_into(path, bytes, options, vec![])
    }

    /// As [`Picture::decode`]. Reuses the memory of `buffer`.
    pub(crate) fn decode_into(
        path: &Path,
        bytes: &[u8],
        options: ImageOptions,
        buffer: Vec<u8>,
    ) -> Result<Self> {
        refuse_empty(path, bytes)?;
        let reader = reader(path, bytes);
        if reader.format() == Some(ImageFormat::Jpeg) {
            if !bytes.starts_with(&[0xff, 0xd8]) {
                return Err(not_an_image(path, "the content is not that of a JPEG file"));
            }
            if !jpeg::is_whole(bytes) {
                return Err(not_an_image(path, "the file is cut off before its end marker"));
            }
        }
        let picture = upright(reader, limits(bytes.len() as u64), options.exif_orientation, buffer);
        let picture = picture.map_err(|error| undecodable(path, bytes, &error))?;
        if picture.bytes.is_empty() {
            return Err(no_pixels(path));
        }
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
    pub(crate) fn with_channels(self, channels: usize) -> Self {
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

    /// Height and width.
    pub(crate) fn size(&self) -> (usize, usize) {
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

    /// The image with zeros below, to `height`.
    pub(crate) fn extended(mut self, height: usize) -> Self {
        let row = self.bytes.len() / self.height;
        resize_exactly(&mut self.bytes, row * height);
        Self { height, ..self }
    }

    /// Writes the image channel by channel into `pixels`; a grey image is repeated in each.
    pub(crate) fn write_planes(&self, pixels: &mut [u8]) {
        let step = if self.grey { 1 } else { 3 };
        for (channel, plane) in pixels.chunks_exact_mut(self.height * self.width).enumerate() {
            let offset = if self.grey { 0 } else { channel };
            let values = self.bytes.iter().skip(offset).step_by(step);
            for (pixel, value) in plane.iter_mut().zip(values) {
                *pixel = *value;
            }
        }
    }
}
