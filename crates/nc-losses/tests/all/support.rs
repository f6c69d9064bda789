//! Random tensors and comparisons.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, Var, safetensors};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Arrays of a golden file.
pub(crate) struct Golden(HashMap<String, Tensor>);

impl Golden {
    /// The arrays of `golden/NAME.safetensors`.
    pub(crate) fn load(name: &str) -> Result<Self> {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/");
        Ok(Self(safetensors::load(format!("{directory}{name}.safetensors"), &Device::Cpu)?))
    }

    pub(crate) fn get(&self, name: &str) -> &Tensor {
        self.0.get(name).unwrap_or_else(|| panic!("no golden array `{name}`"))
    }

    /// The array `in.NAME` as a variable.
    pub(crate) fn variable(&self, name: &str) -> Result<Var> {
        Var::from_tensor(self.get(&format!("in.{name}")))
    }

    pub(crate) fn labels(&self) -> Result<Tensor> {
        self.get("in.labels").to_dtype(DType::U32)
    }

    /// Compares values with `out.NAME`, and the gradients of their sum times `factors` with `grad.NAME.INPUT`.
    #[track_caller]
    pub(crate) fn hold(
        &self,
        name: &str,
        found: &Tensor,
        factors: &str,
        inputs: &[(&str, &Var)],
        bound: f64,
    ) -> Result<()> {
        assert_close(found, self.get(&format!("out.{name}")), bound)?;
        let sum = (found * self.get(factors))?.sum_all()?;
        for (input, variable) in inputs {
            assert_close(&gradient(&sum, variable)?, self.get(&format!("grad.{name}.{input}")), bound)?;
        }
        Ok(())
    }
}

/// Standard normal numbers, determined by seed and shape.
pub(crate) fn normal(seed: u64, rows: usize, columns: usize) -> Result<Tensor> {
    let rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f64> = StandardNormal.sample_iter(rng).take(rows * columns).collect();
    Tensor::from_vec(values, (rows, columns), &Device::Cpu)
}

/// Labels below `classes`.
pub(crate) fn labels(seed: u64, samples: usize, classes: u32) -> Result<Tensor> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<u32> = (0..samples).map(|_| rng.random_range(0..classes)).collect();
    Tensor::from_vec(values, samples, &Device::Cpu)
}

/// All values of a tensor as f64.
pub(crate) fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// Value of a one-element tensor.
pub(crate) fn scalar(tensor: &Tensor) -> Result<f64> {
    Ok(values(tensor)?[0])
}

/// Gradient of a scalar with respect to a variable, zero if the graph does not reach it.
pub(crate) fn gradient(loss: &Tensor, variable: &Var) -> Result<Tensor> {
    let gradients = loss.backward()?;
    gradients.get(variable).cloned().map_or_else(|| variable.zeros_like(), Ok)
}

/// ||ours - theirs|| / ||theirs||.
pub(crate) fn relative_error(ours: &Tensor, theirs: &Tensor) -> Result<f64> {
    let (ours, theirs) = (values(ours)?, values(theirs)?);
    assert_eq!(ours.len(), theirs.len());
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut ours.iter().zip(&theirs).map(|(a, b)| a - b));
    Ok(difference / norm(&mut theirs.into_iter()))
}

/// Panics unless every number is finite.
#[track_caller]
pub(crate) fn assert_finite(tensor: &Tensor) -> Result<()> {
    let values = values(tensor)?;
    assert!(values.iter().all(|x| x.is_finite()), "{values:?}");
    Ok(())
}

/// Panics unless two tensors agree within a relative error.
#[track_caller]
pub(crate) fn assert_close(ours: &Tensor, theirs: &Tensor, bound: f64) -> Result<()> {
    let error = relative_error(ours, theirs)?;
    assert!(error <= bound, "relative error {error:e}, bound {bound:e}");
    Ok(())
}
