//! Data sets from the [Hugging Face hub](https://huggingface.co/datasets), fetched by [`candle_datasets`].
//!
//! Fetched files stay in the hub's cache (`HF_HOME`). Images equal those of the official files, so that a
//! [`Subset`](crate::Subset) of either has the same hash.

use candle_core::{DType, Tensor};
use candle_datasets::vision::{self, Dataset as Fetched};

use crate::{Dataset, Error, ImageShape, Result, Source, cifar::Cifar, idx};

/// CIFAR-10 (repository `cifar10`): 50,000 training and 10,000 test images of 3x32x32.
///
/// # Errors
///
/// [`Error::Hub`] if the files are neither cached nor can be fetched, or cannot be read.
///
/// # Panics
///
/// If a cached file contains an invalid image.
pub fn cifar10() -> Result<Source> {
    let name = "cifar10";
    let mut fetched = vision::cifar::load().map_err(|source| Error::Hub { name, source })?;
    // `candle_datasets` swaps x and y.
    fetched.train_images = fetched.train_images.transpose(2, 3)?;
    fetched.test_images = fetched.test_images.transpose(2, 3)?;
    source(name, &fetched, COLOUR, &Cifar::Ten.class_names())
}

/// MNIST (repository `ylecun/mnist`): 60,000 training and 10,000 test images of 1x28x28.
///
/// # Errors
///
/// As for [`cifar10`].
///
/// # Panics
///
/// As [`cifar10`].
pub fn mnist() -> Result<Source> {
    let name = "mnist";
    let fetched = vision::mnist::load().map_err(|source| Error::Hub { name, source })?;
    let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    source(name, &fetched, GREY, &digits)
}

/// Fashion-MNIST (repository `zalando-datasets/fashion_mnist`): 60,000 training and 10,000 test images of 1x28x28.
///
/// # Errors
///
/// As for [`cifar10`].
///
/// # Panics
///
/// As [`cifar10`].
pub fn fashion_mnist() -> Result<Source> {
    let name = "fashion-mnist";
    let fetched = vision::fashion_mnist::load().map_err(|source| Error::Hub { name, source })?;
    source(name, &fetched, GREY, &idx::FASHION_MNIST_CLASSES.map(str::to_owned))
}

const COLOUR: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };
const GREY: ImageShape = ImageShape { channels: 1, height: 28, width: 28 };

fn source(name: &str, fetched: &Fetched, shape: ImageShape, class_names: &[String]) -> Result<Source> {
    let train = dataset(&fetched.train_images, &fetched.train_labels, shape, class_names)?;
    let test = dataset(&fetched.test_images, &fetched.test_labels, shape, class_names)?;
    Ok(Source::new(name, train, test))
}

/// Converts images (N, ...) of values from 0 to 1 back to bytes.
fn dataset(images: &Tensor, labels: &Tensor, shape: ImageShape, class_names: &[String]) -> Result<Dataset> {
    /// Images converted per step; bounds the memory.
    const CHUNK: usize = 1000;
    let count = images.dim(0)?;
    let mut pixels = Vec::with_capacity(count * shape.values());
    for first in (0..count).step_by(CHUNK) {
        let chunk = images.narrow(0, first, CHUNK.min(count - first))?;
        let bytes = (chunk * 255.0)?.round()?.to_dtype(DType::U8)?;
        pixels.extend(bytes.flatten_all()?.to_vec1::<u8>()?);
    }
    let labels = labels.to_dtype(DType::U32)?.to_vec1()?;
    Dataset::new(shape, pixels, labels, class_names.to_vec())
}
