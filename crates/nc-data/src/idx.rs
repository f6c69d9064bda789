//! The idx files of MNIST, Fashion-MNIST and similar data sets, plain or gzipped.
//!
//! An idx file has a magic number (two zero bytes, type 8 for unsigned bytes, number of dimensions), each dimension as
//! a big-endian u32, and the bytes ([description](http://yann.lecun.com/exdb/mnist/)).

use std::{
    borrow::Cow,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;

use crate::{Dataset, Error, ImageShape, Result, Source};

/// The names of the four files; each may also end in `.gz`.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Class names of Fashion-MNIST, in label order.
pub(crate) const FASHION_MNIST_CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Directory into which `download` puts Fashion-MNIST.
const FASHION_MNIST: &str = "fashion-mnist";

/// Reads the four [`FILES`] in `directory`, or in its subdirectory `fashion-mnist` if it has none of them. A plain file
/// takes precedence over a gzipped one. Classes are the labels from 0 to the largest training label. They have the
/// names of Fashion-MNIST if the name of the directory or its parent contains "fashion" (as in `FashionMNIST/raw`),
/// else numbers.
///
/// ```no_run
/// let source = nc_data::idx::read_dir("/usr/share/datasets/fashion-mnist".as_ref())?;
/// assert_eq!(source.train.class_counts(), [6000; 10]);
/// # Ok::<(), nc_data::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Read`] if the directory or a file cannot be read, [`Error::MissingFiles`] with all missing files,
/// [`Error::Malformed`] for a wrong magic number, length or label, or for images whose number or size does not match
/// the other files.
pub fn read_dir(directory: &Path) -> Result<Source> {
    fs::read_dir(directory).map_err(|source| Error::Read { path: directory.to_owned(), source })?;
    let find_in = |directory: &Path, name: &str| {
        let names = [name.to_owned(), format!("{name}.gz")];
        names.map(|name| directory.join(name)).into_iter().find(|path| path.is_file())
    };
    let inside = directory.join(FASHION_MNIST);
    let here = FILES.iter().any(|name| find_in(directory, name).is_some());
    let directory = if !here && inside.is_dir() { &inside } else { directory };
    let find = |name: &str| find_in(directory, name);
    let [Some(train_images), Some(train_labels), Some(test_images), Some(test_labels)] = FILES.map(find)
    else {
        let missing = FILES.into_iter().filter(|name| find(name).is_none());
        let missing = missing.map(|name| format!("{name}[.gz]")).collect();
        return Err(Error::MissingFiles { directory: directory.to_owned(), missing });
    };
    let files = [
        File::read(train_images)?,
        File::read(train_labels)?,
        File::read(test_images)?,
        File::read(test_labels)?,
    ];
    let name = directory.file_name().map_or_else(|| "idx".into(), |name| name.to_string_lossy().into_owned());
    // The files contain no class names, and MNIST's have the same file names.
    let is_fashion = |part: &std::ffi::OsStr| part.to_string_lossy().to_lowercase().contains("fashion");
    let fashion = directory.iter().rev().take(2).any(is_fashion);
    let mut source = source(name, &files, fashion.then(|| FASHION_MNIST_CLASSES.map(str::to_owned).into()))?;
    let both = |name: &&str| directory.join(name).is_file() && directory.join(format!("{name}.gz")).is_file();
    for file in FILES.into_iter().filter(both) {
        source.notes.push(format!("{}: unused file {file}.gz beside {file}", directory.display()));
    }
    Ok(source)
}

/// Builds a source from the four [`FILES`]. Without `class_names`, the classes are the labels from 0 to the largest
/// training label, named by their numbers.
pub(crate) fn source(
    name: String,
    [train_images, train_labels, test_images, test_labels]: &[File<'_>; 4],
    class_names: Option<Vec<String>>,
) -> Result<Source> {
    let train = dataset(train_images, train_labels, class_names)?;
    let test = dataset(test_images, test_labels, Some(train.class_names().to_vec()))?;
    if test.shape() != train.shape() {
        let (expected, found) = (train.shape(), test.shape());
        let message = format!("expected images of size {expected} as in the training set, found {found}");
        return Err(test_images.malformed(message));
    }
    Ok(Source::new(name, train, test))
}

fn dataset(images: &File<'_>, labels: &File<'_>, class_names: Option<Vec<String>>) -> Result<Dataset> {
    let ([count, height, width], pixels) = images.parse::<3>()?;
    let ([labelled], label_bytes) = labels.parse::<1>()?;
    if pixels.is_empty() {
        return Err(images.malformed(format!("expected images, found {count} of {height}x{width}")));
    }
    if labelled != count {
        return Err(labels.malformed(format!("expected {count} labels, one per image, found {labelled}")));
    }
    let largest = label_bytes.iter().max().copied().unwrap_or(0);
    let class_names = class_names.unwrap_or_else(|| (0..=largest).map(|label| label.to_string()).collect());
    let shape = ImageShape { channels: 1, height, width };
    Dataset::new(shape, pixels, label_bytes.into_iter().map(u32::from).collect(), class_names)
        .map_err(|error| labels.malformed(error.to_string()))
}

/// The content of an idx file, possibly gzipped, and its path for messages.
pub(crate) struct File<'a> {
    path: PathBuf,
    bytes: Cow<'a, [u8]>,
}

impl<'a> File<'a> {
    pub(crate) fn embedded(name: &str, bytes: &'a [u8]) -> Self {
        Self { path: name.into(), bytes: bytes.into() }
    }

    fn read(path: PathBuf) -> Result<Self> {
        match fs::read(&path) {
            Ok(bytes) => Ok(Self { path, bytes: bytes.into() }),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    fn malformed(&self, message: impl Into<String>) -> Error {
        Error::Malformed { path: self.path.clone(), message: message.into() }
    }

    /// The `N` dimensions and the bytes. Never decompresses more than the header announces.
    fn parse<const N: usize>(&self) -> Result<([usize; N], Vec<u8>)> {
        let damaged = |error| self.malformed(format!("damaged gzip file: {error}"));
        let mut content = self.unzipped();
        let (length, mut header) = (4 + 4 * N, vec![]);
        content.by_ref().take(length as u64).read_to_end(&mut header).map_err(damaged)?;
        if header.len() < length {
            let found = header.len();
            return Err(self.malformed(format!("expected a header of {length} bytes, found {found}")));
        }
        let mut words = header
            .chunks_exact(4)
            .map(|bytes| bytes.iter().fold(0usize, |word, &byte| word << 8 | usize::from(byte)));
        let (expected, found) = (0x0800 + N, words.next().unwrap_or_default());
        if found != expected {
            return Err(
                self.malformed(format!("expected magic number {expected:#010x}, found {found:#010x}"))
            );
        }
        let dims: [usize; N] = std::array::from_fn(|_| words.next().unwrap_or_default());
        let wrong = |found: &str| {
            let dims = dims.map(|dim| dim.to_string()).join("x");
            self.malformed(format!("expected {dims} bytes after the header, found {found}"))
        };
        let expected = dims.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim as u64));
        let expected = expected.ok_or_else(|| wrong("fewer"))?;
        let mut body = vec![];
        content.by_ref().take(expected).read_to_end(&mut body).map_err(damaged)?;
        if (body.len() as u64) < expected {
            return Err(wrong(&body.len().to_string()));
        }
        // Reading to the end verifies the gzip checksum.
        if content.read(&mut [0]).map_err(damaged)? > 0 {
            return Err(wrong("more"));
        }
        Ok((dims, body))
    }

    fn unzipped(&self) -> Box<dyn Read + '_> {
        let bytes = self.bytes.as_ref();
        if bytes.starts_with(&[0x1f, 0x8b]) { Box::new(MultiGzDecoder::new(bytes)) } else { Box::new(bytes) }
    }
}
