//! Contrastive losses on the embeddings of a projection head.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::MOST_EPOCHS;

/// A contrastive loss on the embeddings of `model.projection`, added to the supervised loss with a weight. It acts on the
/// views after the first, or on all views if `loss_weight` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Contrast {
    /// Supervised contrast: attracts the embeddings of a class and repels all others ([Khosla et al.
    /// 2020](https://arxiv.org/abs/2004.11362)). With `positives`, KCL ([Kang et al.
    /// 2021](https://openreview.net/forum?id=OqtLIabPTit)); with `targets` too, TSC ([Li et al.
    /// 2022](https://arxiv.org/abs/2111.13998)).
    Supervised {
        /// Weight.
        #[schemars(range(min = 0, max = 1e6))]
        weight: f64,
        /// Temperature by which cosines are divided.
        #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
        temperature: f64,
        /// Other embeddings of its class that attract an embedding beside the other views of its image, resampled in
        /// each step; absent for all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(range(min = 1, max = 1_000_000))]
        positives: Option<usize>,
        /// Uniform targets of the classes; absent for none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        targets: Option<UniformTargets>,
        /// Compare with embeddings of earlier batches in place of this batch; absent for none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        queue: Option<Queue>,
    },
    /// Balanced contrast: each class has the same weight in the denominator, and class prototypes join the batch (BCL, [Zhu
    /// et al. 2022](https://arxiv.org/abs/2207.09052)). Requires `model.projection.class_prototypes`.
    Balanced {
        /// Weight.
        #[schemars(range(min = 0, max = 1e6))]
        weight: f64,
        /// Temperature by which cosines are divided.
        #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
        temperature: f64,
    },
    /// Probabilistic contrast: the expected loss over infinitely many embeddings of von Mises-Fisher distributions, one for
    /// each class (ProCo, [Du et al. 2024](https://arxiv.org/abs/2403.06726)).
    Probabilistic {
        /// Weight.
        #[schemars(range(min = 0, max = 1e6))]
        weight: f64,
        /// Temperature by which cosines are divided.
        #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
        temperature: f64,
    },
    /// Softmax over the classes of the cosines to moving averages of the class means, adjusted by the log class frequencies:
    /// L_W and L_B in one loss.
    ClassMeans {
        /// Weight.
        #[schemars(range(min = 0, max = 1e6))]
        weight: f64,
        /// Temperature by which cosines are divided.
        #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
        temperature: f64,
        /// Share of the old mean in each step.
        #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
        momentum: f64,
    },
}

/// Uniform targets on the sphere, one for each class, that attract the embeddings of the class. A matching of least
/// distance to the class means assigns them in each step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UniformTargets {
    /// Weight of the attraction by the target, relative to that of the mean positive.
    #[schemars(range(min = 0, max = 1e6))]
    pub weight: f64,
    /// First epoch with targets, from 0.
    #[schemars(range(max = MOST_EPOCHS))]
    pub from_epoch: usize,
}

/// A queue of embeddings that a moving average of the network computed for the last view of earlier batches ([He et al.
/// 2020](https://arxiv.org/abs/1911.05722)).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Number of embeddings.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub size: usize,
    /// Share of the old parameters of the averaged network in each step.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub momentum: f64,
}

impl Contrast {
    pub(super) fn weight(self) -> f64 {
        match self {
            Self::Supervised { weight, .. }
            | Self::Balanced { weight, .. }
            | Self::Probabilistic { weight, .. }
            | Self::ClassMeans { weight, .. } => weight,
        }
    }

    pub(crate) fn queue(self) -> Option<Queue> {
        match self {
            Self::Supervised { queue, .. } => queue,
            _ => None,
        }
    }

    pub(super) fn targets(self) -> Option<UniformTargets> {
        match self {
            Self::Supervised { targets, .. } => targets,
            _ => None,
        }
    }

    pub(super) fn targets_mut(&mut self) -> Option<&mut UniformTargets> {
        match self {
            Self::Supervised { targets, .. } => targets.as_mut(),
            _ => None,
        }
    }
}
