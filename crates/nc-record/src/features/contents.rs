use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    path::Path,
};

use ::safetensors::{Dtype, SafeTensorError, tensor::TensorView};

use super::{
    Floats,
    array::Array,
    container::{CLASS_NAMES, Container},
};
use crate::{Error, Result, error::io_error};

/// Features of a trained model and its classifier: the input of all neural-collapse metrics.
///
/// File entries: `features` (N, P) and `labels` (N); optionally `weight` (K, P), `bias` (K), `class_counts` (K),
/// `test_features` (M, P), `test_labels` (M) and `class_names` (K). `class_names` is a string array in an npz file and
/// a JSON array of strings in the metadata of a safetensors file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Number of classes K: the length of `weight`, `bias`, `class_counts` and `class_names`, else the largest label +
    /// 1.
    pub classes: usize,
    /// Feature dimension P.
    pub dims: usize,
    /// Features of the training images without augmentation (N, P).
    pub features: Floats,
    /// Labels of the training images (N).
    pub labels: Vec<u32>,
    /// Classifier weight (K, P).
    pub weight: Option<Floats>,
    /// Classifier bias (K).
    pub bias: Option<Floats>,
    /// Training images of each class (K).
    pub class_counts: Option<Vec<usize>>,
    /// Class names (K).
    pub class_names: Option<Vec<String>>,
    /// Features of the test images.
    pub test: Option<TestFeatures>,
    /// Unused entries of the file, in alphabetical order.
    pub ignored: Vec<String>,
}

/// Features of test images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestFeatures {
    /// Features (M, P).
    pub features: Floats,
    /// Labels (M).
    pub labels: Vec<u32>,
}

impl Features {
    /// Reads a safetensors file, or an npz file of NumPy's `savez` or `savez_compressed`.
    ///
    /// `features`, `weight`, `bias` and `test_features` are floating point: 16 bits are widened to 32, 32 and 64 bits
    /// are kept. `labels`, `class_counts` and `test_labels` are integers of any width. Memory use is the size of the
    /// features (twice that in column-major order) plus a few MiB, whatever sizes the file claims.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::NotFeatures`] with the entry's name if an entry is missing, has the wrong dtype or
    /// shape, or is inconsistent with the others, or if only labels define K and they exceed the number of samples.
    pub fn read(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(io_error("open", path))?;
        let is_zip = Container::is_zip(&mut file).map_err(io_error("read", path))?;
        Container::open(file, is_zip)
            .and_then(|mut container| Self::from_container(&mut container))
            .map_err(|reason| Error::NotFeatures { path: path.to_owned(), reason })
    }

    fn from_container(file: &mut Container) -> std::result::Result<Self, String> {
        let (features, rows, dims) =
            file.read("features", Array::matrix)?.ok_or_else(|| file.lacks("features"))?;
        let labels: Vec<u32> = file.read("labels", Array::integers)?.ok_or_else(|| file.lacks("labels"))?;
        expect("labels", "entries (one per row of features)", rows, labels.len())?;
        let weight = file.read("weight", Array::matrix)?;
        let bias = file.read("bias", Array::list)?;
        let class_counts: Option<Vec<usize>> = file.read("class_counts", Array::integers)?;
        let test_features = file.read("test_features", Array::matrix)?;
        let test_labels: Option<Vec<u32>> = file.read("test_labels", Array::integers)?;
        let class_names = file.class_names()?;
        let test = match (test_features, test_labels) {
            (None, None) => None,
            (Some(_), None) => return Err(file.lacks("test_labels")),
            (None, Some(_)) => return Err(file.lacks("test_features")),
            (Some((features, rows, test_dims)), Some(labels)) => {
                expect("test_features", "columns (as in features)", dims, test_dims)?;
                expect("test_labels", "entries (one per row of test_features)", rows, labels.len())?;
                Some(TestFeatures { features, labels })
            }
        };
        if let Some((_, _, columns)) = weight {
            expect("weight", "columns (as in features)", dims, columns)?;
        } else if bias.is_some() {
            return Err("bias: found without weight; add weight or remove bias".into());
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
                return Err(format!("{name}: expected labels below {classes}, found {largest}"));
            }
            None if largest >= samples => {
                return Err(format!(
                    "{name}: found label {largest} among only {samples} samples; add weight, class_counts or \
                     class_names to define the number of classes"
                ));
            }
            known => known.unwrap_or(largest + 1),
        };
        if let Some(bias) = &bias {
            expect("bias", "entries (one per row of weight)", classes, bias.to_f64().len())?;
        }
        if let Some(counts) = &class_counts {
            expect("class_counts", "entries (one per row of weight)", classes, counts.len())?;
        }
        if let Some(names) = &class_names {
            expect(CLASS_NAMES, "entries (one per class)", classes, names.len())?;
            if let Some(name) = names.iter().find(|name| name.chars().any(char::is_control)) {
                return Err(format!("{CLASS_NAMES}: {name:?} contains control characters; remove them"));
            }
        }
        let weight = weight.map(|(weight, ..)| weight);
        let mut ignored = file.names();
        let npz = matches!(file, Container::Npz(_));
        ignored.retain(|name| !(ENTRIES.contains(&&**name) || npz && name == CLASS_NAMES));
        Ok(Self { classes, dims, features, labels, weight, bias, class_counts, class_names, test, ignored })
    }

    /// Serialises as safetensors.
    ///
    /// # Errors
    ///
    /// If lengths are inconsistent.
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

/// Entries read as arrays.
const ENTRIES: [&str; 7] =
    ["features", "labels", "weight", "bias", "class_counts", "test_features", "test_labels"];

fn expect(name: &str, what: &str, expected: usize, found: usize) -> std::result::Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{name}: expected {expected} {what}, found {found}")) }
}
