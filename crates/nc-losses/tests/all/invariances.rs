//! Invariances of the losses.

use candle_core::{Device, Tensor};
use nc_losses::{
    BetweenForm, Result, balanced_contrastive_each, between_class, center_loss, class_means, cross_entropy,
    effective_number, inverse_frequency, mixed, smoothed_cross_entropy, soft_cross_entropy,
    supervised_contrastive_each, von_mises_fisher_logits, weighted_cross_entropy,
    weighted_smoothed_cross_entropy, within_class,
};
use proptest::prelude::*;

use crate::support::{assert_close, labels, normal};

const FORMS: [BetweenForm; 3] = [BetweenForm::MeanMinAngle, BetweenForm::GlobalMinAngle, BetweenForm::EtfGap];

#[test]
fn batch_order_does_not_matter() -> Result<()> {
    let (logits, features, centers) = (normal(1, 8, 5)?, normal(2, 8, 3)?, normal(3, 5, 3)?);
    let (y, weights) = (labels(4, 8, 5)?, normal(5, 1, 5)?.squeeze(0)?.abs()?);
    let order = Tensor::new(&[3u32, 0, 7, 1, 6, 2, 5, 4], &Device::Cpu)?;
    let shuffled = |x: &Tensor| x.index_select(&order, 0);
    let losses = |logits: &Tensor, features: &Tensor, y: &Tensor| -> Result<Vec<Tensor>> {
        let means = class_means(features, y, 5)?.means;
        Ok(vec![
            cross_entropy(logits, y)?,
            weighted_cross_entropy(logits, y, &weights)?,
            nc_losses::mse(logits, y)?,
            within_class(features, y, &centers)?,
            center_loss(features, y, &centers)?,
            between_class(&means, BetweenForm::MeanMinAngle)?,
            supervised_contrastive_each(features, y, 0.5)?.mean()?,
            balanced_contrastive_each(features, y, &centers, 0.5)?.mean()?,
        ])
    };
    let before = losses(&logits, &features, &y)?;
    let after = losses(&shuffled(&logits)?, &shuffled(&features)?, &shuffled(&y)?)?;
    for (before, after) in before.iter().zip(&after) {
        assert_close(after, before, 1e-13)?;
    }
    Ok(())
}

#[test]
fn constants_added_to_the_logits_do_not_matter() -> Result<()> {
    let (logits, y) = (normal(1, 6, 4)?, labels(2, 6, 4)?);
    let shifted = (&logits + 700.0)?;
    assert_close(&cross_entropy(&shifted, &y)?, &cross_entropy(&logits, &y)?, 1e-12)?;
    let smoothed = smoothed_cross_entropy(&shifted, &y, 0.1)?;
    assert_close(&smoothed, &smoothed_cross_entropy(&logits, &y, 0.1)?, 1e-12)?;
    Ok(())
}

#[test]
fn between_class_is_invariant_to_similarities() -> Result<()> {
    let centers = normal(1, 7, 3)?;
    // Rotation by 90 degrees around (1, 2, 2)/3, by Rodrigues' formula.
    let rotation = Tensor::new(&[[1f64, -4.0, 8.0], [8.0, 4.0, 1.0], [-4.0, 7.0, 4.0]], &Device::Cpu)?;
    let rotated = centers.matmul(&(rotation / 9.0)?)?;
    let offset = Tensor::new(&[[3f64, -1.0, 4.0]], &Device::Cpu)?;
    let order = Tensor::new(&[6u32, 2, 4, 0, 1, 5, 3], &Device::Cpu)?;
    for form in FORMS {
        let loss = between_class(&centers, form)?;
        for similar in [
            rotated.clone(),
            centers.broadcast_add(&offset)?,
            (&centers * 1e6)?,
            (&centers * 1e-6)?,
            centers.index_select(&order, 0)?,
            centers.t()?.contiguous()?.t()?,
        ] {
            assert_close(&between_class(&similar, form)?, &loss, 1e-9)?;
        }
    }
    Ok(())
}

