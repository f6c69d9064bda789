use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensorError, tensor::TensorView};

/// The features of a trained model and its classifier: all that neural collapse is measured on.
///
/// As a safetensors file: `features` (N, P), `weight` (K, P), `bias` (K), `test_features` (M, P) as F32, `labels` (N),
/// `class_counts` (K), `test_labels` (M) as I64.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// P.
    pub dims: usize,
    /// Features of the training images, un-augmented, a row each.
    pub features: Vec<f32>,
    /// Labels of the training images.
    pub labels: Vec<u32>,
    /// The classifier's weight, a row for each class.
    pub weight: Vec<f32>,
    /// The classifier's bias, if it has one.
    pub bias: Option<Vec<f32>>,
    /// Training images of each class.
    pub class_counts: Vec<usize>,
    /// Features of the test images.
    pub test_features: Vec<f32>,
    /// Labels of the test images.
    pub test_labels: Vec<u32>,
}

impl Features {
    /// The features in the safetensors format.
    ///
    /// # Errors
    ///
    /// Those of safetensors, where the lengths do not fit each other.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, SafeTensorError> {
        let floats =
            |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let labels =
            |values: &[u32]| values.iter().flat_map(|&label| i64::from(label).to_le_bytes()).collect();
        let counts: Vec<u8> = self.class_counts.iter().flat_map(|&n| (n as i64).to_le_bytes()).collect();
        let (p, k) = (self.dims, self.class_counts.len());
        let (n, m) = (self.labels.len(), self.test_labels.len());
        let mut entries: Vec<(&str, Dtype, Vec<usize>, Vec<u8>)> = vec![
            ("features", Dtype::F32, vec![n, p], floats(&self.features)),
            ("labels", Dtype::I64, vec![n], labels(&self.labels)),
            ("weight", Dtype::F32, vec![k, p], floats(&self.weight)),
            ("class_counts", Dtype::I64, vec![k], counts),
            ("test_features", Dtype::F32, vec![m, p], floats(&self.test_features)),
            ("test_labels", Dtype::I64, vec![m], labels(&self.test_labels)),
        ];
        if let Some(bias) = &self.bias {
            entries.push(("bias", Dtype::F32, vec![k], floats(bias)));
        }
        let mut views = BTreeMap::new();
        for (name, dtype, shape, bytes) in &entries {
            views.insert(*name, TensorView::new(*dtype, shape.clone(), bytes)?);
        }
        safetensors::serialize(views, None)
    }
}
