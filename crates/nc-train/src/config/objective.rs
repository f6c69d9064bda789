//! The objective of a phase: a supervised loss, class weights, and the neural-collapse regularisers.

use nc_losses::BetweenForm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{centers::Centers, limits::MOST_EPOCHS};
use crate::losses::SupervisedLoss;

/// L = L_sup + lambda1 L_W + lambda2 L_B.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// The supervised loss, L_sup.
    pub loss: SupervisedLoss,
    /// Class weights in the supervised loss.
    pub reweighting: Reweighting,
    /// The regularisers L_W and L_B; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neural_collapse: Option<NeuralCollapse>,
}

/// Class weights, scaled to sum K. With `from_epoch` above 0 this is deferred re-weighting (DRW, Cao et al. 2019).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reweighting {
    /// Every image counts the same.
    None,
    /// (1 - beta) / (1 - beta^n_k) (Cui et al. 2019).
    EffectiveNumber {
        /// From 0 (no weights) to below 1 (1/n_k).
        #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
        beta: f64,
        /// First epoch, from 0, in which the weights are on.
        #[schemars(range(max = MOST_EPOCHS))]
        from_epoch: usize,
    },
    /// 1 / n_k.
    InverseFrequency {
        /// First epoch, from 0, in which the weights are on.
        #[schemars(range(max = MOST_EPOCHS))]
        from_epoch: usize,
    },
}

impl Reweighting {
    /// The weights of `epoch` for classes of these sizes; `None` while they are off.
    pub fn weights(&self, epoch: usize, class_counts: &[usize]) -> Option<Vec<f64>> {
        match *self {
            Self::EffectiveNumber { beta, from_epoch } if epoch >= from_epoch => {
                Some(nc_losses::effective_number(class_counts, beta))
            }
            Self::InverseFrequency { from_epoch } if epoch >= from_epoch => {
                Some(nc_losses::inverse_frequency(class_counts))
            }
            _ => None,
        }
    }

    /// The first epoch with weights, where there are any.
    pub(crate) fn first_epoch(mut self) -> Option<usize> {
        self.first_epoch_mut().copied()
    }

    fn first_epoch_mut(&mut self) -> Option<&mut usize> {
        match self {
            Self::None => None,
            Self::EffectiveNumber { from_epoch, .. } | Self::InverseFrequency { from_epoch } => {
                Some(from_epoch)
            }
        }
    }
}

/// The regularisers of Liu et al. (2023), eq. 13 to 16.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NeuralCollapse {
    /// lambda1, the weight of L_W; 0 for none.
    #[schemars(range(min = 0, max = 1e6))]
    pub within_weight: f64,
    /// Which form of L_W.
    #[serde(default, skip_serializing_if = "WithinForm::is_default")]
    #[schemars(extend("default" = "by-class"))]
    pub within_form: WithinForm,
    /// lambda2, the weight of L_B; 0 for none.
    #[schemars(range(min = 0, max = 1e6))]
    pub between_weight: f64,
    /// Which form of L_B.
    #[serde(default)]
    pub between_form: BetweenForm,
    /// First epoch, from 0, with L_W and L_B; before it only L_sup drives the model.
    #[serde(default)]
    #[schemars(range(max = MOST_EPOCHS))]
    pub start_epoch: usize,
    /// The class centres both act on.
    #[serde(default)]
    pub centers: Centers,
}

/// The two ways to average squared distances to the centres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WithinForm {
    /// Every class counts the same (eq. 13): L_W.
    #[default]
    ByClass,
    /// Every image counts the same: centre loss (Wen et al. 2016), of the ablation in the paper's Table 7.
    BySample,
}

impl WithinForm {
    // serde asks by reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Objective {
    /// The epochs at which parts of it start.
    pub(crate) fn first_epochs_mut(&mut self) -> impl Iterator<Item = &mut usize> {
        let regularisers = self.neural_collapse.as_mut().map(|nc| &mut nc.start_epoch);
        self.reweighting.first_epoch_mut().into_iter().chain(regularisers)
    }
}
