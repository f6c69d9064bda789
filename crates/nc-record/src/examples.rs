use serde::{Deserialize, Serialize};

use crate::ImageSample;

/// Images that explain the result of a finished run, stored in `examples.json` for the report page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Examples {
    /// Mistakes of the final network on the test images, by true class; the class with the most mistakes first.
    #[serde(default)]
    pub mistakes: Vec<ClassMistakes>,
    /// Training images of the smallest classes without augmentation, smallest class first.
    #[serde(default)]
    pub smallest: Vec<ImageSample>,
}

/// Misclassified test images of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMistakes {
    /// True class.
    pub class: usize,
    /// Test images of the class.
    pub samples: usize,
    /// Those that are misclassified.
    pub wrong: usize,
    /// The most confident mistakes, most confident first.
    pub images: Vec<Mistake>,
}

/// A misclassified image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// Predicted class.
    pub predicted: usize,
    /// Probability of the predicted class (softmax of the logits), in [0, 1].
    pub probability: f64,
    /// The image, with its true class.
    pub image: ImageSample,
}
