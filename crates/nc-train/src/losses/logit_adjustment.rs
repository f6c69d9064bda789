//! Logit adjustment in training (Menon et al., "Long-tail Learning via Logit Adjustment", ICLR 2021); with tau 1 it is
//! balanced softmax (Ren et al., NeurIPS 2020), and with the counts of the batch ARB-Loss (Xie et al., "Neural Collapse
//! Inspired Attraction-Repulsion-Balanced Loss for Imbalanced Learning", Neurocomputing 2023).
//!
//! ARB-Loss is -log(e^{z_y} / sum_k (n_k / n_y) e^{z_k}), n_k the counts of the batch: multiplied through by n_y, it is the
//! cross entropy of z_k + log n_k, in which a class that is absent from the batch has no part. The authors clamp logits to
//! [-30, 30] before the exponential; here the sum is taken relative to its largest term, which cannot overflow and cuts no
//! gradient off.

use nc_losses::PerSample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss};

/// Cross entropy of z_k + tau log n_k.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogitAdjustment {
    /// The factor on log n_k.
    #[schemars(range(min = 0, max = 1e6))]
    pub tau: f64,
    /// Whose n_k: the training set's, as published, or the batch's, which makes it ARB-Loss.
    pub counts: Counts,
}

/// Whose images are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// The training set's.
    Training,
    /// The batch's; of a mixed batch, each label's own.
    Batch,
}

impl Loss for LogitAdjustment {
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
