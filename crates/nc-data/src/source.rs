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
    /// Remarks for people: files and directories that were not used, a suspicious layout.
    pub notes: Vec<String>,
}

impl Source {
    /// A source of which every file was used.
    pub fn new(name: impl Into<String>, train: Dataset, test: Dataset) -> Self {
        Self { name: name.into(), train, test, notes: vec![] }
    }
}