#[test]
fn strides_of_the_arguments_do_not_matter() -> Result<()> {
    fn strided(x: &Tensor) -> candle_core::Result<Tensor> {
        let last = x.rank() - 1;
        Tensor::stack(&[x, x], last + 1)?.narrow(last + 1, 1, 1)?.squeeze(last + 1)
    }
    let (logits, features, centers) = (normal(1, 6, 4)?, normal(2, 6, 3)?, normal(3, 4, 3)?);
    let (y, partner) = (labels(4, 6, 4)?, labels(5, 6, 4)?);
    let weights = normal(6, 1, 4)?.squeeze(0)?.abs()?;
    let losses = |change: fn(&Tensor) -> candle_core::Result<Tensor>| -> Result<Vec<Tensor>> {
        let (logits, features, centers) = (change(&logits)?, change(&features)?, change(&centers)?);
        let (y, partner, weights) = (change(&y)?, change(&partner)?, change(&weights)?);
        let mut losses = vec![
            weighted_smoothed_cross_entropy(&logits, &y, &weights, 0.1)?,
            mixed(&y, &partner, 0.2, |y| weighted_cross_entropy(&logits, y, &weights))?,
            soft_cross_entropy(&logits, &logits)?,
            nc_losses::mse(&logits, &y)?,
            within_class(&features, &y, &centers)?,
            center_loss(&features, &y, &centers)?,
            class_means(&features, &y, 4)?.means,
            supervised_contrastive_each(&features, &y, 0.5)?.of_each,
            balanced_contrastive_each(&features, &y, &centers, 0.5)?.of_each,
            von_mises_fisher_logits(&features, &(&centers / 4.0)?, 0.5)?,
        ];
        for form in FORMS {
            losses.push(between_class(&centers, form)?);
        }
        Ok(losses)
    };
    let plain = losses(|x| Ok(x.clone()))?;
    for (strided, plain) in losses(strided)?.iter().zip(&plain) {
        assert_close(strided, plain, 1e-14)?;
    }
    Ok(())
}

#[test]
fn special_cases_reduce_to_cross_entropy() -> Result<()> {
    let (logits, y, partner) = (normal(1, 6, 4)?, labels(2, 6, 4)?, labels(3, 6, 4)?);
    let plain = cross_entropy(&logits, &y)?;
    let equal = (Tensor::ones(4, logits.dtype(), &Device::Cpu)? * 3.0)?;
    let one_hot = candle_nn::encoding::one_hot(y.clone(), 4, 1f64, 0f64)?;
    let smoothed = smoothed_cross_entropy(&logits, &y, 0.3)?;
    let weights = normal(4, 1, 4)?.squeeze(0)?.abs()?;
    let weighted = weighted_cross_entropy(&logits, &y, &weights)?;

    assert_close(&weighted_cross_entropy(&logits, &y, &equal)?, &plain, 1e-14)?;
    assert_close(&soft_cross_entropy(&logits, &one_hot)?, &plain, 1e-14)?;
    assert_close(&smoothed_cross_entropy(&logits, &y, 0.0)?, &plain, 1e-14)?;
    assert_close(&weighted_smoothed_cross_entropy(&logits, &y, &equal, 0.3)?, &smoothed, 1e-14)?;
    assert_close(&weighted_smoothed_cross_entropy(&logits, &y, &weights, 0.0)?, &weighted, 1e-14)?;
    assert_close(&mixed(&y, &y, 0.3, |y| cross_entropy(&logits, y))?, &plain, 1e-14)?;
    assert_close(&mixed(&y, &partner, 1.0, |y| cross_entropy(&logits, y))?, &plain, 0.0)?;
    assert_close(&mixed(&partner, &y, 0.0, |y| cross_entropy(&logits, y))?, &plain, 0.0)?;
    Ok(())
}

proptest! {
    #[test]
    fn class_weights_sum_to_the_number_of_classes(
        counts in prop::collection::vec(0usize..100_000, 1..30),
        beta in 0.0..=1.0f64,
    ) {
        for weights in [effective_number(&counts, beta), inverse_frequency(&counts)] {
            let total: f64 = weights.iter().sum();
            let expected = if counts.iter().all(|&count| count == 0) { 0.0 } else { counts.len() as f64 };
            prop_assert!((total - expected).abs() < 1e-9);
            for (&a, &weight_a) in counts.iter().zip(&weights) {
                prop_assert_eq!(weight_a == 0.0, a == 0);
                for (&b, &weight_b) in counts.iter().zip(&weights) {
                    // A rarer class never weighs less.
                    prop_assert!(a == 0 || b <= a || weight_b <= weight_a * (1.0 + 1e-12));
                }
            }
        }
    }
}
