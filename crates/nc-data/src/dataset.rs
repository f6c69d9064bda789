use std::sync::Arc;

use crate::{Error, Result};

/// The size of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageShape {
    /// Channels C: 3 for colour, 1 for grey.
    pub channels: usize,
    /// Height H in pixels.
    pub height: usize,
    /// Width W in pixels.
    pub width: usize,
}

impl ImageShape {
    /// C H W.
    pub fn values(self) -> usize {
        self.channels * self.height * self.width
    }
}

/// Labelled images of one size in memory: a byte for each pixel and channel, (C, H, W) each. Immutable and cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct Dataset {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shape: ImageShape,
    pixels: Vec<u8>,
    labels: Vec<u32>,
    class_names: Vec<String>,
}

impl Dataset {
    /// `labels.len()` images, one after the other in `pixels`; labels count from 0 in the order of `class_names`.
    ///
    /// # Errors
    ///
    /// [`Error::Dataset`] if there are no classes, `pixels` is not of the length `shape` asks for, or a label has no
    /// class.
    pub fn new(
        shape: ImageShape,
        pixels: Vec<u8>,
        labels: Vec<u32>,
        class_names: Vec<String>,
    ) -> Result<Self> {
        let expected = shape.values() * labels.len();
        if shape.values() == 0 || pixels.len() != expected {
            let (images, found) = (labels.len(), pixels.len());
            return Err(Error::Dataset(format!(
                "{images} images of {shape:?} are {expected} bytes, found {found}"
            )));
        }
        if let Some(index) = labels.iter().position(|&label| label as usize >= class_names.len()) {
            let (label, classes) = (labels[index], class_names.len());
            return Err(Error::Dataset(format!(
                "image {index} has label {label}, but there are {classes} classes"
            )));
        }
        if class_names.is_empty() {
            return Err(Error::Dataset("there are no classes".into()));
        }
        Ok(Self { inner: Arc::new(Inner { shape, pixels, labels, class_names }) })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.inner.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of classes K.
    pub fn num_classes(&self) -> usize {
        self.inner.class_names.len()
    }

    /// The size of each image.
    pub fn shape(&self) -> ImageShape {
        self.inner.shape
    }

    /// The label of each image.
    pub fn labels(&self) -> &[u32] {
        &self.inner.labels
    }

    /// The name of each class.
    pub fn class_names(&self) -> &[String] {
        &self.inner.class_names
    }

    /// The pixels (C, H, W) of image `index`.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn image(&self, index: usize) -> &[u8] {
        let values = self.inner.shape.values();
        &self.inner.pixels[index * values..(index + 1) * values]
    }

    /// Number of images of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.num_classes()];
        for &label in self.labels() {
            counts[label as usize] += 1;
        }
        counts
    }
}
