//! LDAM (Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS 2019).

use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss, Method, SupervisedLoss, deferred_reweighting::DRW, preset::RECIPE_L};
use crate::{HeadKind, ModelConfig, Result, validate::ensure};

/// Cross entropy with a margin on the true class's cosine, m_k proportional to n_k^(-1/4); on a cosine head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ldam {
    /// The margin of the smallest class.
    #[schemars(range(min = 0, max = 1e6))]
    pub max_margin: f64,
}

impl Loss for Ldam {
    fn takes_class_weights(&self) -> bool {
        true
    }

    fn validate(&self, key: &dyn Fn(&str) -> String, model: &ModelConfig) -> Result<()> {
        ensure(matches!(model.head, HeadKind::Cosine { .. }), key("kind"), || {
            "is ldam, which has margins on cosines: set model.head={kind=\"cosine\", scale=30}".into()
        })
    }

    fn of(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        let margins = nc_losses::ldam_margins(batch.class_counts, batch.scale * self.max_margin);
        let logits = nc_losses::with_margins(batch.logits, batch.labels, &margins)?;
        batch.cross_entropy(&logits, 0.0)
    }
}

pub(super) const METHODS: &[Method] = &[Method {
    name: "ldam-drw",
    description: "LDAM on a cosine classifier with deferred re-weighting",
    loss: SupervisedLoss::Ldam(Ldam { max_margin: 0.5 }),
    head: HeadKind::Cosine { scale: 30.0 },
    reweighting: DRW,
    ..RECIPE_L
}];
