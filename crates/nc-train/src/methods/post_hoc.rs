use candle_core::Tensor;

use crate::{Experiment, Result};

/// What is done to a trained linear classifier, without training.
pub(crate) trait Adjustment {
    /// Checks its settings, whose keys `key` completes.
    fn validate(&self, key: &dyn Fn(&str) -> String, experiment: &Experiment) -> Result<()> {
        let _ = (key, experiment);
        Ok(())
    }

    /// The new weight (K, P) and bias (K).
    fn adjusted(&self, weight: &Tensor, bias: &Tensor, facts: &dyn Facts) -> Result<(Tensor, Tensor)>;
}

/// What an adjustment may ask.
pub(crate) trait Facts {
    /// Training images of each class.
    fn class_counts(&self) -> &[usize];

    /// The class means (K, P) of the training features in evaluation mode.
    fn class_means(&self) -> Result<Tensor>;

    /// The features (N, P) of the images held out for validation, and their labels; none without such images.
    fn validation(&self) -> Result<Option<(Tensor, Vec<u32>)>>;
}

/// The enum of all adjustments, as the configuration names them.
macro_rules! post_hocs {
    ($($(#[$doc:meta])* $name:ident($config:ty),)*) => {
        /// What is done to the linear classifier after the last phase, and its settings.
        #[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        pub enum PostHoc {
            $($(#[$doc])* $name($config),)*
        }

        impl PostHoc {
            pub(crate) fn method(&self) -> &dyn Adjustment {
                match self {
                    $(Self::$name(adjustment) => adjustment,)*
                }
            }
        }
    };
}
pub(super) use post_hocs;
