//! Degenerate batches and invalid arguments.

use candle_core::{DType, Device, Tensor, Var};
use nc_losses::{
    BetweenForm, Error, Result, adjusted_logits, between_class, center_loss, class_balanced_dot_regression,
    class_means, cross_entropy, dot_regression, effective_number, focal, inverse_frequency,
    label_aware_smoothing, mixed, mse, smoothed_cross_entropy, soft_cross_entropy, weighted_cross_entropy,
    weighted_smoothed_cross_entropy, with_margins, within_class,
};

use crate::support::{assert_finite, gradient, scalar, values};

const CPU: &Device = &Device::Cpu;
const FORMS: [BetweenForm; 3] = [BetweenForm::MeanMinAngle, BetweenForm::GlobalMinAngle, BetweenForm::EtfGap];

/// Gradients of all forms of L_B in both precisions, checked to be finite.
fn between_gradients<const K: usize>(rows: &[[f64; 3]; K]) -> Result<Vec<Vec<f64>>> {
    let mut gradients = Vec::new();
    for dtype in [DType::F32, DType::F64] {
        for form in FORMS {
            let centers = Var::from_tensor(&Tensor::new(rows, CPU)?.to_dtype(dtype)?)?;
            let loss = between_class(&centers, form)?;
            assert_eq!(loss.dtype(), dtype);
            assert_finite(&loss)?;
            let gradient = gradient(&loss, &centers)?;
            assert_finite(&gradient)?;
            gradients.push(values(&gradient)?);
        }
    }
    Ok(gradients)
}

#[test]
fn certain_and_impossible_predictions_stay_finite() -> Result<()> {
    let y = Tensor::new(&[0u32, 1], CPU)?;
    for dtype in [DType::F32, DType::F64] {
        let logits = Var::from_tensor(
            &Tensor::new(&[[300f64, -300.0, 0.0], [300.0, -300.0, 0.0]], CPU)?.to_dtype(dtype)?,
        )?;
        for loss in [
            focal(&logits, &y, 0.5)?,
            focal(&logits, &y, 2.0)?,
            cross_entropy(&adjusted_logits(&logits, &[1, 1, 0], 1.0)?, &y)?,
            label_aware_smoothing(&logits, &y, &[2, 2, 2], 0.3, 0.0)?,
        ] {
            assert_finite(&loss)?;
            assert_finite(&gradient(&loss, &logits)?)?;
        }
    }
    Ok(())
}

#[test]
fn classes_with_count_zero_are_excluded() -> Result<()> {
    let y = Tensor::new(&[0u32, 1], CPU)?;
    let logits = Var::new(&[[0.5f32, -1.0, 7.0], [2.0, 0.0, 9.0]], CPU)?;
    let loss = cross_entropy(&adjusted_logits(&logits, &[3, 1, 0], 1.0)?, &y)?;
    let without = cross_entropy(&adjusted_logits(&logits.narrow(1, 0, 2)?, &[3, 1], 1.0)?, &y)?;
    assert!((scalar(&loss)? - scalar(&without)?).abs() < 1e-6);
    assert_eq!(values(&gradient(&loss, &logits)?.get(0)?)?[2], 0.0);
    Ok(())
}

#[test]
fn features_of_norm_zero_get_no_gradient() -> Result<()> {
    let features = Var::zeros((1, 3), DType::F32, CPU)?;
    let (label, direction) = (Tensor::new(&[0u32], CPU)?, Tensor::new(&[[1f32, 0.0, 0.0]], CPU)?);
    for loss in [dot_regression, class_balanced_dot_regression] {
        let loss = loss(&features, &label, &direction)?;
        assert_eq!(scalar(&loss)?, 0.5);
        assert_eq!(values(&gradient(&loss, &features)?.flatten_all()?)?, [0.0; 3]);
    }
    Ok(())
}

