use rayon::prelude::*;

use crate::{
    ClassMeans, Error, Result, Scalar,
    error::{check_finite, check_length, check_rows},
    linalg::{argmax, times_transposed, widened},
};

/// A linear classifier z = W h + b, with one row w_k per class.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    classes: usize,
    dims: usize,
    weight: Vec<f64>,
    bias: Vec<f64>,
}

impl Classifier {
    /// A classifier with `weight` (K, P), row by row, and `bias` (K), zero if `None`.
    ///
    /// ```
    /// use nc_metrics::Classifier;
    ///
    /// let classifier = Classifier::new(&[1.0, 0.0, -1.0, 0.0], Some(&[0.5, -0.5]), 2, 2)?;
    /// assert_eq!(classifier.bias(), [0.5, -0.5]);
    ///
    /// let error = Classifier::new(&[1.0, 0.0, -1.0], None, 2, 2).unwrap_err();
    /// assert_eq!(error.to_string(), "weight: expected 4 values, found 3");
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If lengths do not match K = `classes` and P = `dims`, or a value is not finite.
    pub fn new<T: Scalar>(weight: &[T], bias: Option<&[T]>, classes: usize, dims: usize) -> Result<Self> {
        if classes == 0 {
            return Err(Error::Empty("the classifier has no classes"));
        }
        check_length("weight", weight, classes * dims)?;
        check_finite("weight", weight, dims, 0)?;
        if let Some(bias) = bias {
            check_length("bias", bias, classes)?;
            check_finite("bias", bias, 1, 0)?;
        }
        let bias = bias.map_or_else(|| vec![0.0; classes], widened);
        Ok(Self { classes, dims, weight: widened(weight), bias })
    }

    /// W (K, P), row by row.
    pub fn weight(&self) -> &[f64] {
        &self.weight
    }

    /// b (K).
    pub fn bias(&self) -> &[f64] {
        &self.bias
    }

    /// Predicted class of each feature (N, P), row by row: the argmax of the logits; ties go to the lower class.
    ///
    /// # Errors
    ///
    /// If the length is not a multiple of P, or a feature is not finite.
    pub fn predictions<T: Scalar>(&self, features: &[T]) -> Result<Vec<u32>> {
        const BLOCK: usize = 256;
        check_rows("features", features, self.dims)?;
        let blocks = features.par_chunks(BLOCK * self.dims).map(|block| {
            let rows = self.logits(&widened(block));
            let predictions = rows.chunks_exact(self.classes).map(|z| argmax(z.iter().copied()) as u32);
            predictions.collect::<Vec<u32>>()
        });
        Ok(blocks.collect::<Vec<_>>().concat())
    }

    /// z = W h + b of features (N, P), row by row: (N, K).
    pub(crate) fn logits(&self, features: &[f64]) -> Vec<f64> {
        let mut logits = times_transposed(features, &self.weight, self.dims);
        for row in logits.chunks_exact_mut(self.classes) {
            row.iter_mut().zip(&self.bias).for_each(|(z, b)| *z += b);
        }
        logits
    }

    /// Checks that (K, P) match those of `means`.
    pub(crate) fn check_fits(&self, means: &ClassMeans) -> Result<()> {
        let (expected, found) = ((means.classes(), means.dims()), (self.classes, self.dims));
        if found == expected { Ok(()) } else { Err(Error::ClassifierShape { expected, found }) }
    }

    /// The rows of the classes present in `means`.
    pub(crate) fn rows_of(&self, means: &ClassMeans) -> Vec<f64> {
        let row = |&class: &u32| &self.weight[class as usize * self.dims..][..self.dims];
        means.present().iter().flat_map(row).copied().collect()
    }
}
