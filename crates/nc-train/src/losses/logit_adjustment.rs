//! Logit adjustment in training (Menon et al., "Long-tail Learning via Logit Adjustment", ICLR 2021). With tau 1 it is
//! balanced softmax (Ren et al., NeurIPS 2020); with batch counts, ARB-Loss (Xie et al., "Neural Collapse Inspired
//! Attraction-Repulsion-Balanced Loss for Imbalanced Learning", Neurocomputing 2023).
//!
//! ARB-Loss is -log(e^{z_y} / sum_k (n_k / n_y) e^{z_k}) with the batch counts n_k. This equals the cross entropy of
//! z_k + log n_k over the classes in the batch. The authors clamp logits to [-30, 30] before the exponential;
//! log-sum-exp relative to the largest term cannot overflow and cuts off no gradient.

use nc_losses::PerSample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss, SOFTMAX_CURVATURE};

/// Cross entropy of the adjusted logits z_k + tau log n_k.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogitAdjustment {
    /// Factor tau on log n_k.
    #[schemars(range(min = 0, max = 1e6))]
    pub tau: f64,
    /// Source of the counts n_k: the training set, as published, or the batch, as in ARB-Loss.
    pub counts: Counts,
}

/// Source of class counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// Counts of the training set.
    Training,
    /// Counts of the batch. With mix-up, each set of labels uses its own counts.
    Batch,
}

impl Loss for LogitAdjustment {
    fn curvature(&self, _: usize) -> Option<f64> {
        Some(SOFTMAX_CURVATURE)
    }

    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample> {
        let adjusted = match self.counts {
            Counts::Training => nc_losses::adjusted_logits(batch.logits, batch.class_counts, self.tau)?,
            Counts::Batch => {
                let counts = batch.labels.counts(batch.class_counts.len());
                nc_losses::adjusted_logits(batch.logits, &counts, self.tau)?
            }
        };
        nc_losses::cross_entropy_each(&adjusted, &batch.labels.tensor)
    }
}
