use candle_core::Tensor;

use super::{
    supervised::Supervised,
    term::{EpochContext, Part, StepContext, Term},
};
use crate::{Error, Result};

/// Cumulative learning of two branches (BBN, Zhou et al. 2020): alpha L_sup(z, y_1) + (1 - alpha) L_sup(z, y_2) on the
/// logits z of the mixed features 2 [alpha f_1, (1 - alpha) f_2]. View 1 is sampled uniformly, view 2 with reversed class
/// frequencies; alpha = 1 - (e / E)^2 in epoch e of E, from 0.
pub(super) struct CumulativeLearning {
    supervised: Supervised,
    /// E.
    epochs: usize,
    alpha: f64,
}

impl CumulativeLearning {
    pub(super) fn new(supervised: Supervised, epochs: usize) -> Self {
        Self { supervised, epochs, alpha: 1.0 }
    }
}

impl Term for CumulativeLearning {
    fn begin_epoch(&mut self, epoch: &EpochContext<'_>) -> Result<()> {
        self.alpha = 1.0 - (epoch.epoch as f64 / self.epochs as f64).powi(2);
        self.supervised.begin_epoch(epoch)
    }

    fn parts(&mut self, step: &StepContext<'_>) -> Result<Vec<Part>> {
        let ([one, other], [first, second]) = (step.branches, step.targets) else {
            return Err(nc_models::Error::Views { expected: 2, found: step.branches.len() }.into());
        };
        let heads = step.network.heads();
        let head = *heads.first().ok_or(Error::NoClassifier { needed_by: "cumulative learning" })?;
        let alpha = self.alpha;
        let mixed = [(&one.features * (2.0 * alpha))?, (&other.features * (2.0 * (1.0 - alpha)))?];
        let features = Tensor::cat(&mixed, 1)?;
        let logits = head.forward(&features)?;
        let first = self.supervised.of(0, head, &features, &logits, first)?;
        let second = self.supervised.of(0, head, &features, &logits, second)?;
        let value = ((first * alpha)? + (second * (1.0 - alpha))?)?;
        Ok(vec![Part { name: "supervised", weight: self.supervised.weight, value }])
    }
}
