//! Images that are decoded each time that they are used.

use std::path::PathBuf;

use crate::{
    Error, ImageOptions, ImageShape, Result,
    hold_out::Digest256,
    images::Picture,
    index::Facts,
    jpeg::{self, Shortened},
    transform::Fit,
    tree::{Place, Reader},
};

/// The encoded images of a set.
pub(crate) struct Stream {
    pub(crate) images: Vec<Encoded>,
    pub(crate) exif_orientation: bool,
    /// How training images get the common size.
    pub(crate) training: Fit,
    /// How images get the common size in evaluation.
    pub(crate) evaluation: Fit,
}

/// An image file.
#[derive(Clone)]
pub(crate) struct Encoded {
    pub(crate) path: PathBuf,
    pub(crate) place: Place,
    /// Length in bytes.
    pub(crate) length: u64,
    pub(crate) facts: Facts,
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

    /// Decodes image `index` for `fit`, with at most `shape.channels` channels. Rows below the first `rows`, which is computed
    /// from height and width, may be zeros instead. Reuses the memory of `buffer`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] and [`Error::Malformed`] name a file that cannot be read or decoded, or that changed.
    pub(crate) fn decode(
        &self,
        index: usize,
        fit: &Fit,
        shape: ImageShape,
        rows: impl FnOnce((usize, usize)) -> usize,
        reader: &mut Reader,
        buffer: Vec<u8>,
    ) -> Result<Picture> {
        let Encoded { path, place, length, facts } = &self.images[index];
        let bytes = reader.read(path, place, u64::MAX)?;
        let size = (*fit == Fit::Cover).then_some((shape.height, shape.width));
        let options = ImageOptions { size, exif_orientation: self.exif_orientation };
        let is_changed = |picture: &Picture| picture.grey != facts.grey;
        let is_as_long = bytes.len() as u64 == *length;
        let shortened =
            if size.is_none() { jpeg::keep_rows(bytes, !self.exif_orientation, rows) } else { None };
        let decoded = is_as_long.then(|| Picture::decode_into(path, bytes, options, buffer));
        let decoded = decoded.transpose().map_err(|error| match error {
            Error::Malformed { path, message } => {
                let message = format!("{message}; list all damaged files by nclt check --write-skip");
                Error::Malformed { path, message }
            }
            other => other,
        })?;
        let picture = decoded.filter(|picture| !is_changed(picture)).ok_or_else(|| {
            let message = "the file changed while it was used; start again".into();
            Error::Malformed { path: path.clone(), message }
        })?;
        match shortened {
            None => Ok(picture),
            Some(Shortened { whole, kept }) if kept == picture.height => Ok(picture.extended(whole)),
            Some(_) => {
                let message = "the JPEG file has two headers of different heights".into();
                Err(Error::Malformed { path: path.clone(), message })
            }
        }
    }
}
