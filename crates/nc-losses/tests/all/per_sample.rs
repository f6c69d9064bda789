//! Reductions of per-sample losses.

use candle_core::{DType, Device, Tensor, Var};
use nc_losses::{
    ClassCount, Error, PerSample, Result, class_balanced_dot_regression, dot_regression_each,
    effective_number, focal_each, mse, mse_each, smoothed_cross_entropy_each,
};

use crate::support::{assert_close, gradient, labels, normal, scalar, values};

const CPU: &Device = &Device::Cpu;

/// The expected loss was computed in Python from the formula of Cui et al. on a softmax.
#[test]
fn class_balanced_focal_loss_matches_python() -> Result<()> {
    let logits =
        Tensor::new(&[[0.5f64, -1.0, 2.0], [1.5, 0.25, -0.75], [-2.0, 0.0, 1.0], [0.0, 3.0, -1.0]], CPU)?;
    let labels = Tensor::new(&[2u32, 0, 1, 0], CPU)?;
    let weights = Tensor::new(effective_number(&[500, 40, 3], 0.999), CPU)?;
    let loss = scalar(&focal_each(&logits, &labels, 1.5)?.weighted(&labels, &weights)?.mean()?)?;
    assert!((loss - 0.102_356_402_317_073_88).abs() < 1e-12, "{loss}");
    Ok(())
}

#[test]
fn parts_of_a_batch_add_up_to_its_mean() -> Result<()> {
    let (logits, y) = (normal(1, 8, 5)?, labels(2, 8, 5)?);
    let weights = normal(3, 1, 5)?.squeeze(0)?.abs()?;
    let each = |start, len| -> Result<PerSample> {
        let y = y.narrow(0, start, len)?;
        focal_each(&logits.narrow(0, start, len)?, &y, 2.0)?.weighted(&y, &weights)
    };
    let whole = each(0, 8)?;
    let mass = whole.mass.as_ref().map_or(Ok(8.0), |mass| scalar(&mass.sum_all()?))?;
    let parts = (each(0, 3)?.over(mass)? + each(3, 5)?.over(mass)?)?;
    assert_close(&parts, &whole.mean()?, 1e-14).map_err(Into::into)
}

#[test]
fn class_weights_cancel_in_a_mean_by_class() -> Result<()> {
    let (features, y, directions) = (normal(1, 8, 4)?, labels(2, 8, 5)?, normal(3, 5, 4)?);
    let weights = Tensor::new(&[0.5f64, 3.0, 1.0, 0.1, 2.0], CPU)?;
    let weighted = dot_regression_each(&features, &y, &directions)?.weighted(&y, &weights)?;
    let plain = class_balanced_dot_regression(&features, &y, &directions)?;
    assert_close(&weighted.by_class(&y, 5, ClassCount::Present)?, &plain, 1e-14).map_err(Into::into)
}

#[test]
fn classes_of_weight_zero_are_excluded() -> Result<()> {
    let logits = Var::new(&[[1f32, 2.0], [0.0, 1.0], [3.0, 0.5]], CPU)?;
    let y = Tensor::new(&[1u32, 1, 0], CPU)?;
    let weights = |of_1: f32| Tensor::new(&[0f32, of_1], CPU);
    // Smoothing gives the third sample a loss, although its mass is 0.
    let losses = smoothed_cross_entropy_each(&logits, &y, Some(&weights(2.0)?), 0.1)?;
    let first = losses.of_each.narrow(0, 0, 2)?.sum_all()?;
    let by_class = losses.by_class(&y, 2, ClassCount::Present)?;
    assert_eq!(scalar(&by_class)?, scalar(&(first / 4.0)?)?);
    assert_eq!(values(&gradient(&by_class, &logits)?.get(2)?)?, [0.0; 2]);

    let losses = focal_each(&logits, &y, 2.0)?.weighted(&y, &weights(0.0)?)?;
    for count in [ClassCount::All, ClassCount::Present] {
        let loss = losses.by_class(&y, 2, count)?;
        assert_eq!(scalar(&loss)?, 0.0);
        assert_eq!(values(&gradient(&loss, &logits)?.flatten_all()?)?, [0.0; 6]);
    }
    assert_eq!(scalar(&losses.mean()?)?, 0.0);
    Ok(())
}

#[test]
fn equal_class_weights_do_not_change_mse() -> Result<()> {
    let (logits, y) = (normal(1, 8, 5)?, labels(2, 8, 5)?);
    let weights = Tensor::new(&[3f64; 5], CPU)?;
    assert_close(&mse_each(&logits, &y)?.weighted(&y, &weights)?.mean()?, &mse(&logits, &y)?, 1e-14)
        .map_err(Into::into)
}

#[test]
fn arguments_are_checked() -> Result<()> {
    let losses = PerSample::new(Tensor::ones(2, DType::F32, CPU)?);
    let y = Tensor::new(&[0u32, 2], CPU)?;
    for mass in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(losses.over(mass), Err(Error::Range { argument: "mass", .. })));
    }
    let weights = |shape: &[usize], dtype| Tensor::ones(shape, dtype, CPU);
    let weighted = |weights: &Tensor| losses.clone().weighted(&y, weights);
    assert!(matches!(
        weighted(&weights(&[3, 1], DType::F32)?),
        Err(Error::Shape { argument: "class_weights", .. })
    ));
    assert!(matches!(
        weighted(&weights(&[3], DType::F64)?),
        Err(Error::DType { argument: "class_weights", .. })
    ));
    assert!(matches!(weighted(&weights(&[2], DType::F32)?), Err(Error::Label { found: 2, .. })));
    assert!(matches!(losses.by_class(&y, 2, ClassCount::All), Err(Error::Label { found: 2, .. })));
    assert!(matches!(
        losses.by_class(&y.narrow(0, 0, 1)?, 3, ClassCount::All),
        Err(Error::Shape { argument: "labels", .. })
    ));
    Ok(())
}
