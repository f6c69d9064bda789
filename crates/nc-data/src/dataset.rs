use std::{fmt, sync::Arc};

use crate::{Error, ImageShape, Result, error::first, stream::Stream};

/// Labelled images of one size, a byte per pixel and channel: (C, H, W) each. Immutable and cheap to clone. They are in
/// memory, or streamed: decoded from their files each time that they are used, see
/// [`ImageFiles::stream`](crate::ImageFiles::stream).
///
/// ```
/// use nc_data::{Dataset, ImageShape};
///
/// let shape = ImageShape { channels: 1, height: 1, width: 2 };
/// let names = vec!["dark".to_owned(), "light".to_owned()];
/// let dataset = Dataset::new(shape, vec![0, 9, 200, 255, 3, 0], vec![0, 1, 0], names)?;
/// assert_eq!(dataset.image(1), [200, 255]);
/// assert_eq!(dataset.class_counts(), [2, 1]);
/// # Ok::<(), nc_data::Error>(())
/// ```
#[derive(Clone)]
pub struct Dataset {
    inner: Arc<Inner>,
}

struct Inner {
    shape: ImageShape,
    pixels: Pixels,
    labels: Vec<u32>,
    class_names: Vec<String>,
    groups: Option<Vec<u32>>,
}

/// Where the pixels come from.
#[derive(Clone)]
enum Pixels {
    /// All images, one after another.
    Memory(Arc<Vec<u8>>),
    Streamed(Arc<Stream>),
}

impl Dataset {
    /// `labels.len()` images stored consecutively in `pixels`; labels index `class_names`.
    ///
    /// # Errors
    ///
    /// [`Error::Dataset`] for no classes, an empty `shape`, a length of `pixels` that does not match `shape` and
    /// `labels`, a label out of range, or more images than a `u32` can count.
    pub fn new(
        shape: ImageShape,
        pixels: Vec<u8>,
        labels: Vec<u32>,
        class_names: Vec<String>,
    ) -> Result<Self> {
        let images = labels.len();
        let is_empty = class_names.is_empty() || shape.bytes(1) == Some(0);
        if !is_empty && shape.bytes(images) != Some(pixels.len()) {
            let found = pixels.len();
            return Err(Error::Dataset(format!(
                "expected {images} images of {shape} bytes, found {found} bytes in total"
            )));
        }
        Self::checked(shape, Pixels::Memory(Arc::new(pixels)), labels, class_names)
    }

    /// The images of `stream`, one for each label.
    pub(crate) fn streamed(
        shape: ImageShape,
        stream: Stream,
        labels: Vec<u32>,
        class_names: Vec<String>,
    ) -> Result<Self> {
        Self::checked(shape, Pixels::Streamed(Arc::new(stream)), labels, class_names)
    }

    fn checked(
        shape: ImageShape,
        pixels: Pixels,
        labels: Vec<u32>,
        class_names: Vec<String>,
    ) -> Result<Self> {
        let (images, classes) = (labels.len(), class_names.len());
        if class_names.is_empty() {
            return Err(Error::Dataset("expected at least one class, found none".into()));
        }
        if shape.bytes(1) == Some(0) {
            return Err(Error::Dataset(format!("expected images of at least one pixel, found size {shape}")));
        }
        if u32::try_from(images).is_err() {
            return Err(Error::Dataset(format!("expected at most {} images, found {images}", u32::MAX)));
        }
        if let Some(index) = labels.iter().position(|&label| label as usize >= classes) {
            let label = labels[index];
            return Err(Error::Dataset(format!(
                "image {index}: expected a label below {classes}, the number of classes, found {label}"
            )));
        }
        Ok(Self { inner: Arc::new(Inner { shape, pixels, labels, class_names, groups: None }) })
    }

