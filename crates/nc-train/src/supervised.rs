//! L_sup: what it can be, and what it is of a batch.

use candle_core::Tensor;
use nc_losses::{
    adjusted_logits, focal, label_aware_smoothing, ldam_margins, mse, smoothed_cross_entropy,
    weighted_smoothed_cross_entropy, with_margins,
};
use serde::{Deserialize, Serialize};

/// A loss of logits and labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SupervisedLoss {
    /// Cross entropy.
    CrossEntropy {
        /// Share of the target spread evenly over all classes; 0 for none.
        #[serde(default)]
        label_smoothing: f64,
    },
    /// Mean over images and classes of (logit - one-hot target)^2.
    MeanSquaredError,
    /// Cross entropy times (1 - p)^gamma (Lin et al. 2017).
    Focal {
        /// The exponent.
        gamma: f64,
    },
    /// Cross entropy with margins n_k^(-1/4) on the cosines of a cosine head (LDAM, Cao et al. 2019).
    Ldam {
        /// The margin of the smallest class.
        max_margin: f64,
    },
    /// Cross entropy of z_k + tau log n_k. With the training set's n_k: logit adjustment (Menon et al. 2021) and, for
    /// tau = 1, balanced softmax (Ren et al. 2020); with the batch's: ARB-Loss (Xie et al. 2023).
    LogitAdjustment {
        /// The factor on log n_k.
        tau: f64,
        /// Whose n_k.
        counts: Counts,
    },
    /// Cross entropy with labels smoothed by class size, the second phase of MiSLAS (Zhong et al. 2021).
    LabelAwareSmoothing {
        /// Smoothing of the largest class.
        head: f64,
        /// Smoothing of the smallest class.
        tail: f64,
    },
}

/// Whose images are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// The training set's.
    Training,
    /// The batch's; of a mixed batch, each label's own.
    Batch,
}

impl SupervisedLoss {
    /// Whether class weights have a meaning in it.
    pub(crate) fn takes_class_weights(self) -> bool {
        match self {
            Self::CrossEntropy { .. } | Self::Ldam { .. } | Self::LogitAdjustment { .. } => true,
            Self::MeanSquaredError | Self::Focal { .. } | Self::LabelAwareSmoothing { .. } => false,
        }
    }

    /// The loss of a batch. `class_counts` are those of the training set; `scale` is the head's factor on cosines.
    pub(crate) fn of(
        self,
        logits: &Tensor,
        labels: &Tensor,
        class_counts: &[usize],
        class_weights: Option<&Tensor>,
        scale: f64,
    ) -> nc_losses::Result<Tensor> {
        let cross_entropy = |logits: &Tensor, smoothing| match class_weights {
            Some(weights) => weighted_smoothed_cross_entropy(logits, labels, weights, smoothing),
            None => smoothed_cross_entropy(logits, labels, smoothing),
        };
        match self {
            Self::CrossEntropy { label_smoothing } => cross_entropy(logits, label_smoothing),
            Self::MeanSquaredError => mse(logits, labels),
            Self::Focal { gamma } => focal(logits, labels, gamma),
            Self::Ldam { max_margin } => {
                let margins = ldam_margins(class_counts, scale * max_margin);
                cross_entropy(&with_margins(logits, labels, &margins)?, 0.0)
            }
            Self::LogitAdjustment { tau, counts } => {
                let adjusted = match counts {
                    Counts::Training => adjusted_logits(logits, class_counts, tau),
                    Counts::Batch => adjusted_logits(logits, &counted(labels, class_counts.len())?, tau),
                };
                cross_entropy(&adjusted?, 0.0)
            }
            Self::LabelAwareSmoothing { head, tail } => {
                label_aware_smoothing(logits, labels, class_counts, head, tail)
            }
        }
    }
}

/// How often each class is among `labels`.
fn counted(labels: &Tensor, classes: usize) -> nc_losses::Result<Vec<usize>> {
    nc_losses::check_labels(labels, classes)?;
    let mut counts = vec![0; classes];
    for label in labels.to_vec1::<u32>()? {
        counts[label as usize] += 1;
    }
    Ok(counts)
}
