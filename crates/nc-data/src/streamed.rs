//! The part of a recipe for streamed images.

use std::sync::Arc;

use crate::{Result, Subset, images::Picture, stream::Stream, transform::Fit, tree::Reader};

/// How the images of a recipe are decoded.
pub(crate) struct Streamed {
    pub(crate) stream: Arc<Stream>,
    /// How they get their common size.
    pub(crate) fit: Fit,
}

impl Streamed {
    /// Decodes the image at `position` of `subset`.
    pub(crate) fn decode(&self, subset: &Subset, position: u32, reader: &mut Reader) -> Result<Picture> {
        let index = subset.indices()[position as usize];
        self.stream.decode(index, &self.fit, subset.dataset().shape(), reader)
    }
}