    /// The same images in groups, such as the frames of one video, which [`Subset::hold_out`](crate::Subset::hold_out)
    /// keeps together. `groups[i]` is the number of the group of image i.
    ///
    /// # Errors
    ///
    /// [`Error::Dataset`] unless there is one number per image.
    pub fn with_groups(&self, groups: Vec<u32>) -> Result<Self> {
        if groups.len() != self.len() {
            let (expected, found) = (self.len(), groups.len());
            return Err(Error::Dataset(format!("expected {expected} groups, one per image, found {found}")));
        }
        let Inner { shape, pixels, labels, class_names, .. } = self.inner.as_ref();
        let (pixels, labels, class_names) = (pixels.clone(), labels.clone(), class_names.clone());
        let inner = Inner { shape: *shape, pixels, labels, class_names, groups: Some(groups) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The same images relabelled for another list of classes, matched by name: class k is `names[k]`. Classes without
    /// images may be missing from `names`.
    ///
    /// # Errors
    ///
    /// [`Error::Dataset`] if the class of an image is not in `names`, or if `names` is empty or has duplicates.
    pub fn with_classes(&self, names: &[String]) -> Result<Self> {
        let twice = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name));
        if let Some((_, name)) = twice {
            return Err(Error::Dataset(format!("duplicate class name {name:?}; class names must be unique")));
        }
        let place = |name: &String| names.iter().position(|other| other == name);
        let places: Vec<Option<usize>> = self.class_names().iter().map(place).collect();
        let counts = self.class_counts();
        let unknown = (0..counts.len()).filter(|&class| places[class].is_none() && counts[class] > 0);
        let unknown: Vec<String> = unknown.map(|class| self.class_names()[class].clone()).collect();
        if !unknown.is_empty() {
            return Err(Error::Dataset(format!(
                "unknown class {}; expected one of {}",
                first(&unknown),
                first(names)
            )));
        }
        let label = |&label: &u32| places[label as usize].map_or(u32::MAX, |place| place as u32);
        let labels = self.labels().iter().map(label).collect();
        let Inner { shape, pixels, groups, .. } = self.inner.as_ref();
        let (pixels, class_names, groups) = (pixels.clone(), names.to_vec(), groups.clone());
        let inner = Inner { shape: *shape, pixels, labels, class_names, groups };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Grey images repeated in `channels` equal channels. Images that already have `channels` channels are unchanged.
    ///
    /// # Errors
    ///
    /// [`Error::Dataset`] if the images have neither 1 nor `channels` channels.
    pub fn with_channels(&self, channels: usize) -> Result<Self> {
        let shape = self.shape();
        if shape.channels == channels {
            return Ok(self.clone());
        }
        if shape.channels != 1 {
            let found = shape.channels;
            return Err(Error::Dataset(format!("expected images with {channels} channels, found {found}")));
        }
        let shape = ImageShape { channels, ..shape };
        let pixels = match &self.inner.pixels {
            Pixels::Memory(_) => {
                let repeated = (0..self.len()).flat_map(|index| self.image(index).repeat(channels));
                Pixels::Memory(Arc::new(repeated.collect()))
            }
            Pixels::Streamed(stream) => Pixels::Streamed(Arc::clone(stream)),
        };
        let images = Self::checked(shape, pixels, self.labels().to_vec(), self.class_names().to_vec())?;
        match self.groups() {
            Some(groups) => images.with_groups(groups.to_vec()),
            None => Ok(images),
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.inner.labels.len()
    }

    /// True if there are no images.
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

    /// The number of the group of each image, if the images are in groups.
    pub fn groups(&self) -> Option<&[u32]> {
        self.inner.groups.as_deref()
    }

    /// The name of each class.
    pub fn class_names(&self) -> &[String] {
        &self.inner.class_names
    }

    /// Class `class` in a message: its name, quoted unless it is the class number.
    pub(crate) fn class(&self, class: usize) -> String {
        let name = &self.class_names()[class];
        if name.parse::<usize>().is_ok_and(|number| number == class) {
            name.clone()
        } else {
            format!("{name:?}")
        }
    }

    /// True if the images are streamed.
    pub fn is_streamed(&self) -> bool {
        self.stream().is_some()
    }

    /// The source of streamed images.
    pub(crate) fn stream(&self) -> Option<&Arc<Stream>> {
        match &self.inner.pixels {
            Pixels::Memory(_) => None,
            Pixels::Streamed(stream) => Some(stream),
        }
    }

    /// The pixels (C, H, W) of image `index`.
    ///
    /// # Panics
    ///
    /// If `index` is out of range, or if the images are streamed: [`Loader::samples`](crate::Loader::samples) decodes those.
    pub fn image(&self, index: usize) -> &[u8] {
        let Pixels::Memory(pixels) = &self.inner.pixels else {
            panic!("streamed images are not in memory; see Loader::samples");
        };
        let values = self.inner.shape.values();
        &pixels[index * values..(index + 1) * values]
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

/// Omits the pixels.
impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("shape", &self.shape())
            .field("images", &self.len())
            .field("class_names", &self.class_names())
            .finish_non_exhaustive()
    }
}