/// The authors' form: the direction of class k and the target of the product have length sqrt(B / (C n_k)).
#[test]
fn class_balanced_dot_regression_equals_the_scaled_form() -> Result<()> {
    let features = [[0.3f64, -1.2], [2.0, 0.5], [-0.7, 0.1], [1.1, 1.0], [0.2, -0.4]];
    let labels = [3usize, 0, 3, 3, 1];
    let directions = [[1.0f64, 0.0], [0.6, -0.8], [0.0, 1.0], [-0.8, 0.6]];
    let mut expected = 0.0;
    for (h, &label) in features.iter().zip(&labels) {
        let samples = labels.iter().filter(|&&other| other == label).count() as f64;
        let length = (5.0 / (3.0 * samples)).sqrt();
        let w = directions[label].map(|x| length * x);
        let product = (w[0] * h[0] + w[1] * h[1]) / h[0].hypot(h[1]);
        expected += (product - length).powi(2) / 2.0 / 5.0;
    }
    let labels = Tensor::new(labels.map(|label| label as u32).as_slice(), CPU)?;
    let (features, directions) = (Tensor::new(&features, CPU)?, Tensor::new(&directions, CPU)?);
    let loss = class_balanced_dot_regression(&features, &labels, &directions)?.to_scalar::<f64>()?;
    assert!((loss - expected).abs() < 1e-12, "{loss} {expected}");
    Ok(())
}

#[test]
fn one_centre_has_loss_zero() -> Result<()> {
    for form in FORMS {
        assert_eq!(scalar(&between_class(&Tensor::ones((1, 4), DType::F32, CPU)?, form)?)?, 0.0);
    }
    Ok(())
}

#[test]
fn two_centres_are_opposite() -> Result<()> {
    for gradient in between_gradients(&[[1.0, 2.0, 3.0], [0.0, 1.0, -5.0]])? {
        assert!(gradient.iter().all(|g| g.abs() < 1e-6), "{gradient:?}");
    }
    Ok(())
}

#[test]
fn coinciding_centres_get_no_gradient() -> Result<()> {
    for rows in [[[0.0; 3]; 4], [[0.1, -7.3, 1e-3]; 4]] {
        for gradient in between_gradients(&rows)? {
            assert!(gradient.iter().all(|&g| g == 0.0), "{gradient:?}");
        }
    }
    Ok(())
}

#[test]
fn partly_coinciding_centres_have_clamped_angles() -> Result<()> {
    let rows = [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.5, 2.0]];
    for gradient in between_gradients(&rows)? {
        // The first two do not affect each other, but share the gradient of the centring.
        assert_eq!(gradient[..3].iter().all(|&g| g == 0.0), gradient[3..6].iter().all(|&g| g == 0.0));
    }
    let centers = Tensor::new(&rows, CPU)?;
    let smallest = scalar(&between_class(&centers, BetweenForm::GlobalMinAngle)?)?;
    assert!((smallest + 0.99999f64.acos()).abs() < 1e-12);
    Ok(())
}

#[test]
fn a_centre_at_the_mean_is_orthogonal_to_all() -> Result<()> {
    // Three corners of a triangle around the fourth: 120 degrees to each other, 90 to the middle one.
    let h = 0.75f64.sqrt();
    let rows = [[1.0, 0.0, 0.0], [-0.5, h, 0.0], [-0.5, -h, 0.0], [0.0, 0.0, 0.0]];
    between_gradients(&rows)?;
    let loss = scalar(&between_class(&Tensor::new(&rows, CPU)?, BetweenForm::MeanMinAngle)?)?;
    assert!((loss.to_degrees() + 90.0).abs() < 1e-9);
    Ok(())
}

#[test]
fn tiny_and_huge_centres_stay_finite() -> Result<()> {
    let rows = [[1.0, 0.2, 0.0], [-0.5, 1.0, 0.3], [-0.5, -1.0, 0.7], [0.1, 0.9, -0.2]];
    for scale in [1e-25, 1e-18, 1e-12, 1e12, 1e18] {
        between_gradients(&rows.map(|row| row.map(|x| x * scale)))?;
    }
    Ok(())
}

#[test]
fn nan_propagates() -> Result<()> {
    let rows = [[1.0, 0.2, 0.0], [-0.5, 1.0, f64::NAN], [-0.5, -1.0, 0.7], [0.1, 0.9, -0.2]];
    let (broken, labels) = (Tensor::new(&rows, CPU)?, Tensor::new(&[0u32, 1, 2, 2], CPU)?);
    let mut losses = vec![
        cross_entropy(&broken, &labels)?,
        mse(&broken, &labels)?,
        within_class(&broken, &labels, &broken)?,
        center_loss(&broken, &labels, &broken)?,
    ];
    for form in FORMS {
        losses.push(between_class(&broken, form)?);
    }
    for loss in losses {
        assert!(scalar(&loss)?.is_nan());
    }
    Ok(())
}

