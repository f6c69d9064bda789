//! `golden/scaling_and_margins.safetensors`, written by `golden/scaling_and_margins.py`: values and gradients in f64.

use candle_core::{DType, Device, Tensor, Var};
use nc_losses::{
    DifficultSamples, Result, adjusted_logits, angular_margins, cross_entropy, inverse_power, uniformity,
    vector_scaled_logits, with_angular_margins,
};

use crate::support::{Golden, assert_close, assert_finite, gradient, normal, scalar, values};

const CPU: &Device = &Device::Cpu;
const COUNTS: [usize; 5] = [500, 120, 30, 9, 2];
const BOUND: f64 = 1e-12;

/// Compares values and gradient of `of` at the input `key`; `factors` as in [`Golden::hold`].
fn hold(
    golden: &Golden,
    name: &str,
    key: &str,
    factors: &str,
    of: impl Fn(&Tensor) -> Result<Tensor>,
) -> Result<()> {
    let input = golden.variable(key)?;
    golden.hold(name, &of(&input)?, factors, &[(key, &input)], BOUND)?;
    Ok(())
}

#[test]
fn vector_scaling_matches_pytorch() -> Result<()> {
    let golden = Golden::load("scaling_and_margins")?;
    for (name, gamma, tau) in [("0.05.1.0", 0.05, 1.0), ("0.3.0.75", 0.3, 0.75), ("0.0.1.5", 0.0, 1.5)] {
        let name = format!("vector_scaling.{name}");
        hold(&golden, &name, "logits", "in.factors", |z| vector_scaled_logits(z, &COUNTS, gamma, tau))?;
    }
    Ok(())
}

#[test]
fn angular_margins_match_pytorch() -> Result<()> {
    let golden = Golden::load("scaling_and_margins")?;
    let (labels, margins) = (golden.labels()?, angular_margins(&COUNTS, 0.3));
    for (name, difficult) in
        [("none", DifficultSamples::None), ("all", DifficultSamples::All), ("wrong", DifficultSamples::Wrong)]
    {
        hold(&golden, &format!("margins.{name}"), "cosines", "in.factors", |cosines| {
            with_angular_margins(cosines, &labels, &margins, difficult)
        })?;
    }
    Ok(())
}

#[test]
fn uniformity_matches_pytorch() -> Result<()> {
    let golden = Golden::load("scaling_and_margins")?;
    for sharpness in [0.5, 10.0] {
        hold(&golden, &format!("uniformity.{sharpness:?}"), "vectors", "in.one", |v| {
            uniformity(v, sharpness)
        })?;
    }
    Ok(())
}

#[test]
fn power_weights_match_pytorch() -> Result<()> {
    let golden = Golden::load("scaling_and_margins")?;
    let weights = Tensor::new(inverse_power(&COUNTS, 0.25), CPU)?;
    assert_close(&weights, golden.get("out.inverse_power.0.25"), BOUND)?;
    assert_eq!(inverse_power(&[7, 3], 0.0), [1.0, 1.0]);
    assert_eq!(inverse_power(&[30, 0, 10], 1.0), nc_losses::inverse_frequency(&[30, 0, 10]));
    assert_eq!(inverse_power(&[0, 0], 0.5), [0.0, 0.0]);
    Ok(())
}

#[test]
fn classes_without_samples_are_excluded_by_vector_scaling() -> Result<()> {
    let logits = Var::from_tensor(&normal(1, 2, 3)?)?;
    let scaled = vector_scaled_logits(&logits, &[8, 0, 2], 0.5, 1.0)?;
    let loss = cross_entropy(&scaled, &Tensor::new(&[0u32, 2], CPU)?)?;
    assert_finite(&loss)?;
    let of_empty = gradient(&loss, &logits)?.to_vec2::<f64>()?;
    assert!(of_empty.iter().all(|row| row[1] == 0.0));
    // Without a factor, the bits are those of logit adjustment.
    let plain = values(&adjusted_logits(&logits, &[8, 0, 2], 0.7)?)?;
    assert_eq!(values(&vector_scaled_logits(&logits, &[8, 0, 2], 0.0, 0.7)?)?, plain);
    for gamma in [-0.1, f64::NAN, f64::INFINITY] {
        let error = vector_scaled_logits(&logits, &[8, 0, 2], gamma, 1.0).unwrap_err().to_string();
        assert!(error.starts_with("gamma: expected a finite number of at least 0, found"), "{error}");
    }
    Ok(())
}

