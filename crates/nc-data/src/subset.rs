use std::{
    collections::{HashMap, HashSet},
    fmt,
    iter::repeat_n,
};

use rand::seq::SliceRandom;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::{
    Dataset, Error, Profile, Result,
    group_hold_out::split,
    hex::hex,
    hold_out::{Digest256, Image},
    rng::{Purpose, stream},
};

/// Selected images of a [`Dataset`], in an order independent of file order.
///
/// Within a class, images are sorted by the SHA-256 of their pixels before drawing. The same images therefore give the
/// same subset in the same order, whether they come from an archive, from folders or from a shuffled copy. Streamed images
/// are sorted by the SHA-256 of the bytes of their files instead, and have hashes of their own.
#[derive(Clone)]
pub struct Subset {
    dataset: Dataset,
    indices: Vec<usize>,
    digests: Vec<Digest256>,
    labels: Vec<u32>,
    class_counts: Vec<usize>,
    hash: String,
}

impl Subset {
    /// Draws the number of images of each class that `profile` sets, without replacement, from one stream of `seed` per
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
        Self::all(dataset).thinned(profile, seed)
    }

    /// All images, sorted by class and within a class by digest.
    pub fn all(dataset: &Dataset) -> Self {
        let mut classes = vec![Vec::new(); dataset.num_classes()];
        let images = (0..dataset.len()).into_par_iter();
        let digests: Vec<Digest256> = match dataset.stream() {
            None => images.map(|index| Sha256::digest(dataset.image(index)).into()).collect(),
            Some(stream) => images.map(|index| stream.digest(index)).collect(),
        };
        for (index, (&label, digest)) in dataset.labels().iter().zip(digests).enumerate() {
            classes[label as usize].push(Image { digest, index });
        }
        for class in &mut classes {
            class.sort_unstable();
        }
        Self::new(dataset.clone(), &classes)
    }

    /// [`Subset::draw`] from the images of this subset.
    ///
    /// # Errors
    ///
    /// Those of [`Profile::counts`].
    pub fn thinned(&self, profile: &Profile, seed: u64) -> Result<Self> {
        let counts = profile.counts_of(&self.class_counts, &|class| self.dataset.class(class))?;
        let mut classes = self.by_digest();
        for (class, (images, count)) in classes.iter_mut().zip(counts).enumerate() {
            images.shuffle(&mut stream(seed, Purpose::Subset, 0, class as u64));
            images.truncate(count);
        }
        Ok(Self::new(self.dataset.clone(), &classes))
    }

    /// Splits off a held-out share `fraction` of each class, drawn from one stream of (`seed`, `purpose`) per class.
    /// Returns the rest and the held-out images. The share is rounded to the nearest number of images. A class of two
    /// or more images holds out at least one and keeps at least one; a single image is kept.
    ///
    /// Images in [groups](Dataset::with_groups) are held out by whole groups, as close to that share of each class as the
    /// groups allow. A class keeps at least one group. A class of two or more groups holds out at least one, unless each of
    /// them is the last of another class. Groups are drawn in an order that depends on their images alone, from the same
    /// streams, smallest class first.
    ///
    /// ```
    /// use nc_data::{Subset, fashion_mnist_lt, rng::Purpose};
    ///
    /// let all = Subset::all(&fashion_mnist_lt()?.train);
    /// let (train, validation) = all.hold_out(0.1, 0, Purpose::Validation)?;
    /// assert_eq!(validation.class_counts(), [100, 60, 36, 22, 13, 8, 5, 3, 2, 1]);
    /// assert_eq!(train.len() + validation.len(), all.len());
    /// # Ok::<(), nc_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Config`](crate::Error::Config) if `fraction` is not between 0 and 1.
    pub fn hold_out(&self, fraction: f64, seed: u64, purpose: Purpose) -> Result<(Self, Self)> {
        if !(fraction > 0.0 && fraction < 1.0) {
            let message =
                format!("expected a share of held-out images between 0 and 1, exclusive, found {fraction}");
            return Err(Error::Config(message));
        }
        let (most, held_out) = split(self.by_digest(), self.dataset.groups(), fraction, seed, purpose);
        Ok((Self::new(self.dataset.clone(), &most), Self::new(self.dataset.clone(), &held_out)))
    }

    /// `classes[k]` holds the images of class k.
    fn new(dataset: Dataset, classes: &[Vec<Image>]) -> Self {
        let shape = dataset.shape();
        let mut hash = Sha256::new();
        if let Some(stream) = dataset.stream() {
            hash.update(stream.identity());
        }
        for value in [shape.channels, shape.height, shape.width, classes.len()] {
            hash.update((value as u64).to_le_bytes());
        }
        for images in classes {
            hash.update((images.len() as u64).to_le_bytes());
            for image in images {
                hash.update(image.digest);
            }
        }
        let class_counts: Vec<usize> = classes.iter().map(Vec::len).collect();
        let labels =
            class_counts.iter().enumerate().flat_map(|(class, &count)| repeat_n(class as u32, count));
        Self {
            labels: labels.collect(),
            indices: classes.iter().flatten().map(|image| image.index).collect(),
            digests: classes.iter().flatten().map(|image| image.digest).collect(),
            dataset,
            class_counts,
            hash: hex(&hash.finalize()),
        }
    }

    /// The images of each class, sorted by digest.
    fn by_digest(&self) -> Vec<Vec<Image>> {
        let images = self.digests.iter().zip(&self.indices).map(|(&digest, &index)| Image { digest, index });
        let mut images = images.collect::<Vec<_>>().into_iter();
        let mut classes: Vec<Vec<Image>> =
            self.class_counts.iter().map(|&count| images.by_ref().take(count).collect()).collect();
        for class in &mut classes {
            class.sort_unstable();
        }
        classes
    }

    /// The data set of this subset.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// True if there are no images.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Index of each image in the data set, sorted by class and within a class as drawn.
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
    /// If `position` is out of range, or if the images are streamed.
    pub fn image(&self, position: usize) -> &[u8] {
        self.dataset.image(self.indices[position])
    }

    /// Number of images of this subset that are also in `other`, equal in every pixel. Streamed images are compared by the
    /// bytes of their files.
    pub fn copies_in(&self, other: &Self) -> usize {
        let others: HashSet<&Digest256> = other.digests.iter().collect();
        self.digests.iter().filter(|digest| others.contains(digest)).count()
    }

    /// The number of images equal in every pixel to an image of another class. Streamed images are compared by the bytes of
    /// their files.
    pub fn copies_under_other_labels(&self) -> usize {
        let mut labels: HashMap<&Digest256, (u32, bool)> = HashMap::new();
        for (digest, &label) in self.digests.iter().zip(&self.labels) {
            let (first, ambiguous) = labels.entry(digest).or_insert((label, false));
            *ambiguous |= *first != label;
        }
        self.digests
            .iter()
            .filter(|digest| labels.get(digest).is_some_and(|(_, ambiguous)| *ambiguous))
            .count()
    }

    /// Number of groups of each class, if the images are in [groups](Dataset::with_groups).
    pub fn group_counts(&self) -> Option<Vec<usize>> {
        let groups = self.dataset.groups()?;
        let mut of_class = vec![HashSet::new(); self.class_counts.len()];
        for (&index, &label) in self.indices.iter().zip(&self.labels) {
            of_class[label as usize].insert(groups[index]);
        }
        Some(of_class.iter().map(HashSet::len).collect())
    }

    /// Number of images n_k of each class.
    pub fn class_counts(&self) -> &[usize] {
        &self.class_counts
    }

    /// SHA-256, in hexadecimal, of C, H, W and K, then for each class n_k and the SHA-256 of each image in subset
    /// order; numbers as little-endian u64. Subsets of equal hash give the same batches. For streamed images, the SHA-256 are
    /// those of the files, and a text comes first: `nclt streamed`, whether EXIF orientation is applied, and the transforms
    /// to their size in evaluation.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// Omits the indices.
impl fmt::Debug for Subset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subset")
            .field("dataset", &self.dataset)
            .field("class_counts", &self.class_counts)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}
