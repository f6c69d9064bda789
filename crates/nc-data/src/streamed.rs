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
    /// Decodes the image at `position` of `subset`, at least its first `rows`. Reuses the memory of `buffer`.
    pub(crate) fn decode(
        &self,
        subset: &Subset,
        position: u32,
        rows: impl FnOnce((usize, usize)) -> usize,
        reader: &mut Reader,
        buffer: Vec<u8>,
    ) -> Result<Picture> {
        let (index, shape) = (subset.indices()[position as usize], subset.dataset().shape());
        self.stream.decode(index, &self.fit, shape, rows, reader, buffer)
    }
}
