use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use rand::{Rng, seq::index};

use crate::Result;

/// Weights of positives and denominators for anchors and columns of known labels.
pub(super) struct Pairs {
    positives: Vec<f32>,
    denominators: Vec<f32>,
    anchors: usize,
    columns: usize,
}

/// Columns that belong to the image of an anchor.
pub(super) struct OwnColumns {
    /// The anchor itself, which is excluded.
    pub(super) itself: Option<usize>,
    /// The other views of its image, which are positives.
    pub(super) views: Vec<usize>,
}

impl Pairs {
    /// Pairs each anchor with the other views of its image and with `k` other columns of its class, or all: positives whose
    /// weights sum to 1. A column without a label is of no class.
    pub(super) fn new(
        anchors: &[u32],
        columns: &[Option<u32>],
        own: impl Fn(usize) -> OwnColumns,
        k: Option<usize>,
        rng: &mut impl Rng,
    ) -> Self {
        let mut by_class = BTreeMap::<u32, Vec<usize>>::new();
        for (column, label) in columns.iter().enumerate() {
            if let Some(label) = label {
                by_class.entry(*label).or_default().push(column);
            }
        }
        let width = columns.len();
        let mut positives = vec![0.0; anchors.len() * width];
        let mut denominators = vec![1.0; anchors.len() * width];
        for (row, label) in anchors.iter().enumerate() {
            let OwnColumns { itself, views: mut chosen } = own(row);
            let of_class = by_class.get(label).map_or(&[][..], Vec::as_slice).iter().copied();
            let others: Vec<usize> =
                of_class.filter(|column| itself != Some(*column) && !chosen.contains(column)).collect();
            match k {
                Some(k) if k < others.len() => {
                    chosen
                        .extend(index::sample(rng, others.len(), k).into_iter().map(|number| others[number]));
                }
                _ => chosen.extend(others),
            }
            let share = 1.0 / chosen.len().max(1) as f32;
            for column in chosen {
                positives[row * width + column] = share;
            }
            if let Some(column) = itself {
                denominators[row * width + column] = 0.0;
            }
        }
        Self { positives, denominators, anchors: anchors.len(), columns: width }
    }

    /// Adds a column for each of `classes` targets; target `of_class[k]` attracts the anchors of class k with `weight`.
    pub(super) fn with_targets(self, anchors: &[u32], of_class: &[usize], weight: f64) -> Self {
        let classes = of_class.len();
        let widened = |values: &[f32], fill: f32| -> Vec<f32> {
            let rows = values.chunks_exact(self.columns.max(1));
            rows.flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(fill, classes))).collect()
        };
        let (mut positives, denominators) = (widened(&self.positives, 0.0), widened(&self.denominators, 1.0));
        let columns = self.columns + classes;
        for (row, &label) in positives.chunks_exact_mut(columns).zip(anchors) {
            row[self.columns + of_class[label as usize]] = weight as f32;
        }
        Self { positives, denominators, columns, ..self }
    }

    /// Positives and denominators, (anchors, columns) each.
    pub(super) fn tensors(&self, device: &Device) -> Result<(Tensor, Tensor)> {
        let tensor = |values: &[f32]| Tensor::from_slice(values, (self.anchors, self.columns), device);
        Ok((tensor(&self.positives)?, tensor(&self.denominators)?))
    }
}

#[cfg(test)]
mod tests {
    use nc_data::rng::{Purpose, stream};

    use super::*;

    /// Two views of three images.
    const LABELS: [u32; 6] = [0, 0, 1, 0, 0, 1];

    fn pairs(k: Option<usize>, rng: &mut impl Rng) -> Pairs {
        let own = |row: usize| OwnColumns { itself: Some(row), views: vec![(row + 3) % 6] };
        Pairs::new(&LABELS, &LABELS.map(Some), own, k, rng)
    }

    fn row(values: &[f32], width: usize, row: usize) -> &[f32] {
        &values[row * width..][..width]
    }

    #[test]
    fn positives_are_other_views_and_others_of_the_class() {
        let mut rng = stream(0, Purpose::Positives, 0, 0);
        let all = pairs(None, &mut rng);
        let third = 1.0 / 3.0;
        assert_eq!(row(&all.positives, 6, 0), [0.0, third, 0.0, third, third, 0.0]);
        assert_eq!(row(&all.positives, 6, 5), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(row(&all.denominators, 6, 4), [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]);

        let one = pairs(Some(1), &mut rng);
        for anchor in 0..6 {
            let weights = row(&one.positives, 6, anchor);
            let chosen: Vec<usize> = (0..6).filter(|&column| weights[column] > 0.0).collect();
            assert!(chosen.contains(&((anchor + 3) % 6)), "{anchor}: {chosen:?}");
            assert_eq!(chosen.len(), if anchor % 3 == 2 { 1 } else { 2 }, "{anchor}: {chosen:?}");
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn each_positive_is_equally_likely() {
        let mut rng = stream(1, Purpose::Positives, 0, 0);
        let mut chosen = [0; 5];
        for _ in 0..4000 {
            let own = |_| OwnColumns { itself: Some(0), views: vec![] };
            let pairs = Pairs::new(&[0], &[Some(0); 5], own, Some(2), &mut rng);
            for (count, weight) in chosen.iter_mut().zip(&pairs.positives) {
                *count += usize::from(*weight > 0.0);
            }
        }
        assert_eq!(chosen[0], 0);
        assert!(chosen[1..].iter().all(|&count: &usize| count.abs_diff(2000) < 150), "{chosen:?}");
    }

    #[test]
    fn an_own_key_is_a_positive_of_no_class() {
        let mut rng = stream(0, Purpose::Positives, 0, 0);
        let own = |_| OwnColumns { itself: None, views: vec![0] };
        let pairs = Pairs::new(&[3, 4], &[None, Some(4), Some(3), Some(4)], own, None, &mut rng);
        assert_eq!(row(&pairs.positives, 4, 0), [0.5, 0.0, 0.5, 0.0]);
        assert_eq!(row(&pairs.positives, 4, 1), [1.0 / 3.0, 1.0 / 3.0, 0.0, 1.0 / 3.0]);
        assert_eq!(pairs.denominators, [1.0; 8]);
    }

    #[test]
    fn targets_are_columns_of_their_own() {
        let mut rng = stream(0, Purpose::Positives, 0, 0);
        let pairs = pairs(None, &mut rng).with_targets(&LABELS, &[1, 0], 0.25);
        assert_eq!(row(&pairs.positives, 8, 2), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.25, 0.0]);
        assert_eq!(row(&pairs.positives, 8, 0)[6..], [0.0, 0.25]);
        assert_eq!(row(&pairs.denominators, 8, 0), [0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    }
}
