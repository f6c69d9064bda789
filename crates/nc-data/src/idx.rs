//! The idx files of MNIST, Fashion-MNIST and their like, plain or gzipped.
//!
//! An idx file is a magic number (two zero bytes, type 8 for unsigned bytes, number of dimensions), each dimension as
//! a big-endian u32, and the bytes.

use std::{
    borrow::Cow,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;

use crate::{Dataset, Error, ImageShape, Result, Source};

/// The names of the four files; each may also end in `.gz`.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Reads the four [`FILES`] in `directory`. Classes are the labels from 0 to the largest training label.
///
/// # Errors
///
/// [`Error::MissingFiles`] names all that are not there, [`Error::Malformed`] says what is wrong with a file.
pub fn read_dir(directory: &Path) -> Result<Source> {
    fs::metadata(directory).map_err(|source| Error::Read { path: directory.to_owned(), source })?;
    let paths = FILES.map(|name| {
        let gzipped = directory.join(format!("{name}.gz"));
        [directory.join(name), gzipped].into_iter().find(|path| path.is_file()).ok_or(name)
    });
    let missing: Vec<String> =
        paths.iter().filter_map(|path| path.as_ref().err()).map(|&name| name.into()).collect();
    if !missing.is_empty() {
        return Err(Error::MissingFiles { directory: directory.to_owned(), missing });
    }
    let mut files = Vec::with_capacity(FILES.len());
    for path in paths.into_iter().flatten() {
        let bytes = fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        files.push(File { path, bytes: bytes.into() });
    }
    let train = dataset(&files[0], &files[1], None)?;
    let test = dataset(&files[2], &files[3], Some(train.class_names().to_vec()))?;
    if test.shape() != train.shape() {
        let message =
            format!("images of {:?}, but the training images are {:?}", test.shape(), train.shape());
        return Err(files[2].malformed(message));
    }
    let name = directory.file_name().map_or_else(|| "idx".into(), |name| name.to_string_lossy().into_owned());
    Ok(Source { name, train, test })
}

/// The content of an idx file, perhaps gzipped, and what to call it.
pub(crate) struct File<'a> {
    path: PathBuf,
    bytes: Cow<'a, [u8]>,
}

impl<'a> File<'a> {
    pub(crate) fn new(path: impl Into<PathBuf>, bytes: &'a [u8]) -> Self {
        Self { path: path.into(), bytes: bytes.into() }
    }

    fn malformed(&self, message: impl Into<String>) -> Error {
        Error::Malformed { path: self.path.clone(), message: message.into() }
    }

    /// The `N` dimensions and the bytes.
    fn parse<const N: usize>(&self) -> Result<([usize; N], Vec<u8>)> {
        let content = self.unzipped().map_err(|error| self.malformed(format!("not a gzip file: {error}")))?;
        let word = |index: usize| {
            let bytes = content.get(4 * index..4 * index + 4)?;
            Some(bytes.iter().fold(0usize, |word, &byte| word << 8 | usize::from(byte)))
        };
        let magic = 0x0800 + N;
        match word(0) {
            Some(found) if found == magic => {}
            Some(found) => {
                return Err(self.malformed(format!(
                    "starts with {found:#010x}, an idx{N} file of bytes with {magic:#010x}"
                )));
            }
            None => return Err(self.malformed("is too short to be an idx file")),
        }
        let mut dims = [0; N];
        for (index, dim) in dims.iter_mut().enumerate() {
            *dim = word(index + 1).ok_or_else(|| self.malformed("ends within its header"))?;
        }
        let expected = dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
        let body = content.get(4 + 4 * N..).unwrap_or_default();
        if expected != Some(body.len()) {
            return Err(self.malformed(format!("says it holds {dims:?} bytes, but has {}", body.len())));
        }
        Ok((dims, body.to_vec()))
    }

    fn unzipped(&self) -> io::Result<Cow<'_, [u8]>> {
        if !self.bytes.starts_with(&[0x1f, 0x8b]) {
            return Ok(Cow::Borrowed(&self.bytes));
        }
        let mut content = Vec::new();
        GzDecoder::new(self.bytes.as_ref()).read_to_end(&mut content)?;
        Ok(content.into())
    }
}

/// Images and their labels. Without `class_names` the classes are the labels from 0 to the largest.
pub(crate) fn dataset(
    images: &File<'_>,
    labels: &File<'_>,
    class_names: Option<Vec<String>>,
) -> Result<Dataset> {
    let ([count, height, width], pixels) = images.parse::<3>()?;
    let ([labelled], label_bytes) = labels.parse::<1>()?;
    if labelled != count {
        return Err(labels.malformed(format!("has {labelled} labels, but there are {count} images")));
    }
    let largest = label_bytes.iter().max().copied().unwrap_or(0);
    let class_names = class_names.unwrap_or_else(|| (0..=largest).map(|label| label.to_string()).collect());
    let shape = ImageShape { channels: 1, height, width };
    Dataset::new(shape, pixels, label_bytes.into_iter().map(u32::from).collect(), class_names)
        .map_err(|error| labels.malformed(error.to_string()))
}
