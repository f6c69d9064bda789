//! tau-normalisation (Kang et al. 2020, section 4.3).

use candle_core::{D, Tensor};
use nc_metrics::Accuracy;
use nc_models::Classifier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adjustment::{Adjustment, Context, Facts, ValidationSet};
use crate::{Error, Result, error::ensure};

/// Replaces w_k by w_k / |w_k|^tau and drops the biases, because norms of class directions grow with class size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TauNormalization {
    /// Exponent tau: 0 keeps the norms, 1 makes them equal. If absent, chosen from 0, 0.1, ..., 2 by the validation
    /// measure `data.validation.chosen_by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1e6))]
    pub tau: Option<f64>,
}

const NO_TAU: &str = "missing, without validation images to choose it; set it, or data.validation.fraction";

impl Adjustment for TauNormalization {
    fn validate(&self, key: &dyn Fn(&str) -> String, trained: &Context<'_>) -> Result<()> {
        ensure(self.tau.is_some() || trained.has_validation, key("tau"), || NO_TAU.into())
    }

    fn adjusted(&self, weight: &Tensor, bias: &Tensor, facts: &dyn Facts) -> Result<Classifier> {
        let tau = match self.tau {
            Some(tau) => tau,
            None => match facts.validation()? {
                Some(validation) => best(weight, &validation, facts.class_counts())?,
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

/// The tau with the largest validation measure; ties go to the smallest.
fn best(weight: &Tensor, validation: &ValidationSet, class_counts: &[usize]) -> Result<f64> {
    let ValidationSet { features, labels, chosen_by } = validation;
    let (mut best, mut largest) = (0.0, None);
    for tau in (0..=20).map(|tenths| f64::from(tenths) / 10.0) {
        let logits = features.matmul(&normalized(weight, tau)?.t()?)?.flatten_all()?.to_vec1::<f32>()?;
        let accuracy = Accuracy::of(&logits, labels, class_counts)?;
        let measure = chosen_by.of(accuracy.top1, accuracy.balanced);
        if largest.is_none_or(|largest| measure > largest) {
            (best, largest) = (tau, Some(measure));
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::config::ValidationMeasure;

    struct NoValidation;

    impl Facts for NoValidation {
        fn class_counts(&self) -> &[usize] {
            &[2, 1]
        }

        fn class_means(&self) -> Result<Tensor> {
            unreachable!()
        }

        fn validation(&self) -> Result<Option<ValidationSet>> {
            Ok(None)
        }
    }

    #[test]
    fn the_validation_measure_selects_tau() {
        // At tau 0 the long direction of class 0 wins all images: accuracy 3/4, balanced 1/2. With equal norms the
        // image of class 1 is right, and two of class 0 with the same features are wrong: accuracy 1/2, balanced 2/3.
        let cpu = &Device::Cpu;
        let weight = Tensor::new(&[[10f32, 0.0], [0.0, 1.0]], cpu).unwrap();
        let features = Tensor::new(&[[2f32, 1.0], [1.0, 1.5], [1.0, 1.5], [1.0, 1.5]], cpu).unwrap();
        let chosen = |chosen_by| {
            let validation =
                ValidationSet { features: features.clone(), labels: vec![0, 0, 0, 1], chosen_by };
            best(&weight, &validation, &[30, 10]).unwrap()
        };
        assert_eq!(chosen(ValidationMeasure::Accuracy), 0.0);
        assert!(chosen(ValidationMeasure::BalancedAccuracy) > 0.5);
    }

    #[test]
    fn tau_without_validation_images_is_an_error() {
        let weight = Tensor::new(&[[3f32, 4.0], [0.0, 1.0]], &Device::Cpu).unwrap();
        let bias = Tensor::new(&[0f32, 1.0], &Device::Cpu).unwrap();
        let adjusted = TauNormalization { tau: None }.adjusted(&weight, &bias, &NoValidation);
        assert!(matches!(adjusted, Err(Error::Setting { setting, .. }) if setting == "post_hoc.tau"));
    }
}
