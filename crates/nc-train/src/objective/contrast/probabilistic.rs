use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use candle_nn::Init;
use nc_models::ParamStore;

use super::unit_rows::unit_rows;
use crate::{
    Result,
    objective::{
        embeddings::Embeddings,
        sum,
        targets::Labels,
        term::{EpochContext, Part, StepContext, Term},
    },
};

/// ProCo (Du et al. 2024): logit-adjusted cross entropy of the expected similarities to a von Mises-Fisher distribution of
/// each class; the mean over the views.
///
/// Two estimates of the class means run side by side, as in the authors' code (LeapLabTHU/ProCo). The losses use `current`,
/// which takes over the estimate of the epoch before and continues to accumulate; `next` is reset.
pub(super) struct ProbabilisticContrast {
    weight: f64,
    temperature: f64,
    views: Range<usize>,
    class_counts: Vec<usize>,
    seed: u64,
    /// The epoch of the estimates.
    epoch: Option<usize>,
    current: Option<Estimate>,
    next: Option<Estimate>,
}

/// Cumulative mean embedding of each class.
#[derive(Clone)]
struct Estimate {
    /// (K, D).
    means: Tensor,
    /// Embeddings so far, (K).
    amounts: Tensor,
}

/// Names in checkpoints.
const CURRENT: &str = "contrast/current";
const NEXT: &str = "contrast/next";
const EPOCH: &str = "contrast/epoch";

/// Length of the random means before the first embedding.
const FIRST_LENGTH: f64 = 0.9;

impl Estimate {
    /// Random directions of length 0.9 without embeddings.
    fn random(seed: u64, epoch: usize, classes: usize, like: &Tensor) -> Result<Self> {
        let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
        let vb = ParamStore::new(seed, like.device()).builder();
        let means =
            vb.get_with_hints((classes, like.dim(1)?), &format!("contrast/{epoch}"), normal)?.detach();
        Ok(Self {
            means: (unit_rows(&means)? * FIRST_LENGTH)?,
            amounts: Tensor::zeros(classes, DType::F32, like.device())?,
        })
    }

    /// Means and amounts side by side, (K, D + 1).
    fn joined(&self) -> Result<Tensor> {
        Ok(Tensor::cat(&[&self.means, &self.amounts.unsqueeze(1)?], 1)?)
    }

    /// The inverse of [`Estimate::joined`].
    fn split(joined: &Tensor) -> Result<Self> {
        let dims = joined.dim(1)?.saturating_sub(1);
        let means = joined.narrow(1, 0, dims)?.contiguous()?;
        Ok(Self { means, amounts: joined.narrow(1, dims, 1)?.squeeze(1)?.contiguous()? })
    }

    fn add(&mut self, embeddings: &Tensor, labels: &Labels) -> Result<()> {
        let present = nc_losses::class_means_by(&embeddings.detach(), &labels.host, self.amounts.dim(0)?)?;
        let rows = Tensor::new(present.classes, embeddings.device())?;
        let counts: Vec<f32> = present.counts.iter().map(|&count| count as f32).collect();
        let counts = Tensor::new(counts, embeddings.device())?;
        self.amounts = self.amounts.index_add(&rows, &counts, 0)?;
        let share = (counts / self.amounts.index_select(&rows, 0)?)?.unsqueeze(1)?;
        let step = (present.means - self.means.index_select(&rows, 0)?)?.broadcast_mul(&share)?;
        self.means = self.means.index_add(&rows, &step, 0)?;
        Ok(())
    }
}

impl ProbabilisticContrast {
    pub(super) fn new(weight: f64, temperature: f64, views: Range<usize>, class_counts: &[usize]) -> Self {
        Self {
            weight,
            temperature,
            views,
            class_counts: class_counts.to_vec(),
            seed: 0,
            epoch: None,
            current: None,
            next: None,
        }
    }

    /// The logits of a view, after its embeddings joined the estimates.
    fn logits(&mut self, embeddings: &Tensor, labels: &Labels) -> Result<Tensor> {
        let (seed, classes, epoch) = (self.seed, self.class_counts.len(), self.epoch.unwrap_or(0));
        let random = |epoch| Estimate::random(seed, epoch, classes, embeddings);
        let mut current = self.current.take().map_or_else(|| random(epoch), Ok)?;
        let mut next = self.next.take().map_or_else(|| random(epoch + 1), Ok)?;
        current.add(embeddings, labels)?;
        next.add(embeddings, labels)?;
        let logits = nc_losses::von_mises_fisher_logits(embeddings, &current.means, self.temperature)?;
        (self.current, self.next) = (Some(current), Some(next));
        Ok(nc_losses::adjusted_logits(&logits, &self.class_counts, 1.0)?)
    }
}

