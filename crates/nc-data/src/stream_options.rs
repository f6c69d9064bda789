use crate::Transform;

/// How image files become streamed images of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamOptions {
    /// Height and width.
    pub size: (usize, usize),
    /// Turn images as the orientation in their EXIF data says.
    pub exif_orientation: bool,
    /// Transforms of a training image in its own size to `size`, before those of a view: `resize`, `center-crop` and
    /// `random-resized-crop` with a size. Empty to scale each image to just cover `size` and crop its centre, as in memory.
    pub training: Vec<Transform>,
    /// The same in evaluation, without `random-resized-crop`.
    pub evaluation: Vec<Transform>,
}
