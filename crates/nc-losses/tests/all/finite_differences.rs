//! Gradients against central differences in f64.

use candle_core::{Device, Tensor, Var};
use nc_losses::{
    BetweenForm, ClassCount, DifficultSamples, PerSample, Result, adjusted_logits, balanced_contrastive_each,
    between_class, center_loss, class_balanced_dot_regression, class_means, contrastive_each, cross_entropy,
    diversity, dot_regression, dot_regression_each, focal, focal_each, inverse_softmax_logits,
    label_aware_smoothing, label_aware_smoothing_each, mixed, mse, mse_each, smoothed_cross_entropy,
    smoothed_cross_entropy_each, soft_cross_entropy, supervised_contrastive_each, uniformity,
    vector_scaled_logits, von_mises_fisher_logits, weighted_cross_entropy, weighted_smoothed_cross_entropy,
    with_angular_margins, with_margins, within_class,
};

use crate::support::{gradient, labels, normal, relative_error, scalar, values};

/// Compares the gradient of `loss` at `x` with central differences.
#[track_caller]
fn hold(x: &Tensor, loss: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {
    const STEP: f64 = 1e-5;
    let variable = Var::from_tensor(x)?;
    let analytic = gradient(&loss(&variable)?, &variable)?;
    let base = values(x)?;
    let at = |index: usize, step: f64| -> Result<f64> {
        let mut moved = base.clone();
        moved[index] += step;
        Ok(scalar(&loss(&Tensor::from_vec(moved, x.shape(), &Device::Cpu)?)?)?)
    };
    let numeric = (0..base.len())
        .map(|index| Ok((at(index, STEP)? - at(index, -STEP)?) / (2.0 * STEP)))
        .collect::<Result<Vec<_>>>()?;
    let numeric = Tensor::from_vec(numeric, x.shape(), &Device::Cpu)?;
    let error = relative_error(&analytic, &numeric)?;
    assert!(error < 1e-7, "relative error {error:e}");
    Ok(())
}

#[test]
fn classification_losses_match_finite_differences() -> Result<()> {
    let (x, y) = (normal(1, 7, 5)?, labels(2, 7, 5)?);
    let weights = normal(3, 1, 5)?.squeeze(0)?.abs()?;
    let targets = candle_nn::ops::softmax(&normal(4, 7, 5)?, 1)?;
    hold(&x, |x| cross_entropy(x, &y))?;
    hold(&x, |x| weighted_cross_entropy(x, &y, &weights))?;
    hold(&x, |x| smoothed_cross_entropy(x, &y, 0.2))?;
    hold(&x, |x| weighted_smoothed_cross_entropy(x, &y, &weights, 0.2))?;
    hold(&x, |x| soft_cross_entropy(x, &targets))?;
    hold(&x, |x| mse(x, &y))?;
    hold(&x, |x| mixed(&y, &labels(5, 7, 5)?, 0.4, |y| weighted_cross_entropy(x, y, &weights)))
}

#[test]
fn long_tailed_losses_match_finite_differences() -> Result<()> {
    let (x, y) = (normal(1, 7, 5)?, labels(2, 7, 5)?);
    for gamma in [0.0, 0.5, 3.0] {
        hold(&x, |x| focal(x, &y, gamma))?;
    }
    for (counts, tau) in [([9, 1, 3, 40, 2], 0.7), ([5, 2, 8, 1, 1], -1.0)] {
        hold(&x, |x| cross_entropy(&adjusted_logits(x, &counts, tau)?, &y))?;
    }
    hold(&x, |x| cross_entropy(&inverse_softmax_logits(x, &[9, 1, 3, 40, 2], 2.0)?, &y))?;
    hold(&x, |x| cross_entropy(&with_margins(x, &y, &[0.1, 0.5, 0.0, 2.0, 1.0])?, &y))?;
    hold(&x, |x| cross_entropy(&vector_scaled_logits(x, &[9, 1, 3, 40, 2], 0.2, 0.7)?, &y))?;
    let cosines = x.tanh()?;
    for difficult in [DifficultSamples::None, DifficultSamples::All, DifficultSamples::Wrong] {
        let margins = [0.1, 0.5, 0.0, 0.3, 0.2];
        hold(&cosines, |c| cross_entropy(&(with_angular_margins(c, &y, &margins, difficult)? * 8.0)?, &y))?;
    }
    hold(&x, |x| uniformity(x, 5.0))?;
    hold(&x, |x| label_aware_smoothing(x, &y, &[3, 30, 7, 7, 1], 0.5, 0.2))?;
    let directions = normal(4, 5, 4)?;
    hold(&normal(3, 7, 4)?, |h| dot_regression(h, &y, &directions))?;
    hold(&normal(3, 7, 4)?, |h| class_balanced_dot_regression(h, &y, &directions))
}

#[test]
fn diversity_matches_finite_differences_around_a_fixed_mean() -> Result<()> {
    let experts = [normal(1, 7, 5)?, normal(2, 7, 5)?, normal(3, 7, 5)?];
    let temperatures = [1.0, 0.9, 0.7, 1.3, 0.5];
    let scale = Tensor::new(&temperatures.map(f64::recip), &Device::Cpu)?;
    let mean = ((&experts[0] + &experts[1])? + &experts[2])?.affine(1.0 / 3.0, 0.0)?;
    let mean = candle_nn::ops::softmax(&mean.broadcast_mul(&scale)?, 1)?;
    let of =
        |first: &Tensor| diversity(&[first.clone(), experts[1].clone(), experts[2].clone()], &temperatures);
    // The mean has no gradient: that of the divergence is that of the cross entropy against it.
    let factor = (temperatures.iter().sum::<f64>() / 5.0).powi(2);
    let against = |first: &Tensor| -> Result<Tensor> {
        Ok((soft_cross_entropy(&first.broadcast_mul(&scale)?, &mean)? * factor)?)
    };
    hold(&experts[0], against)?;
    let first = Var::from_tensor(&experts[0])?;
    let (ours, expected) = (gradient(&of(&first)?, &first)?, gradient(&against(&first)?, &first)?);
    assert!(relative_error(&ours, &expected)? < 1e-12);
    Ok(())
}

#[test]
fn contrastive_losses_match_finite_differences() -> Result<()> {
    let (z, prototypes, y) = (normal(1, 7, 4)?, normal(2, 5, 4)?, labels(3, 7, 5)?);
    // Anchor 2 has no positives, and the denominators of anchor 3 are empty.
    let rows = |zero: usize| {
        let kept: Vec<f64> = (0..7).map(|row| f64::from(u8::from(row != zero))).collect();
        Tensor::from_vec(kept, (7, 1), &Device::Cpu)
    };
    let positives = normal(4, 7, 4)?.relu()?.broadcast_mul(&rows(2)?)?;
    let denominators = normal(5, 7, 4)?.relu()?.broadcast_mul(&rows(3)?)?;
    hold(&z, |s| contrastive_each(s, &positives, &denominators)?.mean())?;
    hold(&z, |z| supervised_contrastive_each(z, &y, 0.5)?.mean())?;
    hold(&z, |z| balanced_contrastive_each(z, &y, &prototypes, 0.5)?.mean())?;
    hold(&prototypes, |prototypes| balanced_contrastive_each(&z, &y, prototypes, 0.5)?.mean())
}

#[test]
fn von_mises_fisher_logits_match_finite_differences() -> Result<()> {
    for dimensions in [1, 2, 5, 40] {
        let (f, y) = (normal(1, 6, dimensions)?, labels(2, 6, 4)?);
        let means = normal(3, 4, dimensions)?;
        let length = means.sqr()?.sum_keepdim(1)?.sqrt()?;
        let lengths = Tensor::new(&[[0f64], [0.3], [0.7], [0.95]], &Device::Cpu)?;
        let means = means.broadcast_mul(&(lengths / length)?)?;
        hold(&f, |f| cross_entropy(&von_mises_fisher_logits(f, &means, 0.4)?, &y))?;
    }
    Ok(())
}

type OfEach<'a> = &'a dyn Fn(&Tensor) -> Result<PerSample>;

#[test]
fn reductions_match_finite_differences() -> Result<()> {
    let (x, y, directions) = (normal(1, 7, 5)?, labels(2, 7, 5)?, normal(4, 5, 5)?);
    let weights = normal(3, 1, 5)?.squeeze(0)?.abs()?;
    let losses: [OfEach<'_>; 6] = [
        &|x| smoothed_cross_entropy_each(x, &y, None, 0.2),
        &|x| smoothed_cross_entropy_each(x, &y, Some(&weights), 0.2),
        &|x| focal_each(x, &y, 1.5),
        &|x| mse_each(x, &y),
        &|x| label_aware_smoothing_each(x, &y, &[3, 30, 7, 7, 1], 0.5, 0.2),
        &|x| dot_regression_each(x, &y, &directions),
    ];
    for of_each in losses {
        hold(&x, |x| of_each(x)?.weighted(&y, &weights)?.mean())?;
        hold(&x, |x| of_each(x)?.weighted(&y, &weights)?.by_class(&y, 5, ClassCount::Present))?;
        hold(&x, |x| of_each(x)?.by_class(&y, 5, ClassCount::All))?;
        hold(&x, |x| of_each(x)?.over(11.0))?;
    }
    Ok(())
}

#[test]
fn centre_distances_match_finite_differences() -> Result<()> {
    let (features, centers, y) = (normal(1, 6, 3)?, normal(2, 4, 3)?, labels(3, 6, 4)?);
    for loss in [within_class, center_loss] {
        hold(&features, |features| loss(features, &y, &centers))?;
        hold(&centers, |centers| loss(&features, &y, centers))?;
    }
    Ok(())
}

#[test]
fn between_class_matches_finite_differences() -> Result<()> {
    for (classes, dimensions) in [(3, 4), (6, 2), (11, 7)] {
        let centers = (normal(classes as u64, classes, dimensions)? + 0.5)?;
        for form in [BetweenForm::MeanMinAngle, BetweenForm::GlobalMinAngle, BetweenForm::EtfGap] {
            hold(&centers, |centers| between_class(centers, form))?;
        }
    }
    Ok(())
}

#[test]
fn between_class_on_batch_means_matches_finite_differences() -> Result<()> {
    let (features, y) = (normal(1, 9, 4)?, Tensor::new(&[5u32, 0, 2, 5, 5, 2, 0, 7, 7], &Device::Cpu)?);
    hold(&features, |features| between_class(&class_means(features, &y, 8)?.means, BetweenForm::MeanMinAngle))
}
