/// Images in a chunk, the unit of work of a thread: a function of the number of images alone, so that sums are taken
/// in the same order whatever the number of threads.
pub(super) fn chunk_images(images: usize) -> usize {
    images.div_ceil(16).clamp(1, 8)
}

/// Cuts a slice that may be missing into `count` pieces of `len` values, the last as long as is left.
pub(super) fn pieces(slice: Option<&mut [f32]>, len: usize, count: usize) -> Vec<Option<&mut [f32]>> {
    match slice {
        Some(slice) => slice.chunks_mut(len).map(Some).collect(),
        None => (0..count).map(|_| None).collect(),
    }
}
