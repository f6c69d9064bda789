use candle_core::{Device, Tensor};

use crate::{Result, config};

/// The last embeddings of earlier batches with their labels, oldest first.
pub(super) struct Queue {
    size: usize,
    /// (M, D), M at most `size`; `None` while empty.
    pub(super) keys: Option<Tensor>,
    /// Length M.
    pub(super) labels: Vec<u32>,
}

/// Names in checkpoints.
const KEYS: &str = "contrast/keys";
const LABELS: &str = "contrast/key_labels";

impl Queue {
    pub(super) fn new(settings: config::Queue) -> Self {
        Self { size: settings.size, keys: None, labels: vec![] }
    }

    /// Adds the embeddings (B, D) of a batch, and drops the oldest beyond the size.
    pub(super) fn push(&mut self, keys: &Tensor, labels: &[u32]) -> Result<()> {
        self.labels.extend(labels);
        let surplus = self.labels.len().saturating_sub(self.size);
        self.labels.drain(..surplus);
        let all = match self.keys.take() {
            Some(old) => Tensor::cat(&[&old, keys], 0)?,
            None => keys.clone(),
        };
        self.keys = Some(all.narrow(0, surplus, self.labels.len())?.contiguous()?);
        Ok(())
    }

    pub(super) fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let Some(keys) = &self.keys else { return Ok(vec![]) };
        // Checkpoints hold f32, which has the whole numbers up to 2^24.
        let labels: Vec<f32> = self.labels.iter().map(|&label| label as f32).collect();
        let labels = Tensor::new(labels, &Device::Cpu)?;
        Ok(vec![(KEYS.to_owned(), keys.clone()), (LABELS.to_owned(), labels)])
    }

    pub(super) fn restore(&mut self, name: &str, tensor: &Tensor) -> Result<bool> {
        match name {
            KEYS => self.keys = Some(tensor.clone()),
            LABELS => {
                self.labels = tensor.to_vec1::<f32>()?.into_iter().map(|label| label as u32).collect();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_keys_are_dropped() {
        let mut queue = Queue::new(config::Queue { size: 3, momentum: 0.9 });
        let keys = |rows: &[[f32; 1]; 2]| Tensor::new(rows, &Device::Cpu).unwrap();
        queue.push(&keys(&[[1.0], [2.0]]), &[7, 8]).unwrap();
        queue.push(&keys(&[[3.0], [4.0]]), &[9, 7]).unwrap();
        let held = |queue: &Queue| queue.keys.as_ref().unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(
            (held(&queue), &queue.labels[..]),
            (vec![vec![2.0], vec![3.0], vec![4.0]], &[8, 9, 7][..])
        );

        let mut restored = Queue::new(config::Queue { size: 3, momentum: 0.9 });
        for (name, tensor) in queue.state().unwrap() {
            assert!(restored.restore(&name, &tensor).unwrap());
        }
        assert_eq!((held(&restored), restored.labels), (held(&queue), queue.labels));
    }
}
