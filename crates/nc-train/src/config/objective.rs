//! The objective of a phase: supervised loss, class weights and neural-collapse regularisers.

use nc_losses::BetweenForm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{centers::Centers, contrast::Contrast, limits::MOST_EPOCHS};
use crate::losses::SupervisedLoss;

/// L = w L_sup + lambda1 L_W + lambda2 L_B, and further terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// The supervised loss, L_sup.
    pub loss: SupervisedLoss,
    /// Weight w of the supervised loss. With 0, the phase trains no classifier, and its evaluations use the nearest class mean.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 0, max = 1e6))]
    pub loss_weight: f64,
    /// Views that the supervised loss acts on: `first`, or the mean over `all`.
    #[serde(default, skip_serializing_if = "LossViews::is_default")]
    #[schemars(extend("default" = "first"))]
    pub loss_views: LossViews,
    /// Losses of the second and later experts of `model.branches={kind="experts"}`; absent if all experts minimise `loss`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_losses: Vec<SupervisedLoss>,
    /// Class weights of the supervised loss.
    pub reweighting: Reweighting,
    /// The regularisers L_W and L_B; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neural_collapse: Option<NeuralCollapse>,
    /// Diversity of the experts; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<Diversity>,
    /// Contrastive loss; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast: Option<Contrast>,
    /// Uniformity of the class directions; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uniformity: Option<Uniformity>,
}

/// Uniformity of the classifier's class directions w_k: `weight` times
/// (1/t) log mean_{k != j} exp(t cos(w_k, w_j)), a smooth form of their largest cosine; with experts the mean over them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Uniformity {
    /// Weight.
    #[schemars(range(min = 0, max = 1e6))]
    pub weight: f64,
    /// Sharpness t: for small t it is about the mean cosine, for large t about the largest.
    #[schemars(range(min = 0.01, max = 1e6))]
    pub sharpness: f64,
}

fn one() -> f64 {
    1.0
}

// serde passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(weight: &f64) -> bool {
    *weight == one()
}

/// Views of a batch that the supervised loss acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LossViews {
    /// The first view.
    #[default]
    First,
    /// The mean over all views.
    All,
}

impl LossViews {
    // serde passes a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Distribution-aware diversity of experts (RIDE, Wang et al. 2021): the objective falls by `weight` times
/// T^2 sum_e KL(p || q_e), where q_e is the softmax of expert e at temperature T_k of class k, p that of the mean logits,
/// without gradient, and T the mean temperature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diversity {
    /// Weight.
    #[schemars(range(min = 0, max = 1e6))]
    pub weight: f64,
    /// How much temperatures depend on class size: T_k is proportional to spread K n_k / sum_j n_j + 1 - spread, with a
    /// maximum of 1.
    #[schemars(range(min = 0, max = 1))]
    pub spread: f64,
    /// First epoch with such temperatures, from 0; before, all are 1.
    #[schemars(range(max = MOST_EPOCHS))]
    pub from_epoch: usize,
}

/// Class weights, scaled to sum to K. With `from_epoch` above 0: deferred re-weighting (DRW, Cao et al. 2019).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reweighting {
    /// No class weights.
    None,
    /// (1 - beta) / (1 - beta^n_k) (Cui et al. 2019).
    EffectiveNumber {
        /// 0 gives equal weights; towards 1 the weights approach 1/n_k.
        #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
        beta: f64,
        /// First epoch with weights, from 0.
        #[schemars(range(max = MOST_EPOCHS))]
        from_epoch: usize,
    },
    /// 1 / n_k.
    InverseFrequency {
        /// First epoch with weights, from 0.
        #[schemars(range(max = MOST_EPOCHS))]
        from_epoch: usize,
    },
    /// n_k^-`exponent`: aligned deferred re-weighting (ADRW, [Wang et al. 2023](https://arxiv.org/abs/2310.04752)).
    InversePower {
        /// 0 gives equal weights, 1 those of `inverse-frequency`.
        #[schemars(range(min = 0, max = 100))]
        exponent: f64,
        /// First epoch with weights, from 0.
        #[schemars(range(max = MOST_EPOCHS))]
        from_epoch: usize,
    },
}