#[test]
fn margins_are_finite_at_the_poles() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        let cosines = Var::from_tensor(&Tensor::new(&[[1f64, -1.0], [-1.0, 1.0]], CPU)?.to_dtype(dtype)?)?;
        let labels = Tensor::new(&[0u32, 0], CPU)?;
        let lowered = with_angular_margins(&cosines, &labels, &[0.1, 0.1], DifficultSamples::Wrong)?;
        assert_finite(&lowered)?;
        assert_finite(&gradient(&lowered.sum_all()?, &cosines)?)?;
    }
    // The margin of an empty class, as of a class without a margin, changes nothing.
    assert_eq!(angular_margins(&[0, 4, 8], 0.2), [0.0, 0.2, 0.1]);
    assert_eq!(angular_margins(&[0, 0], 0.2), [0.0, 0.0]);
    Ok(())
}

#[test]
fn uniformity_is_least_for_a_simplex() -> Result<()> {
    for sharpness in [1e-3, 1.0, 10.0, 1e4] {
        let simplex = nc_losses::uniform_targets(6, 8, 0)?.to_dtype(DType::F64)?;
        let least = scalar(&uniformity(&simplex, sharpness)?)?;
        assert!((least + 0.2).abs() < 1e-6, "{least}");
        assert!(scalar(&uniformity(&normal(3, 6, 8)?, sharpness)?)? > least);
    }
    // Between the mean and the largest cosine.
    let vectors = normal(7, 5, 3)?;
    let (smooth, sharp) = (scalar(&uniformity(&vectors, 1e-4)?)?, scalar(&uniformity(&vectors, 1e5)?)?);
    let unit = vectors.broadcast_div(&vectors.sqr()?.sum_keepdim(1)?.sqrt()?)?;
    let cosines = values(&unit.matmul(&unit.t()?)?)?;
    let others: Vec<f64> =
        cosines.into_iter().enumerate().filter(|(i, _)| i % 6 != 0).map(|(_, c)| c).collect();
    assert!((smooth - others.iter().sum::<f64>() / 20.0).abs() < 1e-4);
    assert!((sharp - others.iter().copied().fold(-1.0, f64::max)).abs() < 1e-4);
    Ok(())
}

#[test]
fn uniformity_of_degenerate_vectors_is_finite() -> Result<()> {
    for dtype in [DType::F32, DType::F64] {
        let rows = Tensor::new(&[[0f64, 0.0], [1.0, 1.0], [1.0, 1.0]], CPU)?.to_dtype(dtype)?;
        let rows = Var::from_tensor(&rows)?;
        let value = uniformity(&rows, 10.0)?;
        assert_finite(&value)?;
        assert_finite(&gradient(&value, &rows)?)?;
    }
    assert!(uniformity(&normal(1, 1, 3)?, 1.0).unwrap_err().to_string().contains("at least 2, found 1"));
    assert!(uniformity(&normal(1, 2, 3)?, 0.0).is_err());
    // Descent reaches the simplex.
    let mut rows = normal(5, 4, 3)?;
    for _ in 0..300 {
        let variable = Var::from_tensor(&rows)?;
        let gradient = gradient(&uniformity(&variable, 10.0)?, &variable)?;
        rows = (rows - gradient)?;
    }
    let value = scalar(&uniformity(&rows, 10.0)?)?;
    assert!((value + 1.0 / 3.0).abs() < 1e-6, "{value}");
    Ok(())
}
