use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    path::Path,
};

use ::safetensors::{Dtype, SafeTensorError, tensor::TensorView};

use super::{
    Floats,
    container::{CLASS_NAMES, Container},
};
use crate::{Error, Result, error::io_error};

/// The features of a trained model and its classifier: the input of every neural-collapse figure.
///
/// As a file: `features` (N, P) and `labels` (N); optionally `weight` (K, P), `bias` (K), `class_counts` (K),
/// `test_features` (M, P), `test_labels` (M) and `class_names` (K): in an npz file an array of text, in a safetensors file
/// a JSON array of strings under that key of the metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// K: the length of `weight`, `bias`, `class_counts` and `class_names`, or else one more than the largest label.
    pub classes: usize,
    /// P.
    pub dims: usize,
    /// Features of the training images, un-augmented, a row each.
    pub features: Floats,
    /// Labels of the training images.
    pub labels: Vec<u32>,
    /// The classifier's weight, a row for each class.
    pub weight: Option<Floats>,
    /// The classifier's bias.
    pub bias: Option<Floats>,
    /// Training images of each class.
    pub class_counts: Option<Vec<usize>>,
    /// The name of each class.
    pub class_names: Option<Vec<String>>,
    /// Of the test images.
    pub test: Option<TestFeatures>,
    /// Entries of the file that are none of the above, in alphabetical order.
    pub ignored: Vec<String>,
}

/// Features of test images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestFeatures {
    /// A row each.
    pub features: Floats,
    /// Their labels.
    pub labels: Vec<u32>,
}

impl Features {
    /// Reads a safetensors file, or an npz file as NumPy's `savez` and `savez_compressed` write it.
    ///
    /// `features`, `weight`, `bias` and `test_features` are floating-point numbers of 16 bits, which become 32, or of 32 or
    /// 64, which they keep; `labels`, `class_counts` and `test_labels` are integers of any width.
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
        let class_names = file.class_names()?;
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
        let known = weight.as_ref().map(|&(_, rows, _)| rows);
        let known = known.or_else(|| class_counts.as_ref().map(Vec::len));
        let known = known.or_else(|| class_names.as_ref().map(Vec::len));
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
                    "{name}: found {largest}, but there are only {samples} samples; give weight, \
                     class_counts or class_names, which say how many classes there are"
                ));
            }
            known => known.unwrap_or(largest + 1),
        };
        if let Some(bias) = &bias {
            expect("bias", "one for each row of weight", classes, bias.to_f64().len())?;
        }
        if let Some(counts) = &class_counts {
            expect("class_counts", "one for each row of weight", classes, counts.len())?;
        }
        if let Some(names) = &class_names {
            expect(CLASS_NAMES, "one for each class", classes, names.len())?;
            if let Some(name) = names.iter().find(|name| name.chars().any(char::is_control)) {
                return Err(format!("{CLASS_NAMES}: {name:?} has control characters; remove them"));
            }
        }
        let weight = weight.map(|(weight, ..)| weight);
        let mut ignored = file.names();
        let npz = matches!(file, Container::Npz(_));
        ignored.retain(|name| !(ENTRIES.contains(&&**name) || npz && name == CLASS_NAMES));
        Ok(Self { classes, dims, features, labels, weight, bias, class_counts, class_names, test, ignored })
    }

    /// The features in the safetensors format.
    ///
    /// # Errors
    ///
    /// Those of safetensors, where the lengths do not fit each other.
    pub fn to_safetensors(&self) -> std::result::Result<Vec<u8>, SafeTensorError> {
        let floats = |values: &Floats| match values {
            Floats::F32(values) => (Dtype::F32, values.iter().flat_map(|x| x.to_le_bytes()).collect()),
            Floats::F64(values) => (Dtype::F64, values.iter().flat_map(|x| x.to_le_bytes()).collect()),
        };
        let integers = |values: &mut dyn Iterator<Item = i64>| -> (Dtype, Vec<u8>) {
            (Dtype::I64, values.flat_map(i64::to_le_bytes).collect())
        };
        let labels = |labels: &[u32]| integers(&mut labels.iter().map(|&label| label.into()));
        let (p, k) = (self.dims, self.classes);
        let mut entries = vec![
            ("features", vec![self.labels.len(), p], floats(&self.features)),
            ("labels", vec![self.labels.len()], labels(&self.labels)),
        ];
        if let Some(weight) = &self.weight {
            entries.push(("weight", vec![k, p], floats(weight)));
        }
        if let Some(bias) = &self.bias {
            entries.push(("bias", vec![k], floats(bias)));
        }
        if let Some(counts) = &self.class_counts {
            let counts = integers(&mut counts.iter().map(|&count| count as i64));
            entries.push(("class_counts", vec![k], counts));
        }
        if let Some(test) = &self.test {
            let m = test.labels.len();
            entries.push(("test_features", vec![m, p], floats(&test.features)));
            entries.push(("test_labels", vec![m], labels(&test.labels)));
        }
        let mut views = BTreeMap::new();
        for (name, shape, (dtype, bytes)) in &entries {
            views.insert(*name, TensorView::new(*dtype, shape.clone(), bytes)?);
        }
        let names = self.class_names.as_ref().map(|names| serde_json::json!(names).to_string());
        ::safetensors::serialize(views, names.map(|names| HashMap::from([(CLASS_NAMES.into(), names)])))
    }
}

/// The arrays that are read.
const ENTRIES: [&str; 7] =
    ["features", "labels", "weight", "bias", "class_counts", "test_features", "test_labels"];

fn expect(name: &str, what: &str, expected: usize, found: usize) -> std::result::Result<(), String> {
    if expected == found {
        Ok(())
    } else {
        Err(format!("{name}: expected {what}, {expected}, found {found}"))
    }
}
