use nc_models::{Group, Pass};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Trained parameters of a phase; the others are frozen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Trains {
    /// Backbone and classifier; batch norm uses batch statistics.
    Everything,
    /// The classifier, re-initialised from N(0, 0.01) with zero bias, on a frozen backbone whose batch norm uses
    /// running statistics: cRT (Kang et al. 2020).
    NewClassifier,
    /// The classifier as it is, on a frozen backbone whose batch norm uses running statistics: further training of a
    /// loaded classifier (`--init-from`), or of that of the phase before.
    Classifier,
    /// One factor per logit, initially 1, on a frozen backbone and linear classifier: LWS (Kang et al. 2020). Batch
    /// norm uses running statistics. The factors are folded into the classifier at the end.
    LogitScale,
    /// One factor per logit and the linear classifier, on a frozen backbone: the second phase of MiSLAS (Zhong et al.
    /// 2021).
    ScaledClassifier {
        /// Learning-rate factor of the classifier; the logit factors use the full learning rate.
        #[schemars(range(min = 0, max = 1e6))]
        classifier_rate: f64,
        /// Use batch statistics in the batch norm of the frozen backbone and update its running statistics.
        #[serde(default)]
        shift_batch_norm: bool,
    },
}

/// Statistics that the batch norm of a frozen backbone uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FrozenBatchNorm {
    /// The running statistics of the phases before.
    #[default]
    Running,
    /// Running statistics of this phase's images: before its first step, those of its first epoch pass through the network, each batch
    /// updating the running statistics.
    ReEstimated,
    /// Those of each batch, which update the running ones, as in further training.
    Batch,
}

impl FrozenBatchNorm {
    // serde passes a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(super) fn is_running(&self) -> bool {
        *self == Self::Running
    }
}

impl Trains {
    /// Whether the phase trains a factor per logit.
    pub(crate) fn scales_logits(self) -> bool {
        matches!(self, Self::LogitScale | Self::ScaledClassifier { .. })
    }

    /// Learning-rate factor of the parameters in `group`; `None` if frozen.
    pub(crate) fn learning_rate_factor(self, group: Group) -> Option<f64> {
        match (self, group) {
            (Self::Everything, _)
            | (Self::NewClassifier | Self::Classifier, Group::Head)
            | (Self::LogitScale | Self::ScaledClassifier { .. }, Group::LogitScale) => Some(1.0),
            (Self::ScaledClassifier { classifier_rate, .. }, Group::Head) => Some(classifier_rate),
            _ => None,
        }
    }

    /// Mode of the forward pass.
    pub(super) fn pass(self) -> Pass {
        match self {
            Self::Everything => Pass::TRAIN,
            Self::ScaledClassifier { shift_batch_norm: true, .. } => Pass { gradient: false, ..Pass::TRAIN },
            Self::NewClassifier | Self::Classifier | Self::LogitScale | Self::ScaledClassifier { .. } => {
                Pass::EVAL
            }
        }
    }
}
