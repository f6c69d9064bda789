use candle_core::{Device, Tensor};
use nc_data::View;

use crate::Result;

/// Labels on the device and on the host. The host copy avoids a read-back when counting classes.
#[derive(Clone)]
pub(crate) struct Labels {
    /// (B) of `u32`.
    pub(crate) tensor: Tensor,
    pub(crate) host: Vec<u32>,
}

impl Labels {
    /// Copies `labels` to `device`; each must be below `classes`.
    pub(crate) fn new(labels: &[u32], classes: usize, device: &Device) -> Result<Self> {
        if let Some(position) = labels.iter().position(|&label| label as usize >= classes) {
            let (num_classes, found) = (classes, labels[position]);
            return Err(nc_losses::Error::Label { num_classes, found, position }.into());
        }
        Ok(Self { tensor: Tensor::from_slice(labels, labels.len(), device)?, host: labels.to_vec() })
    }

    /// Number of labels in each of `classes` classes.
    pub(crate) fn counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for &label in &self.host {
            counts[label as usize] += 1;
        }
        counts
    }
}

/// Labels of a view's images and of their mix-up partners.
#[derive(Clone)]
pub(crate) struct Targets {
    labels: Labels,
    /// Labels of the partners, and the share lambda of the images themselves.
    mix: Option<(Labels, f64)>,
}

impl Targets {
    pub(crate) fn new(view: &View, classes: usize) -> Result<Self> {
        let device = view.images.device();
        let mix = match &view.mix {
            Some(mix) => Some((Labels::new(&mix.partner, classes, device)?, mix.lambda)),
            None => None,
        };
        Ok(Self { labels: Labels::new(&view.labels, classes, device)?, mix })
    }

    /// Labels without mix-up.
    pub(crate) fn plain(labels: Labels) -> Self {
        Self { labels, mix: None }
    }

    /// Labels of the images themselves.
    pub(crate) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// lambda loss(y) + (1 - lambda) loss(y of the partner); loss(y) without mix-up.
    pub(crate) fn mixed(&self, loss: impl Fn(&Labels) -> nc_losses::Result<Tensor>) -> Result<Tensor> {
        let Some((partner, lambda)) = &self.mix else { return Ok(loss(&self.labels)?) };
        let either =
            |tensor: &Tensor| loss(if tensor.id() == partner.tensor.id() { partner } else { &self.labels });
        Ok(nc_losses::mixed(&self.labels.tensor, &partner.tensor, *lambda, either)?)
    }
}
