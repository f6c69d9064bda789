use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the class centres come from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Centers {
    /// Parameters with their own plain SGD on grad(lambda1 L_W + lambda2 L_B) / lambda1, as in the paper's code: L_B
    /// reaches the features through the centres alone.
    Learnable {
        /// Their learning rate, the same in every epoch (alpha).
        #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
        learning_rate: f64,
        /// Their first values.
        init: CenterInit,
    },
    /// Moving averages of the class means of the batches: c_k <- `momentum` c_k + (1 - `momentum`) (mean of class k in
    /// the batch), where the class is in it. Both losses see the centres as they are after that step: L_B has a gradient to
    /// the features, by the share of the batch in them, and L_W pulls features as if the centres were constants. Of a
    /// mixed batch each set of labels sees the centres after a full step of its own, while the stored centres move by
    /// lambda and 1 - lambda of the two steps. Needs no lambda1.
    MovingAverage {
        /// The share of a centre that stays as it was.
        #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
        momentum: f64,
        /// Their first values.
        init: CenterInit,
    },
    /// The class means of the batch, with gradient to the features. Needs no lambda1.
    BatchMeans,
}

impl Default for Centers {
    fn default() -> Self {
        Self::Learnable { learning_rate: 0.5, init: CenterInit::Normal }
    }
}

/// First values of centres that are kept from batch to batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CenterInit {
    /// N(0, 1).
    Normal,
    /// Means of the training features in evaluation mode, at the start epoch.
    ClassMeans,
}
