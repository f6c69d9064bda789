//! MiSLAS (Zhong et al., "Improving Calibration for Long-Tailed Recognition", CVPR 2021): mix-up first, then the
//! classifier at a small learning rate with a factor on each logit, label-aware smoothing and, on some data, batch norm
//! that shifts to the balanced sampling.

use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss, Method, Part, Sets, SupervisedLoss, crt, preset::RECIPE_M};
use crate::{DataSource, Objective, Phase, Trains, presets::Data};

/// Cross entropy with a share of the target spread over all classes that depends on the size of the true one: `tail` for
/// the smallest, `head` for the largest, along a quarter of a sine between.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelAwareSmoothing {
    /// Smoothing of the largest class.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub head: f64,
    /// Smoothing of the smallest class.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub tail: f64,
}

impl Loss for LabelAwareSmoothing {
    fn of(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        let Labelled { logits, labels, class_counts, .. } = *batch;
        nc_losses::label_aware_smoothing(logits, labels, class_counts, self.head, self.tail)
    }
}

/// The published constants, which were found for each data set by itself: the classifier's share of the learning rate,
/// and the smoothing of the largest and smallest class.
fn constants(data: &Data) -> (f64, f64, f64) {
    match (data.source, data.imbalance_ratio) {
        (DataSource::Cifar100, Some(10.0)) => (0.1, 0.2, 0.0),
        (DataSource::Cifar100, _) => (0.2, 0.4, 0.1),
        (_, Some(10.0)) => (0.2, 0.1, 0.0),
        _ => (0.5, 0.3, 0.0),
    }
}

fn second_phase(data: &Data) -> Phase {
    let (classifier_rate, head, tail) = constants(data);
    let first = crt::phase(data);
    Phase {
        // Published with shifting batch norm for all data but CIFAR-10; data without published constants follow CIFAR-10.
        trains: Trains::ScaledClassifier {
            classifier_rate,
            shift_batch_norm: data.source == DataSource::Cifar100,
        },
        objective: Objective {
            loss: SupervisedLoss::LabelAwareSmoothing(LabelAwareSmoothing { head, tail }),
            ..first.objective
        },
        ..first
    }
}

const MISLAS: Part = Part {
    name: "mislas",
    description: "then MiSLAS's second phase: factors on the logits, label-aware smoothing",
    sets: Sets::SecondPhase,
    add: |experiment, data| experiment.phases.push(second_phase(data)),
};

pub(super) const METHODS: &[Method] = &[Method {
    name: "mislas",
    description: "cross entropy with mix-up, then MiSLAS's second phase",
    parts: &[MISLAS],
    ..RECIPE_M
}];

pub(super) const PARTS: &[Part] = &[MISLAS];
