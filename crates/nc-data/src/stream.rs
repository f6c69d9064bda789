//! Images that are decoded each time that they are used.

use std::path::PathBuf;

use crate::{
    Error, ImageOptions, ImageShape, Result,
    hold_out::Digest256,
    images::Picture,
    index::Facts,
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
