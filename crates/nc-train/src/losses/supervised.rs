use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    cross_entropy::CrossEntropy,
    difficulty_margin::DifficultyMargin,
    dot_regression::{ClassBalancedDotRegression, DotRegression},
    focal::Focal,
    inverse_softmax::InverseSoftmax,
    label_aware_smoothing::LabelAwareSmoothing,
    ldam::Ldam,
    logit_adjustment::LogitAdjustment,
    loss::Loss,
    mse::MeanSquaredError,
    vector_scaling::VectorScaling,
};

/// The supervised loss L_sup with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SupervisedLoss {
    /// Cross entropy.
    CrossEntropy(CrossEntropy),
    /// Squared error of the logits on one-hot targets.
    MeanSquaredError(MeanSquaredError),
    /// Focal loss.
    Focal(Focal),
    /// Label-distribution-aware margins on a cosine head.
    Ldam(Ldam),
    /// Logit adjustment, balanced softmax and ARB-Loss.
    LogitAdjustment(LogitAdjustment),
    /// Logits divided and shifted by class size: VS loss.
    VectorScaling(VectorScaling),
    /// Balancing margins on the angles of a cosine head: DBM.
    DifficultyMargin(DifficultyMargin),
    /// Inverse softmax, for SADE's expert of rare classes.
    InverseSoftmax(InverseSoftmax),
    /// Label-aware smoothing, used in the second phase of MiSLAS.
    LabelAwareSmoothing(LabelAwareSmoothing),
    /// Dot regression on a fixed ETF.
    DotRegression(DotRegression),
    /// Dot regression on a fixed ETF, averaged per class of the batch.
    ClassBalancedDotRegression(ClassBalancedDotRegression),
}

impl SupervisedLoss {
    pub(crate) fn as_loss(&self) -> &dyn Loss {
        match self {
            Self::CrossEntropy(loss) => loss,
            Self::MeanSquaredError(loss) => loss,
            Self::Focal(loss) => loss,
            Self::Ldam(loss) => loss,
            Self::LogitAdjustment(loss) => loss,
            Self::VectorScaling(loss) => loss,
            Self::DifficultyMargin(loss) => loss,
            Self::InverseSoftmax(loss) => loss,
            Self::LabelAwareSmoothing(loss) => loss,
            Self::DotRegression(loss) => loss,
            Self::ClassBalancedDotRegression(loss) => loss,
        }
    }
}
