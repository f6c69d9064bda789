use candle_core::Tensor;
use nc_losses::{smoothed_cross_entropy, weighted_smoothed_cross_entropy};

use crate::{ModelConfig, Result};

/// A loss of logits and labels.
pub(crate) trait Loss {
    /// Whether class weights have a meaning in it.
    fn takes_class_weights(&self) -> bool {
        false
    }

    /// Checks its settings, whose keys `key` completes.
    fn validate(&self, key: &dyn Fn(&str) -> String, model: &ModelConfig) -> Result<()> {
        let _ = (key, model);
        Ok(())
    }

    /// The loss of a batch, a scalar.
    fn of(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor>;
}

/// What the model made of a batch, with labels and what is known of the classes.
#[derive(Clone, Copy)]
pub(crate) struct Labelled<'a> {
    pub(crate) features: &'a Tensor,
    pub(crate) logits: &'a Tensor,
    pub(crate) labels: &'a Tensor,
    /// Training images of each class.
    pub(crate) class_counts: &'a [usize],
    pub(crate) class_weights: Option<&'a Tensor>,
    /// The head's class directions, (K, P).
    pub(crate) directions: &'a Tensor,
    /// The head's factor on cosines.
    pub(crate) scale: f64,
}

impl Labelled<'_> {
    /// Cross entropy of `logits` in place of the batch's, with the class weights there are.
    pub(crate) fn cross_entropy(&self, logits: &Tensor, smoothing: f64) -> nc_losses::Result<Tensor> {
        match self.class_weights {
            Some(weights) => weighted_smoothed_cross_entropy(logits, self.labels, weights, smoothing),
            None => smoothed_cross_entropy(logits, self.labels, smoothing),
        }
    }
}

/// The enum of all losses, as the configuration names them.
macro_rules! supervised_losses {
    ($($(#[$doc:meta])* $name:ident($config:ty),)*) => {
        /// L_sup: a loss of logits and labels, and its settings.
        #[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        pub enum SupervisedLoss {
            $($(#[$doc])* $name($config),)*
        }

        impl SupervisedLoss {
            pub(crate) fn method(&self) -> &dyn Loss {
                match self {
                    $(Self::$name(loss) => loss,)*
                }
            }
        }
    };
}
pub(super) use supervised_losses;
