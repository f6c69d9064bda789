use std::{collections::BTreeMap, fs::File, path::Path};

use ::safetensors::{Dtype, SafeTensorError, tensor::TensorView};

use super::container::Container;
use crate::{Error, Result, error::io_error};

/// The features of a trained model and its classifier: all that neural collapse is measured on.
///
/// As a file: `features` (N, P), `labels` (N), and where they are known `weight` (K, P), `bias` (K), `class_counts` (K),
/// `test_features` (M, P), `test_labels` (M).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// K: as many as `weight`, `bias` and `class_counts` have, or else one more than the largest label.
    pub classes: usize,
    /// P.
    pub dims: usize,
    /// Features of the training images, un-augmented, a row each.
    pub features: Vec<f32>,
    /// Labels of the training images.
    pub labels: Vec<u32>,
    /// The classifier's weight, a row for each class.
    pub weight: Option<Vec<f32>>,
    /// The classifier's bias.
    pub bias: Option<Vec<f32>>,
    /// Training images of each class.
    pub class_counts: Option<Vec<usize>>,
    /// Of the test images.
    pub test: Option<TestFeatures>,
}

/// Features of test images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestFeatures {
    /// A row each.
    pub features: Vec<f32>,
    /// Their labels.
    pub labels: Vec<u32>,
}

impl Features {
    /// Reads a safetensors file, or an npz file as NumPy's `savez` and `savez_compressed` write it.
    ///
    /// `features`, `weight`, `bias` and `test_features` can be floating-point numbers of 16, 32 or 64 bits and become 32
    /// bits wide; `labels`, `class_counts` and `test_labels` are integers of any width. Other entries are passed over.
    /// Memory taken is that of the features plus some MiB (the features twice where they stand column after column),
    /// whatever sizes the file claims.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and [`Error::NotFeatures`], which names the entry, if one is missing, is of another kind or shape,
    /// or does not fit the others, or if the labels alone would make for more classes than there are samples.
    pub fn read(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(io_error("open", path))?;
        let is_zip = Container::is_zip(&mut file).map_err(io_error("read", path))?;
        Container::open(file, is_zip)
            .and_then(|mut container| Self::from_container(&mut container))
            .map_err(|reason| Error::NotFeatures { path: path.to_owned(), reason })
    }

    fn from_container(file: &mut Container) -> std::result::Result<Self, String> {
        let (features, rows, dims) = file.matrix("features")?.ok_or_else(|| file.lacks("features"))?;
        let labels: Vec<u32> = file.integers("labels")?.ok_or_else(|| file.lacks("labels"))?;
        expect("labels", "one for each of the features", rows, labels.len())?;
        let weight = file.matrix("weight")?;
        let bias = file.list("bias")?;
        let class_counts: Option<Vec<usize>> = file.integers("class_counts")?;
        let test_features = file.matrix("test_features")?;
        let test_labels: Option<Vec<u32>> = file.integers("test_labels")?;
        let test = match (test_features, test_labels) {
            (None, None) => None,
            (Some(_), None) => return Err(file.lacks("test_labels")),
            (None, Some(_)) => return Err(file.lacks("test_features")),
            (Some((features, rows, test_dims)), Some(labels)) => {
                expect("test_features", "as many columns as the features have", dims, test_dims)?;
                expect("test_labels", "one for each of the test features", rows, labels.len())?;
                Some(TestFeatures { features, labels })
            }
        };
        if let Some((_, _, columns)) = weight {
            expect("weight", "as many columns as the features have", dims, columns)?;
        } else if bias.is_some() {
            return Err("bias: there is no weight it belongs to".into());
        }
        let known = weight.as_ref().map(|&(_, rows, _)| rows).or_else(|| class_counts.as_ref().map(Vec::len));
        let test_labels = test.as_ref().map_or(&[][..], |test| &test.labels);
        let (largest, name) = [("test_labels", test_labels), ("labels", &labels)]
            .into_iter()
            .filter_map(|(name, labels)| Some((*labels.iter().max()? as usize, name)))
            .max_by_key(|&(largest, _)| largest)
            .unwrap_or_default();
        let samples = labels.len() + test_labels.len();
        let classes = match known {
            Some(classes) if largest >= classes => {
                return Err(format!("{name}: expected classes below {classes}, found {largest}"));
            }
            None if largest >= samples => {
                return Err(format!(
                    "{name}: found {largest}, but there are only {samples} samples; give weight or class_counts, \
                     which say how many classes there are"
                ));
            }
            known => known.unwrap_or(largest + 1),
        };
        if let Some(bias) = &bias {
            expect("bias", "one for each row of weight", classes, bias.len())?;
        }
        if let Some(counts) = &class_counts {
            expect("class_counts", "one for each row of weight", classes, counts.len())?;
        }
        let weight = weight.map(|(weight, ..)| weight);
        Ok(Self { classes, dims, features, labels, weight, bias, class_counts, test })
    }

    /// The features in the safetensors format.
    ///
    /// # Errors
    ///
    /// Those of safetensors, where the lengths do not fit each other.
    pub fn to_safetensors(&self) -> std::result::Result<Vec<u8>, SafeTensorError> {
        let floats =
            |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let labels = |values: &[u32]| {
            values.iter().flat_map(|&label| i64::from(label).to_le_bytes()).collect::<Vec<u8>>()
        };
        let (p, k) = (self.dims, self.classes);
        let mut entries = vec![
            ("features", Dtype::F32, vec![self.labels.len(), p], floats(&self.features)),
            ("labels", Dtype::I64, vec![self.labels.len()], labels(&self.labels)),
        ];
        if let Some(weight) = &self.weight {
            entries.push(("weight", Dtype::F32, vec![k, p], floats(weight)));
        }
        if let Some(bias) = &self.bias {
            entries.push(("bias", Dtype::F32, vec![k], floats(bias)));
        }
        if let Some(counts) = &self.class_counts {
            let counts = counts.iter().flat_map(|&count| (count as i64).to_le_bytes()).collect();
            entries.push(("class_counts", Dtype::I64, vec![k], counts));
        }
        if let Some(test) = &self.test {
            let m = test.labels.len();
            entries.push(("test_features", Dtype::F32, vec![m, p], floats(&test.features)));
            entries.push(("test_labels", Dtype::I64, vec![m], labels(&test.labels)));
        }
        let mut views = BTreeMap::new();
        for (name, dtype, shape, bytes) in &entries {
            views.insert(*name, TensorView::new(*dtype, shape.clone(), bytes)?);
        }
        ::safetensors::serialize(views, None)
    }
}

fn expect(name: &str, what: &str, expected: usize, found: usize) -> std::result::Result<(), String> {
    if expected == found {
        Ok(())
    } else {
        Err(format!("{name}: expected {what}, {expected}, found {found}"))
    }
}
