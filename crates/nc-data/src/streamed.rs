//! The part of a recipe for streamed images.

use std::sync::Arc;

use crate::{Result, Subset, batch::Worker, images::Picture, stream::Stream, transform::Fit};

/// How the images of a recipe are decoded.
pub(crate) struct Streamed {
    pub(crate) stream: Arc<Stream>,
    /// How they get their common size.
    pub(crate) fit: Fit,
}

impl Streamed {
    /// Decodes the image at `position` of `subset`, at least its first `rows`, with the memory of `worker`.
    pub(crate) fn decode(
        &self,
        subset: &Subset,
        position: u32,
        rows: impl FnOnce((usize, usize)) -> usize,
        worker: &mut Worker,
    ) -> Result<Picture> {
        let (index, shape) = (subset.indices()[position as usize], subset.dataset().shape());
        let Worker { canvas, reader } = worker;
        self.stream.decode(index, &self.fit, shape, rows, reader, canvas.take_buffer())
    }
}
