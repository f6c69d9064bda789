//! Images that explain the result of a run.

use std::cmp::Reverse;

use candle_core::Device;
use nc_data::{Loader, Subset, encode_thumbnail};
use nc_metrics::predictions;
use nc_record::{ClassMistakes, Examples, ImageSample, Mistake};

use crate::{Result, data::Data, inference::Outputs, samples::LONGEST_SIDE};

/// Classes with mistakes that are stored.
const MISTAKEN: usize = 12;
/// Smallest training classes that are stored.
const SMALLEST: usize = 8;
/// Images stored of each class.
const IMAGES: usize = 6;

/// The most confident mistakes of the network with the outputs `test`, and images of the smallest training classes.
pub(crate) fn examples(data: &Data, test: &Outputs) -> Result<Examples> {
    let (train, test_images) = (Stored::of(data, &data.train)?, Stored::of(data, &data.test)?);
    let mut examples = Examples::default();
    let mut mistaken: Vec<(usize, Vec<Miss>)> =
        misses(test, data.class_counts.len())?.into_iter().enumerate().collect();
    mistaken.retain(|(_, misses)| !misses.is_empty());
    let samples = data.test.class_counts();
    // Most mistakes first; among equals, the lowest accuracy.
    mistaken.sort_by_key(|(class, misses)| (Reverse(misses.len()), samples[*class]));
    for (class, mut misses) in mistaken.into_iter().take(MISTAKEN) {
        let wrong = misses.len();
        misses.sort_by(|one, other| other.probability.total_cmp(&one.probability));
        let images = misses.into_iter().take(IMAGES).map(|miss| {
            let Miss { position, predicted, probability } = miss;
            Ok(Mistake { predicted, probability, image: test_images.image(position)? })
        });
        let images = images.collect::<Result<_>>()?;
        examples.mistakes.push(ClassMistakes { class, samples: samples[class], wrong, images });
    }
    let mut classes: Vec<usize> = (0..data.class_counts.len()).collect();
    classes.sort_by_key(|&class| data.class_counts[class]);
    for class in classes.into_iter().take(SMALLEST) {
        let of_class = data.train.labels().iter().enumerate().filter(|&(_, &label)| label as usize == class);
        for (position, _) in of_class.take(IMAGES) {
            examples.smallest.push(train.image(position)?);
        }
    }
    Ok(examples)
}

/// A misclassified image.
struct Miss {
    position: usize,
    predicted: usize,
    probability: f64,
}

/// The misclassified images of each class, in their order.
fn misses(outputs: &Outputs, classes: usize) -> Result<Vec<Vec<Miss>>> {
    let mut misses: Vec<Vec<Miss>> = (0..classes).map(|_| vec![]).collect();
    let rows = outputs.logits.chunks_exact(classes).zip(predictions(&outputs.logits, classes)?);
    for (position, ((logits, predicted), &label)) in rows.zip(&outputs.labels).enumerate() {
        if predicted != label {
            let predicted = predicted as usize;
            let probability = softmax(logits, predicted);
            misses[label as usize].push(Miss { position, predicted, probability });
        }
    }
    Ok(misses)
}

/// The softmax of `logits` at `class`, their largest.
fn softmax(logits: &[f32], class: usize) -> f64 {
    let largest = f64::from(logits[class]);
    1.0 / logits.iter().map(|&logit| (f64::from(logit) - largest).exp()).sum::<f64>()
}

/// Images of a subset as the network is evaluated on them.
struct Stored<'a> {
    subset: &'a Subset,
    loader: Loader,
}

impl<'a> Stored<'a> {
    fn of(data: &Data, subset: &'a Subset) -> Result<Self> {
        Ok(Self { subset, loader: data.sequential(subset, 1, &Device::Cpu)? })
    }

    fn image(&self, position: usize) -> Result<ImageSample> {
        let sample = self.loader.samples(0, 0, position..position + 1)?.swap_remove(0);
        let png = encode_thumbnail(&sample.pixels, self.loader.image_shape(0), LONGEST_SIDE)?;
        Ok(ImageSample::new(self.subset.labels()[position] as usize, &png))
    }
}
