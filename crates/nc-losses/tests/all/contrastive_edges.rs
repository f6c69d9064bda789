//! Degenerate batches and invalid arguments of contrastive losses and their targets.

use candle_core::{DType, Device, Tensor, Var};
use nc_losses::{
    Result, assign_targets, balanced_contrastive_each, contrastive_each, cross_entropy,
    supervised_contrastive_each, uniform_targets, von_mises_fisher_logits,
};

use crate::support::{assert_finite, gradient, scalar, values};

const CPU: &Device = &Device::Cpu;

#[test]
fn anchors_without_positives_have_no_loss_and_no_gradient() -> Result<()> {
    let of = |rows: &[[f32; 3]; 3]| Tensor::new(rows, CPU);
    let similarities = Var::new(&[[1f32, 0.0, 2.0], [-1.0, 3.0, 0.0], [0.5, 0.5, 0.5]], CPU)?;
    // Neither positives nor, for the last anchor, a denominator.
    let positives = of(&[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])?;
    let denominators = of(&[[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])?;
    let losses = contrastive_each(&similarities, &positives, &denominators)?;
    assert_eq!(values(losses.mass.as_ref().expect("masses"))?, [1.0, 0.0, 0.0]);
    assert_eq!(values(&losses.of_each)?[1..], [0.0, 0.0]);
    let loss = losses.mean()?;
    assert!((scalar(&loss)? - 1f64.exp().ln_1p()).abs() < 1e-6);
    let gradient = values(&gradient(&loss, &similarities)?)?;
    assert!((gradient[0] + gradient[1]).abs() < 1e-6 && gradient[0] > 0.5);
    assert_eq!(gradient[2..], [0.0; 7]);
    Ok(())
}

#[test]
fn contrastive_losses_of_one_sample_and_of_large_similarities_are_finite() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        let z = Var::from_tensor(&Tensor::new(&[[3f64, 4.0]], CPU)?.to_dtype(dtype)?)?;
        let alone = supervised_contrastive_each(&z, &Tensor::new(&[5u32], CPU)?, 0.1)?.mean()?;
        assert_eq!((scalar(&alone)?, values(&gradient(&alone, &z)?)?), (0.0, vec![0.0; 2]));
        let prototypes = Tensor::new(&[[1f64, 0.0], [0.0, 1.0]], CPU)?.to_dtype(dtype)?;
        let loss = balanced_contrastive_each(&z, &Tensor::new(&[1u32], CPU)?, &prototypes, 1.0)?.mean()?;
        assert!((scalar(&loss)? - (-1f64).exp().ln_1p()).abs() < 1e-6);

        // The excluded column is far above the maximum of the others.
        let s =
            Var::from_tensor(&Tensor::new(&[[9e4f64, -9e4, 0.0], [0.0, -9e4, 9e4]], CPU)?.to_dtype(dtype)?)?;
        let first = Tensor::new(&[[1f64, 0.0, 0.0], [1.0, 0.0, 0.0]], CPU)?.to_dtype(dtype)?;
        let kept = Tensor::new(&[[0f64, 1.0, 1.0], [1.0, 1.0, 0.0]], CPU)?.to_dtype(dtype)?;
        let losses = contrastive_each(&s, &first, &kept)?;
        assert_eq!(values(&losses.of_each)?, [-9e4, 0.0]);
        assert_finite(&gradient(&losses.mean()?, &s)?)?;
    }
    Ok(())
}

#[test]
fn class_means_of_any_length_have_finite_von_mises_fisher_logits() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        // Opposite to a concentrated mean, of length 0, and longer than 1.
        let f = Var::from_tensor(&Tensor::new(&[[1f64, 0.0, 0.0], [0.0, 0.0, 0.0]], CPU)?.to_dtype(dtype)?)?;
        let rows = [[-1f64, 0.0, 0.0], [0.0, 0.0, 0.0], [1.5, 0.0, 0.0], [1e-30, 0.0, 0.0]];
        let means = Tensor::new(&rows, CPU)?.to_dtype(dtype)?;
        for temperature in [1e-5, 0.1] {
            let logits = von_mises_fisher_logits(&f, &means, temperature)?;
            assert_finite(&logits)?;
            assert_finite(&gradient(&cross_entropy(&logits, &Tensor::new(&[0u32, 2], CPU)?)?, &f)?)?;
            assert_eq!(values(&logits)?[4..], [0.0; 4]);
        }
    }
    Ok(())
}

