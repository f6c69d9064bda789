/// Images per chunk, the unit of work of a thread. Depends on the number of images alone, so that the order of
/// summation does not depend on the number of threads.
pub(super) fn chunk_images(images: usize) -> usize {
    images.div_ceil(16).clamp(1, 8)
}

/// Splits an optional slice into `count` pieces of `len` values; the last may be shorter.
pub(super) fn pieces<E>(slice: Option<&mut [E]>, len: usize, count: usize) -> Vec<Option<&mut [E]>> {
    match slice {
        Some(slice) => slice.chunks_mut(len).map(Some).collect(),
        None => (0..count).map(|_| None).collect(),
    }
}
