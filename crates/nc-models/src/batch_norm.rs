use candle_core::{Tensor, Var};
use candle_nn::{Init, VarBuilder, init};
use nc_kernels::Mode;

use crate::{Error, Result, Role, with_role};

/// Batch norm of vectors (B, P).
///
/// ```text
/// y = gamma (x - mean) / sqrt(var + 1e-5) + beta
/// ```
///
/// Mean and variance are batch statistics in training and running statistics in evaluation, with the names (`weight`,
/// `bias`, `running_mean`, `running_var`) and the momentum 0.1 of PyTorch's `BatchNorm1d`.
pub(crate) struct BatchNorm1d {
    pub(crate) gamma: Tensor,
    pub(crate) beta: Tensor,
    pub(crate) running_mean: Var,
    pub(crate) running_var: Var,
}

const MOMENTUM: f64 = 0.1;
/// Minimum batch size; smaller batches have degenerate statistics.
const LEAST: usize = 3;

impl BatchNorm1d {
    pub(crate) const EPS: f64 = 1e-5;

    /// A layer for vectors of `dims` dimensions, with parameters from `vb`.
    pub(crate) fn new(dims: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let get = |name: &str, init: Init| vb.get_with_hints(dims, name, init);
        let (gamma, beta) = (get("weight", init::ONE)?, get("bias", init::ZERO)?);
        let statistic = |name, init| Var::from_tensor(&with_role(Role::Statistic, || get(name, init))?);
        let running_mean = statistic("running_mean", init::ZERO)?;
        let running_var = statistic("running_var", init::ONE)?;
        Ok(Self { gamma, beta, running_mean, running_var })
    }

    /// Normalises `x` by the statistics of `mode`.
    ///
    /// # Errors
    ///
    /// [`Error::BatchTooSmall`] for fewer than 3 rows in training.
    pub(crate) fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let standardized = match mode {
            Mode::Train => self.standardize_by_batch(x)?,
            Mode::Eval => self.standardize_by_running(x)?,
        };
        Ok(standardized.broadcast_mul(&self.gamma)?.broadcast_add(&self.beta)?)
    }

    /// (x - mean) / sqrt(var + eps) with batch statistics, which also update the running ones.
    fn standardize_by_batch(&self, x: &Tensor) -> Result<Tensor> {
        let rows = x.dim(0)?;
        if rows < LEAST {
            return Err(Error::BatchTooSmall { least: LEAST, found: rows });
        }
        let mean = x.mean_keepdim(0)?;
        let centered = x.broadcast_sub(&mean)?;
        let var = centered.sqr()?.mean_keepdim(0)?;
        let step = |running: &Var, of_batch: &Tensor, factor: f64| {
            let old = (running.as_detached_tensor() * (1.0 - MOMENTUM))?;
            running.set(&(old + (of_batch.detach().squeeze(0)? * (MOMENTUM * factor))?)?)
        };
        step(&self.running_mean, &mean, 1.0)?;
        step(&self.running_var, &var, rows as f64 / (rows as f64 - 1.0))?;
        Ok(centered.broadcast_div(&(var + Self::EPS)?.sqrt()?)?)
    }

    fn standardize_by_running(&self, x: &Tensor) -> Result<Tensor> {
        let (mean, var) = (self.running_mean.as_detached_tensor(), self.running_var.as_detached_tensor());
        Ok(x.broadcast_sub(&mean)?.broadcast_div(&(var + Self::EPS)?.sqrt()?)?)
    }
}
