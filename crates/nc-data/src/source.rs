use crate::Dataset;

/// Training and test images of the same classes and size.
#[derive(Clone, Debug)]
pub struct Source {
    /// A name for people.
    pub name: String,
    /// The images to train on.
    pub train: Dataset,
    /// The images to test on; empty if the source has none.
    pub test: Dataset,
}