#[test]
fn absent_classes_contribute_nothing() -> Result<()> {
    let features = Var::new(&[[1f32, 2.0], [3.0, 4.0]], CPU)?;
    let centers = Var::new(&[[0f32, 0.0], [9.0, 9.0], [1.0, 1.0]], CPU)?;
    let labels = Tensor::new(&[2u32, 0], CPU)?;
    for loss in [within_class, center_loss] {
        let loss = loss(&features, &labels, &centers)?;
        assert_finite(&loss)?;
        let gradient = gradient(&loss, &centers)?.to_vec2::<f32>()?;
        assert_eq!(gradient[1], [0.0, 0.0]);
        assert_ne!(gradient[2], [0.0, 0.0]);
    }
    Ok(())
}

#[test]
fn one_sample_has_defined_losses() -> Result<()> {
    let features = Tensor::new(&[[1f32, 2.0]], CPU)?;
    let centers = Tensor::new(&[[1f32, 0.0], [0.0, 0.0]], CPU)?;
    let labels = Tensor::new(&[0u32], CPU)?;
    assert_eq!(scalar(&within_class(&features, &labels, &centers)?)?, 2.0);
    assert_eq!(scalar(&center_loss(&features, &labels, &centers)?)?, 4.0);
    assert_finite(&cross_entropy(&features, &labels)?)?;
    let present = class_means(&features, &labels, 9)?;
    assert_eq!((present.classes, present.counts), (vec![0], vec![1]));
    assert_eq!(scalar(&between_class(&present.means, BetweenForm::MeanMinAngle)?)?, 0.0);
    Ok(())
}

#[test]
fn extreme_logits_and_weights_stay_finite() -> Result<()> {
    let logits = Var::new(&[[3e38f32, -3e38], [1e4, -1e4]], CPU)?;
    let labels = Tensor::new(&[0u32, 1], CPU)?;
    let loss = cross_entropy(&logits, &Tensor::new(&[0u32, 0], CPU)?)?;
    assert_eq!(scalar(&loss)?, 0.0);
    assert_finite(&gradient(&loss, &logits)?)?;

    let logits = Var::new(&[[1f32, 2.0], [0.0, 1.0]], CPU)?;
    let loss = weighted_cross_entropy(&logits, &labels, &Tensor::zeros(2, DType::F32, CPU)?)?;
    assert_eq!(scalar(&loss)?, 0.0);
    assert_finite(&gradient(&loss, &logits)?)?;

    // Smoothing puts mass on a weighted class, although no label has weight.
    let (ones, weights) = (Tensor::new(&[1u32, 1], CPU)?, Tensor::new(&[3f32, 0.0], CPU)?);
    let loss = (weighted_smoothed_cross_entropy(&logits, &ones, &weights, 0.1)? * 1e3)?;
    assert_eq!(scalar(&loss)?, 0.0);
    assert_eq!(values(&gradient(&loss, &logits)?.flatten_all()?)?, [0.0; 4]);
    Ok(())
}

#[test]
fn class_weights_of_empty_classes_are_zero() {
    assert_eq!(effective_number(&[0, 0], 0.999), [0.0, 0.0]);
    assert_eq!(effective_number(&[5, 0, 5], 0.999), [1.5, 0.0, 1.5]);
    assert_eq!(inverse_frequency(&[]), [0.0; 0]);
    // Both ends of beta, and values beyond them.
    assert_eq!(effective_number(&[30, 10], 1.0), inverse_frequency(&[30, 10]));
    assert_eq!(effective_number(&[30, 10], 2.0), inverse_frequency(&[30, 10]));
    assert_eq!(effective_number(&[30, 10], 0.0), [1.0, 1.0]);
    assert_eq!(effective_number(&[30, 10], f64::NAN), [1.0, 1.0]);
}

