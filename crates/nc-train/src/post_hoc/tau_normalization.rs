//! tau-normalisation (Kang et al. 2020, section 4.3).

use candle_core::{D, Tensor};
use nc_models::Classifier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adjustment::{Adjustment, Context, Facts};
use crate::{Error, Result, error::ensure};

/// w_k / |w_k|^tau in place of w_k, and no biases: large classes, whose directions have grown long, lose that advantage.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TauNormalization {
    /// 0 changes no direction, 1 makes all of them equally long; absent for the one of 0, 0.1, ..., 2 with the best
    /// accuracy on the images held out for validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1e6))]
    pub tau: Option<f64>,
}

const NO_TAU: &str = "is absent, to be chosen by validation accuracy, but no images are held out for that: set it, or \
                      data.validation.fraction";

impl Adjustment for TauNormalization {
    fn validate(&self, key: &dyn Fn(&str) -> String, trained: &Context<'_>) -> Result<()> {
        ensure(self.tau.is_some() || trained.has_validation, key("tau"), || NO_TAU.into())
    }

    fn adjusted(&self, weight: &Tensor, bias: &Tensor, facts: &dyn Facts) -> Result<Classifier> {
        let tau = match self.tau {
            Some(tau) => tau,
            None => match facts.validation()? {
                Some((features, labels)) => best(weight, &features, &labels)?,
                None => return Err(Error::setting("post_hoc.tau", NO_TAU)),
            },
        };
        Ok(Classifier { weight: normalized(weight, tau)?, bias: Some(bias.zeros_like()?) })
    }
}

fn normalized(weight: &Tensor, tau: f64) -> Result<Tensor> {
    let norms = weight.sqr()?.sum_keepdim(D::Minus1)?.maximum(f64::from(f32::MIN_POSITIVE))?;
    Ok(weight.broadcast_div(&norms.powf(tau / 2.0)?)?)
}

/// The tau with the most right decisions; of several the smallest.
fn best(weight: &Tensor, features: &Tensor, labels: &[u32]) -> Result<f64> {
    let (mut best, mut most) = (0.0, None);
    for tau in (0..=20).map(|tenths| f64::from(tenths) / 10.0) {
        let decisions =
            features.matmul(&normalized(weight, tau)?.t()?)?.argmax(D::Minus1)?.to_vec1::<u32>()?;
        let right = decisions.iter().zip(labels).filter(|(decision, label)| decision == label).count();
        if most.is_none_or(|most| right > most) {
            (best, most) = (tau, Some(right));
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    struct NoValidation;

    impl Facts for NoValidation {
        fn class_counts(&self) -> &[usize] {
            &[2, 1]
        }

        fn class_means(&self) -> Result<Tensor> {
            unreachable!()
        }

        fn validation(&self) -> Result<Option<(Tensor, Vec<u32>)>> {
            Ok(None)
        }
    }

    #[test]
    fn no_tau_is_made_up_where_none_can_be_chosen() {
        let weight = Tensor::new(&[[3f32, 4.0], [0.0, 1.0]], &Device::Cpu).unwrap();
        let bias = Tensor::new(&[0f32, 1.0], &Device::Cpu).unwrap();
        let adjusted = TauNormalization { tau: None }.adjusted(&weight, &bias, &NoValidation);
        assert!(matches!(adjusted, Err(Error::Setting { setting, .. }) if setting == "post_hoc.tau"));
    }
}
