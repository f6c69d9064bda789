use crate::Dataset;

/// Training, validation and test images of the same classes and size.
#[derive(Clone, Debug)]
pub struct Source {
    /// Display name.
    pub name: String,
    /// Training images.
    pub train: Dataset,
    /// Validation images, if the source has a set of its own.
    pub validation: Option<Dataset>,
    /// Test images; empty if the source has none.
    pub test: Dataset,
    /// Remarks to display: skipped files and directories, a suspicious layout.
    pub notes: Vec<String>,
}

impl Source {
    /// A source without validation images and notes.
    pub fn new(name: impl Into<String>, train: Dataset, test: Dataset) -> Self {
        Self { name: name.into(), train, validation: None, test, notes: vec![] }
    }
}
