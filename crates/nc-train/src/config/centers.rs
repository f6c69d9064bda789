use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The class centres of L_W and L_B.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Centers {
    /// Parameters updated by plain SGD on grad(lambda1 L_W + lambda2 L_B) / lambda1, as in the paper's code. L_B
    /// affects the features only through the centres.
    Learnable {
        /// Learning rate alpha of the centres, constant over epochs.
        #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
        learning_rate: f64,
        /// Initial values.
        init: CenterInit,
    },
    /// Moving averages of the class means of the batches: c_k <- `momentum` c_k + (1 - `momentum`) (mean of class k in
    /// the batch), for the classes in the batch. Both losses use the updated centres. L_B has a gradient to the
    /// features, through the batch's share 1 - `momentum`; L_W treats the centres as constants. With mix-up, each set
    /// of labels uses centres after a full update with these labels; the stored centres move by lambda and 1 - lambda
    /// of the two updates. Works without lambda1.
    MovingAverage {
        /// Share of the old centre.
        #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
        momentum: f64,
        /// Initial values.
        init: CenterInit,
    },
    /// The class means of the batch, with gradient to the features. Works without lambda1.
    BatchMeans,
}

impl Default for Centers {
    fn default() -> Self {
        Self::Learnable { learning_rate: 0.5, init: CenterInit::Normal }
    }
}

/// Initial values of learnable or averaged centres.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CenterInit {
    /// N(0, 1).
    Normal,
    /// Class means of the training features in evaluation mode, at `start_epoch`.
    ClassMeans,
}
