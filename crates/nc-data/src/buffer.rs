/// Resizes a buffer with zeros, without room for more.
pub(crate) fn resize_exactly(buffer: &mut Vec<u8>, length: usize) {
    buffer.reserve_exact(length.saturating_sub(buffer.len()));
    buffer.resize(length, 0);
}
