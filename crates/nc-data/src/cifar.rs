//! The binary versions of CIFAR-10 and CIFAR-100 (Krizhevsky 2009).
//!
//! A file is a sequence of records: the label as a byte (CIFAR-100: the coarse, then the fine label, which is used),
//! then 3,072 bytes of 32x32 pixels in planes of red, green and blue
//! ([description](https://www.cs.toronto.edu/~kriz/cifar.html)). Files may hold any number of records.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Dataset, Error, ImageShape, Result, Source};

/// CIFAR-10 or CIFAR-100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cifar {
    /// CIFAR-10: `data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin`.
    Ten,
    /// CIFAR-100 with its 100 fine labels: `train.bin`, `test.bin`.
    Hundred,
}

const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };
const PIXELS: usize = 3 * 32 * 32;

impl Cifar {
    /// Directory name in the official archive.
    fn directory(self) -> &'static str {
        match self {
            Self::Ten => "cifar-10-batches-bin",
            Self::Hundred => "cifar-100-binary",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ten => "cifar10",
            Self::Hundred => "cifar100",
        }
    }

    fn training_files(self) -> &'static [&'static str] {
        match self {
            Self::Ten => &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
            ],
            Self::Hundred => &["train.bin"],
        }
    }

    fn test_file(self) -> &'static str {
        match self {
            Self::Ten => "test_batch.bin",
            Self::Hundred => "test.bin",
        }
    }

    /// Number of label bytes per record; the last one is used.
    fn label_bytes(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Hundred => 2,
        }
    }

    pub(crate) fn class_names(self) -> Vec<String> {
        let names = match self {
            Self::Ten => include_str!("cifar/cifar10.txt"),
            Self::Hundred => include_str!("cifar/cifar100.txt"),
        };
        names.lines().map(str::to_owned).collect()
    }
}

/// Reads the files in `directory`, or in its subdirectory of the official name if it has none of them.
///
/// ```no_run
/// use nc_data::cifar::{self, Cifar};
///
/// let source = cifar::read_dir("data".as_ref(), Cifar::Ten)?;
/// assert_eq!(source.train.class_counts(), [5000; 10]);
/// # Ok::<(), nc_data::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Read`] if the directory or a file cannot be read, [`Error::MissingFiles`] with all missing files,
/// [`Error::Malformed`] for a file that is empty, does not consist of whole records, or has a label out of range.
pub fn read_dir(directory: &Path, cifar: Cifar) -> Result<Source> {
    fs::read_dir(directory).map_err(|source| Error::Read { path: directory.to_owned(), source })?;
    let files = || cifar.training_files().iter().copied().chain([cifar.test_file()]);
    let inside = directory.join(cifar.directory());
    let here = files().any(|file| directory.join(file).is_file());
    let directory = if !here && inside.is_dir() { inside } else { directory.to_owned() };
    let missing: Vec<String> =
        files().filter(|file| !directory.join(file).is_file()).map(str::to_owned).collect();
    if !missing.is_empty() {
        return Err(Error::MissingFiles { directory, missing });
    }
    let paths = |names: &[&str]| names.iter().map(|name| directory.join(name)).collect::<Vec<_>>();
    let train = dataset(cifar, &paths(cifar.training_files()))?;
    let test = dataset(cifar, &paths(&[cifar.test_file()]))?;
    Ok(Source::new(cifar.name(), train, test))
}

fn dataset(cifar: Cifar, files: &[PathBuf]) -> Result<Dataset> {
    let class_names = cifar.class_names();
    let (label_bytes, record) = (cifar.label_bytes(), cifar.label_bytes() + PIXELS);
    let (mut pixels, mut labels) = (vec![], vec![]);
    for path in files {
        let malformed = |message| Error::Malformed { path: path.clone(), message };
        let bytes = fs::read(path).map_err(|source| Error::Read { path: path.clone(), source })?;
        if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
            let found = bytes.len();
            return Err(malformed(format!("expected whole records of {record} bytes, found {found} bytes")));
        }
        for (index, record) in bytes.chunks_exact(record).enumerate() {
            let (label, image) = (record[label_bytes - 1], &record[label_bytes..]);
            if usize::from(label) >= class_names.len() {
                let classes = class_names.len();
                return Err(malformed(format!(
                    "record {index}: expected a label below {classes}, found {label}"
                )));
            }
            labels.push(u32::from(label));
            pixels.extend_from_slice(image);
        }
    }
    Dataset::new(SHAPE, pixels, labels, class_names)
}
