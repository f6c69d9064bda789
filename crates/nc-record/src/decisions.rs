use serde::{Deserialize, Serialize};

/// Decisions of a run's final weights on its validation images, stored in `validation.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// SHA-256 of the validation images: runs with the same hash decided on the same images, in the same order.
    pub images_hash: String,
    /// Class of each image.
    pub labels: Vec<u32>,
    /// Predicted class of each image.
    pub predictions: Vec<u32>,
}

impl Decisions {
    /// Balanced accuracy, from 0 to 1: the mean over the classes with images of the share of right decisions; `None`
    /// without images.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let classes = self.labels.iter().max().map_or(0, |&most| most as usize + 1);
        let (mut right, mut images) = (vec![0.0; classes], vec![0.0; classes]);
        for (&label, &prediction) in self.labels.iter().zip(&self.predictions) {
            images[label as usize] += 1.0;
            right[label as usize] += f64::from(u8::from(label == prediction));
        }
        let shares = right.iter().zip(&images).filter(|(_, images)| **images > 0.0);
        let shares: Vec<f64> = shares.map(|(right, images)| right / images).collect();
        (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_count_alike_and_empty_classes_do_not_count() {
        let decisions = Decisions {
            images_hash: String::new(),
            labels: vec![0, 0, 0, 0, 2],
            predictions: vec![0, 0, 0, 2, 0],
        };
        assert_eq!(decisions.balanced_accuracy(), Some(0.375));
        assert_eq!(Decisions::default().balanced_accuracy(), None);
    }
}
