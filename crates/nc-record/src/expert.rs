use serde::{Deserialize, Serialize};

use crate::{Figures, ShotAccuracy};

/// Figures of one expert of a network of several, with its own classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expert {
    /// Test accuracy of the expert alone.
    pub test_accuracy: ShotAccuracy,
    /// Fraction of test images on which it decides as each expert does, in the experts' order; 1 for itself.
    pub agreement: Vec<f64>,
    /// Neural collapse of its training features.
    pub train: Figures,
    /// Neural collapse of its test features.
    pub test: Figures,
}
