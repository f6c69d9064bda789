use serde::{Deserialize, Serialize};

use crate::{Figures, ShotAccuracy};

/// Figures of one expert of a network of several, with its own classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expert {
    /// Test accuracy of the expert alone.
    pub test_accuracy: ShotAccuracy,
    /// Agreement with each expert: fraction of test images with the same predicted class; 1 with itself.
    pub agreement: Vec<f64>,
    /// Neural collapse of its training features, which have unit norm if its classifier is a cosine head.
    pub train: Figures,
    /// The same of its test features.
    pub test: Figures,
}