impl Term for ProbabilisticContrast {
    fn begin_epoch(&mut self, epoch: &EpochContext<'_>) -> Result<()> {
        self.seed = epoch.seed;
        // Skipped on resume within an epoch.
        if self.epoch != Some(epoch.epoch) {
            self.epoch = Some(epoch.epoch);
            self.current = self.next.take();
        }
        Ok(())
    }

    fn parts(&mut self, step: &StepContext<'_>) -> Result<Vec<Part>> {
        let views = self.views.clone();
        let losses = views.clone().map(|view| {
            let (embeddings, labels) = Embeddings::of_view(step, view)?;
            Ok(nc_losses::cross_entropy(&self.logits(embeddings, labels)?, &labels.tensor)?)
        });
        let Some(sum) = sum(losses)? else { return Ok(vec![]) };
        Ok(vec![Part { name: "contrast", weight: self.weight, value: (sum / views.len() as f64)? }])
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = vec![];
        for (name, estimate) in [(CURRENT, &self.current), (NEXT, &self.next)] {
            if let Some(estimate) = estimate {
                state.push((name.to_owned(), estimate.joined()?));
            }
        }
        if let Some(epoch) = self.epoch {
            state.push((EPOCH.to_owned(), Tensor::new(&[epoch as f32], &Device::Cpu)?));
        }
        Ok(state)
    }

    fn restore(&mut self, name: &str, tensor: &Tensor) -> Result<bool> {
        match name {
            CURRENT => self.current = Some(Estimate::split(tensor)?),
            NEXT => self.next = Some(Estimate::split(tensor)?),
            EPOCH => self.epoch = tensor.to_vec1::<f32>()?.first().map(|&epoch| epoch as usize),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use nc_models::{HeadConfig, Model, Network, ResNet, ResNetConfig};

    use super::*;

    #[test]
    fn an_epoch_starts_from_the_embeddings_of_the_one_before() {
        let (seed, counts) = (7, [5, 3, 2]);
        let rows = |values: [[f32; 2]; 4]| Tensor::new(&values, &Device::Cpu).unwrap();
        let first = rows([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.8, -0.6]]);
        let second = rows([[-1.0, 0.0], [0.0, -1.0], [0.6, -0.8], [-0.6, 0.8]]);
        let params = ParamStore::new(0, &Device::Cpu);
        let resnet = ResNet::new(ResNetConfig::cifar(8, 1, 1).unwrap(), &params.builder()).unwrap();
        let network = Model::new(params, resnet, &HeadConfig::Linear, counts.len()).unwrap();
        let mut contrast = ProbabilisticContrast::new(1.0, 0.1, 0..1, &counts);
        for (epoch, embeddings, labels) in [(0, &first, [0, 0, 1, 0]), (1, &second, [1, 0, 1, 1])] {
            let class_means = &|_: &dyn Network, _| unreachable!();
            let device = &Device::Cpu;
            let context = EpochContext { epoch, seed, network: &network, device, class_means };
            contrast.begin_epoch(&context).unwrap();
            contrast.logits(embeddings, &Labels::new(&labels, counts.len(), &Device::Cpu).unwrap()).unwrap();
        }
        // Class 2 has no embeddings.
        let random = |epoch| Estimate::random(seed, epoch, counts.len(), &first).unwrap().means;
        let class_2 = |epoch| random(epoch).to_vec2::<f32>().unwrap().remove(2);
        for (estimate, epoch, expected) in [
            (contrast.current, 1, [[2.4 / 4.0, -0.8 / 4.0], [-1.0 / 4.0, 1.0 / 4.0]]),
            (contrast.next, 2, [[0.0, -1.0], [-1.0 / 3.0, 0.0]]),
        ] {
            let means = estimate.unwrap().means.to_vec2::<f32>().unwrap();
            for (found, expected) in means[..2].iter().flatten().zip(expected.iter().flatten()) {
                assert!((found - expected).abs() < 1e-6, "epoch {epoch}: {means:?}");
            }
            assert_eq!(means[2], class_2(epoch));
        }
    }
}
