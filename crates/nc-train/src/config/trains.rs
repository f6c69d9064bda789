use nc_models::{Group, Pass};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which parameters learn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Trains {
    /// Backbone and classifier; batch norm on batch statistics.
    Everything,
    /// The classifier, drawn again from N(0, 0.01) with zero bias, on a frozen backbone whose batch norm uses its
    /// running statistics: cRT (Kang et al. 2020).
    NewClassifier,
    /// A factor on each logit, at first 1, on a frozen backbone (batch norm as above) and linear classifier: LWS (Kang et
    /// al. 2020). Multiplied into the classifier at the end.
    LogitScale,
    /// Factors on the logits as above, and the linear classifier with them: the second phase of MiSLAS (Zhong et al.
    /// 2021).
    ScaledClassifier {
        /// The classifier's share of the learning rate; the factors have all of it.
        #[schemars(range(min = 0, max = 1e6))]
        classifier_rate: f64,
        /// Whether batch norm of the frozen backbone uses batch statistics, and its running ones move.
        #[serde(default)]
        shift_batch_norm: bool,
    },
}

impl Trains {
    /// Whether there is a factor on each logit that learns.
    pub(crate) fn scales_logits(self) -> bool {
        matches!(self, Self::LogitScale | Self::ScaledClassifier { .. })
    }

    /// The share of the learning rate for the parameters of `group`; none for frozen ones.
    pub(crate) fn learning_rate_factor(self, group: Group) -> Option<f64> {
        match (self, group) {
            (Self::Everything, _)
            | (Self::NewClassifier, Group::Head)
            | (Self::LogitScale | Self::ScaledClassifier { .. }, Group::LogitScale) => Some(1.0),
            (Self::ScaledClassifier { classifier_rate, .. }, Group::Head) => Some(classifier_rate),
            _ => None,
        }
    }

    /// How the network is passed through.
    pub(crate) fn pass(self) -> Pass {
        match self {
            Self::Everything => Pass::TRAIN,
            Self::ScaledClassifier { shift_batch_norm: true, .. } => Pass { gradient: false, ..Pass::TRAIN },
            Self::NewClassifier | Self::LogitScale | Self::ScaledClassifier { .. } => Pass::EVAL,
        }
    }
}