#[test]
fn assignments_of_equal_centroids_keep_the_order() -> Result<()> {
    let zeros = Tensor::zeros((4, 4), DType::F32, CPU)?;
    let targets = uniform_targets(4, 4, 0)?;
    assert_eq!(assign_targets(&zeros, &targets)?, [0, 1, 2, 3]);
    assert_eq!(assign_targets(&zeros.narrow(0, 0, 1)?, &targets.narrow(0, 2, 1)?)?, [0]);
    Ok(())
}

#[test]
fn error_messages_of_contrastive_losses_name_the_argument() -> Result<()> {
    let zeros = |rows: usize, columns: usize, dtype| Tensor::zeros((rows, columns), dtype, CPU);
    let (square, other) = (zeros(2, 3, DType::F32)?, zeros(2, 4, DType::F32)?);
    let double = zeros(2, 3, DType::F64)?;
    let labels = Tensor::new(&[0u32, 2], CPU)?;
    let of_each = |losses: Result<nc_losses::PerSample>| losses.map(|losses| losses.of_each);
    let message = |result: Result<Tensor>| result.expect_err("invalid arguments").to_string();
    let infinite = Tensor::new(&[[1f32, f32::INFINITY, 0.0], [0.0, 0.0, 0.0]], CPU)?;
    let assigned =
        |centroids: &Tensor, targets: &Tensor| assign_targets(centroids, targets).map(|_| labels.clone());
    for (found, expected) in [
        (
            of_each(contrastive_each(&labels, &square, &square)),
            "similarities: expected shape (rows, columns), both above 0, found [2]",
        ),
        (
            of_each(contrastive_each(&square, &other, &square)),
            "positives: expected shape [2, 3], found [2, 4]",
        ),
        (of_each(contrastive_each(&square, &square, &double)), "denominators: expected dtype F32, found F64"),
        (
            of_each(supervised_contrastive_each(&square, &labels.narrow(0, 0, 1)?, 1.0)),
            "labels: expected shape [2], found [1]",
        ),
        (
            of_each(supervised_contrastive_each(&square, &labels.to_dtype(DType::I64)?, 1.0)),
            "labels: expected dtype U32, found I64",
        ),
        (
            of_each(supervised_contrastive_each(&square, &labels, 0.0)),
            "temperature: expected a finite number above 0, found 0",
        ),
        (
            of_each(balanced_contrastive_each(&square, &labels, &other, 1.0)),
            "prototypes: expected shape [2, 3], found [2, 4]",
        ),
        (
            of_each(balanced_contrastive_each(&square, &labels, &square, 1.0)),
            "labels: expected classes below 2, found 2 at position 1",
        ),
        (von_mises_fisher_logits(&square, &other, 1.0), "means: expected shape [2, 3], found [2, 4]"),
        (von_mises_fisher_logits(&square, &double, 1.0), "means: expected dtype F32, found F64"),
        (
            von_mises_fisher_logits(&square, &square, f64::NAN),
            "temperature: expected a finite number above 0, found NaN",
        ),
        (uniform_targets(0, 3, 0), "classes: expected at least 1, found 0"),
        (uniform_targets(2, 0, 0), "dimensions: expected at least 1, found 0"),
        (uniform_targets(3, 1, 0), "dimensions: expected at least 2 for 3 or more classes, found 1"),
        (assigned(&square, &other), "targets: expected shape [2, 3], found [2, 4]"),
        (assigned(&square, &double), "targets: expected dtype F32, found F64"),
        (assigned(&square, &infinite), "targets: expected finite numbers, found inf"),
    ] {
        assert_eq!(message(found), expected);
    }
    Ok(())
}
