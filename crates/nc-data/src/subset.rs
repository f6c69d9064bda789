use std::fmt;

use rand::seq::SliceRandom;
use sha2::{Digest, Sha256};

use crate::{
    Dataset, Profile, Result,
    rng::{Purpose, stream},
};

/// Some images of a [`Dataset`], in an order that does not depend on the order of its files.
///
/// Within a class the images are ordered by the SHA-256 of their pixels before anything is drawn, so that the same
/// images give the same subset, in the same order, whether they came from one archive, from folders or from a
/// shuffled copy.
#[derive(Clone)]
pub struct Subset {
    dataset: Dataset,
    indices: Vec<usize>,
    labels: Vec<u32>,
    class_counts: Vec<usize>,
    hash: String,
}

impl Subset {
    /// Draws as many images of each class as `profile` says, without replacement, from a stream of `seed` for each
    /// class.
    ///
    /// ```
    /// use nc_data::{Profile, Subset, fashion_mnist_lt};
    ///
    /// let source = fashion_mnist_lt()?;
    /// let profile = Profile::Balanced { per_class: Some(10) };
    /// let subset = Subset::draw(&source.train, &profile, 0)?;
    /// assert_eq!(subset.class_counts(), [10; 10]);
    /// assert_ne!(subset.hash(), Subset::draw(&source.train, &profile, 1)?.hash());
    /// # Ok::<(), nc_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Profile::counts`].
    pub fn draw(dataset: &Dataset, profile: &Profile, seed: u64) -> Result<Self> {
        let counts = profile.counts(&dataset.class_counts())?;
        Ok(Self::select(dataset, |class, images| {
            images.shuffle(&mut stream(seed, Purpose::Subset, 0, class as u64));
            images.truncate(counts[class]);
        }))
    }

    /// All images, by class and within a class by digest.
    pub fn all(dataset: &Dataset) -> Self {
        Self::select(dataset, |_, _| {})
    }

    /// The images that `choose` leaves of each class.
    fn select(dataset: &Dataset, choose: impl Fn(usize, &mut Vec<(Digest256, usize)>)) -> Self {
        let mut classes = vec![Vec::new(); dataset.num_classes()];
        for (index, &label) in dataset.labels().iter().enumerate() {
            classes[label as usize].push((Sha256::digest(dataset.image(index)).into(), index));
        }
        let shape = dataset.shape();
        let mut hash = Sha256::new();
        for value in [shape.channels, shape.height, shape.width, classes.len()] {
            hash.update((value as u64).to_le_bytes());
        }
        let (mut indices, mut labels, mut class_counts) = (Vec::new(), Vec::new(), Vec::new());
        for (class, mut images) in classes.into_iter().enumerate() {
            images.sort_unstable();
            choose(class, &mut images);
            hash.update((images.len() as u64).to_le_bytes());
            class_counts.push(images.len());
            for (digest, index) in images {
                hash.update(digest);
                indices.push(index);
                labels.push(class as u32);
            }
        }
        Self { dataset: dataset.clone(), indices, labels, class_counts, hash: hex(&hash.finalize()) }
    }

    /// The data set it is a part of.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Where each image stands in the data set: by class, within a class as drawn.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The label of each image.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The pixels (C, H, W) of the image at `position`.
    ///
    /// # Panics
    ///
    /// If there is no such image.
    pub fn image(&self, position: usize) -> &[u8] {
        self.dataset.image(self.indices[position])
    }

    /// Number of images n_k of each class.
    pub fn class_counts(&self) -> &[usize] {
        &self.class_counts
    }

    /// SHA-256, in hexadecimal, of C, H, W and K, then for each class n_k and the SHA-256 of each image in the subset's
    /// order; numbers as little-endian u64. Two subsets of one hash give the same batches.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// Without the images' places.
impl fmt::Debug for Subset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subset")
            .field("dataset", &self.dataset)
            .field("class_counts", &self.class_counts)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

type Digest256 = [u8; 32];

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