impl Reweighting {
    /// Class weights in `epoch` for `class_counts` training images per class; `None` while re-weighting is off.
    pub fn weights(&self, epoch: usize, class_counts: &[usize]) -> Option<Vec<f64>> {
        match *self {
            Self::EffectiveNumber { beta, from_epoch } if epoch >= from_epoch => {
                Some(nc_losses::effective_number(class_counts, beta))
            }
            Self::InverseFrequency { from_epoch } if epoch >= from_epoch => {
                Some(nc_losses::inverse_frequency(class_counts))
            }
            Self::InversePower { exponent, from_epoch } if epoch >= from_epoch => {
                Some(nc_losses::inverse_power(class_counts, exponent))
            }
            _ => None,
        }
    }

    /// First epoch with weights; `None` without re-weighting.
    pub(crate) fn first_epoch(mut self) -> Option<usize> {
        self.first_epoch_mut().copied()
    }

    fn first_epoch_mut(&mut self) -> Option<&mut usize> {
        match self {
            Self::None => None,
            Self::EffectiveNumber { from_epoch, .. }
            | Self::InverseFrequency { from_epoch }
            | Self::InversePower { from_epoch, .. } => Some(from_epoch),
        }
    }
}

/// Neural-collapse regularisers L_W and L_B (Liu et al. 2023, eq. 13 to 16).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NeuralCollapse {
    /// Weight lambda1 of L_W; 0 disables it.
    #[schemars(range(min = 0, max = 1e6))]
    pub within_weight: f64,
    /// Form of L_W.
    #[serde(default, skip_serializing_if = "WithinForm::is_default")]
    #[schemars(extend("default" = "by-class"))]
    pub within_form: WithinForm,
    /// Weight lambda2 of L_B; 0 disables it.
    #[schemars(range(min = 0, max = 1e6))]
    pub between_weight: f64,
    /// Form of L_B.
    #[serde(default)]
    pub between_form: BetweenForm,
    /// First epoch with L_W and L_B, from 0. Earlier epochs minimise L_sup alone.
    #[serde(default)]
    #[schemars(range(max = MOST_EPOCHS))]
    pub start_epoch: usize,
    /// The class centres of L_W and L_B.
    #[serde(default)]
    pub centers: Centers,
    /// Vectors that L_W and L_B act on.
    #[serde(default, skip_serializing_if = "Space::is_default")]
    #[schemars(extend("default" = "features"))]
    pub space: Space,
}

/// Vectors of a network that a loss acts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Space {
    /// Features of the first view.
    #[default]
    Features,
    /// Embeddings of the projection head, for the views that a contrastive loss acts on.
    Embeddings,
}

impl Space {
    // serde passes a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Averaging of the squared distances between features and centres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WithinForm {
    /// Mean over classes (eq. 13): L_W.
    #[default]
    ByClass,
    /// Mean over images: centre loss (Wen et al. 2016), as in the ablation of the paper's Table 7.
    BySample,
}

impl WithinForm {
    // serde passes a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Objective {
    /// A supervised loss with class weights, without further terms.
    pub fn supervised(loss: SupervisedLoss, reweighting: Reweighting) -> Self {
        Self {
            loss,
            loss_weight: 1.0,
            loss_views: LossViews::First,
            other_losses: vec![],
            reweighting,
            neural_collapse: None,
            diversity: None,
            contrast: None,
            uniformity: None,
        }
    }

    /// The losses of the experts, or the loss of a network without experts.
    pub(crate) fn losses(&self) -> impl Iterator<Item = &SupervisedLoss> {
        std::iter::once(&self.loss).chain(&self.other_losses)
    }

    /// First epochs of re-weighting, of the regularisers, of temperatures and of targets.
    pub(crate) fn first_epochs_mut(&mut self) -> impl Iterator<Item = &mut usize> {
        let regularisers = self.neural_collapse.as_mut().map(|nc| &mut nc.start_epoch);
        let temperatures = self.diversity.as_mut().map(|diversity| &mut diversity.from_epoch);
        let targets =
            self.contrast.as_mut().and_then(Contrast::targets_mut).map(|targets| &mut targets.from_epoch);
        let first = self.reweighting.first_epoch_mut().into_iter();
        first.chain(regularisers).chain(temperatures).chain(targets)
    }
}