#[test]
fn error_messages_name_the_argument() -> Result<()> {
    let logits = Tensor::zeros((2, 3), DType::F32, CPU)?;
    let centers = Tensor::zeros((4, 3), DType::F32, CPU)?;
    let labels = Tensor::new(&[0u32, 2], CPU)?;
    let three = Tensor::new(&[0u32, 1, 2], CPU)?;
    let empty = Tensor::zeros((0, 3), DType::F32, CPU)?;
    let none = Tensor::zeros(0, DType::U32, CPU)?;
    let double = Tensor::zeros((4, 3), DType::F64, CPU)?;
    let message = |result: Result<Tensor>| result.expect_err("invalid arguments").to_string();
    for (found, expected) in [
        (cross_entropy(&logits, &three), "labels: expected shape [2], found [3]"),
        (cross_entropy(&empty, &none), "logits: expected shape (rows, columns), both above 0, found [0, 3]"),
        (cross_entropy(&labels, &labels), "logits: expected shape (rows, columns), both above 0, found [2]"),
        (
            cross_entropy(&logits.to_dtype(DType::I64)?, &labels),
            "logits: expected dtype F32 or F64, found I64",
        ),
        (mse(&logits, &labels.to_dtype(DType::I64)?), "labels: expected dtype U32, found I64"),
        (
            mse(&logits, &Tensor::new(&[0u32, 3], CPU)?),
            "labels: expected classes below 3, found 3 at position 1",
        ),
        (
            weighted_cross_entropy(&logits, &labels, &Tensor::zeros(4, DType::F32, CPU)?),
            "class_weights: expected shape [3], found [4]",
        ),
        (
            weighted_cross_entropy(&logits, &labels, &Tensor::zeros(3, DType::F64, CPU)?),
            "class_weights: expected dtype F32, found F64",
        ),
        (soft_cross_entropy(&logits, &centers), "probabilities: expected shape [2, 3], found [4, 3]"),
        (smoothed_cross_entropy(&logits, &labels, 1.5), "smoothing: expected a number in [0, 1], found 1.5"),
        (
            mixed(&labels, &labels, f64::NAN, |_| unreachable!()),
            "lambda: expected a number in [0, 1], found NaN",
        ),
        (mixed(&labels, &three, 0.5, |_| unreachable!()), "partner: expected shape [2], found [3]"),
        (
            within_class(&logits, &labels, &Tensor::zeros((4, 2), DType::F32, CPU)?),
            "centers: expected shape [4, 3], found [4, 2]",
        ),
        (center_loss(&logits, &labels, &double), "centers: expected dtype F32, found F64"),
        (
            between_class(&labels, BetweenForm::EtfGap),
            "centers: expected shape (rows, columns), both above 0, found [2]",
        ),
        (
            class_means(&logits, &labels, 2).map(|present| present.means),
            "labels: expected classes below 2, found 2 at position 1",
        ),
        (focal(&logits, &labels, -1.0), "gamma: expected a finite number of at least 0, found -1"),
        (adjusted_logits(&logits, &[1, 2], 1.0), "counts: expected one for each of 3 classes, found 2"),
        (adjusted_logits(&logits, &[0, 0, 0], 1.0), "sum of counts: expected a number above 0, found 0"),
        (adjusted_logits(&logits, &[1, 1, 1], f64::NAN), "tau: expected a finite number, found NaN"),
        (with_margins(&logits, &labels, &[1.0]), "margins: expected shape [3], found [1]"),
        (
            label_aware_smoothing(&logits, &labels, &[1, 2], 0.1, 0.0),
            "counts: expected one for each of 3 classes, found 2",
        ),
        (
            label_aware_smoothing(&logits, &labels, &[1, 2, 3], 1.1, 0.0),
            "head: expected a number in [0, 1], found 1.1",
        ),
        (
            dot_regression(&logits, &labels, &Tensor::zeros((3, 2), DType::F32, CPU)?),
            "weight: expected shape [3, 3], found [3, 2]",
        ),
    ] {
        assert_eq!(message(found), expected);
    }
    assert!(matches!(nc_losses::check_labels(&none, 3), Err(Error::Shape { argument: "labels", .. })));
    Ok(())
}
