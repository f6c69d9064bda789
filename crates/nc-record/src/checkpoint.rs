use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{Error, FORMAT_VERSION, Result, error::io_error, version};

/// A tensor of a [`Checkpoint`].
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Values in row-major order.
    pub values: Vec<f32>,
}

/// Everything needed to resume a run: tensors, and `S` for all other state.
///
/// The file is safetensors with the metadata entries `format_version`, `state` (JSON) and `sha256` (of state, names,
/// shapes and values).
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<S> {
    /// Training state other than tensors.
    pub state: S,
    /// Weights and optimiser state, by name.
    pub tensors: BTreeMap<String, Array>,
}

impl<S: Serialize + DeserializeOwned> Checkpoint<S> {
    pub(crate) fn to_bytes(&self) -> std::result::Result<Vec<u8>, Box<dyn std::error::Error>> {
        let state = serde_json::to_string(&self.state)?;
        let bytes: BTreeMap<&str, (&[usize], Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, Array { shape, values })| {
                let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                (name.as_str(), (shape.as_slice(), bytes))
            })
            .collect();
        let digest =
            digest(&state, bytes.iter().map(|(name, (shape, bytes))| (*name, *shape, bytes.as_slice())));
        let metadata = HashMap::from([
            ("format_version".to_owned(), FORMAT_VERSION.to_string()),
            ("sha256".to_owned(), digest),
            ("state".to_owned(), state),
        ]);
        let mut views = BTreeMap::new();
        for (name, (shape, bytes)) in &bytes {
            views.insert(*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes)?);
        }
        Ok(safetensors::serialize(views, Some(metadata))?)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read, [`Error::Version`] for another format version, [`Error::Damaged`] for
    /// a corrupt file.
    pub fn read(path: &Path) -> Result<Self> {
        let file = fs::read(path).map_err(io_error("read", path))?;
        let damaged = |reason: String| Error::Damaged { path: path.to_owned(), reason };
        let (_, header) = SafeTensors::read_metadata(&file).map_err(|error| damaged(error.to_string()))?;
        let entry = |name: &str| {
            let entry = header.metadata().as_ref().and_then(|metadata| metadata.get(name));
            entry.ok_or_else(|| damaged(format!("missing metadata entry {name:?}")))
        };
        let version = entry("format_version")?;
        let version: u32 =
            version.parse().map_err(|_| damaged(format!("invalid format version {version:?}")))?;
        version::expect(path, version)?;
        let tensors = SafeTensors::deserialize(&file).map_err(|error| damaged(error.to_string()))?;
        let mut views: Vec<(String, TensorView<'_>)> = tensors.tensors();
        views.sort_by(|(a, _), (b, _)| a.cmp(b));
        let state = entry("state")?;
        if *entry("sha256")?
            != digest(state, views.iter().map(|(name, view)| (name.as_str(), view.shape(), view.data())))
        {
            return Err(damaged("SHA-256 mismatch".into()));
        }
        let state = serde_json::from_str(state).map_err(|error| damaged(error.to_string()))?;
        let array = |view: &TensorView<'_>| Array {
            shape: view.shape().to_vec(),
            values: view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        };
        let tensors = views.iter().map(|(name, view)| (name.clone(), array(view))).collect();
        Ok(Self { state, tensors })
    }
}

/// SHA-256 of the whole content. Length prefixes make the hashed encoding unambiguous.
fn digest<'a>(state: &str, tensors: impl Iterator<Item = (&'a str, &'a [usize], &'a [u8])>) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(state.as_bytes());
    for (name, shape, bytes) in tensors {
        part(name.as_bytes());
        let shape: Vec<u8> = shape.iter().flat_map(|&dim| (dim as u64).to_le_bytes()).collect();
        part(&shape);
        part(bytes);
    }
    let digit = |nibble| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    hash.finalize().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
