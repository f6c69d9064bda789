use candle_core::{Tensor, Var};
use candle_nn::{Init, VarBuilder};

use super::Head;
use crate::{Error, ParamStore, Result, Role, with_role};

/// z = W h with a simplex equiangular tight frame as the rows of W (K, P), never trained (Yang et al. 2022).
///
/// W = sqrt(K / (K-1)) B Q^T, where B (K, K-1) is an orthonormal basis of the vectors that sum to zero and Q (P, K-1)
/// has random orthonormal columns. Rows have unit norm and pairwise cosines of -1/(K-1).
pub struct EtfHead {
    weight: Tensor,
}

impl EtfHead {
    /// A fixed head. Its `weight` is a variable of `vb`, drawn from its seed and saved with it, with the role
    /// [`Role::Fixed`] and no gradient.
    ///
    /// # Errors
    ///
    /// [`Error::EtfDimension`] if P < K - 1, where no such frame exists. [`Error::Classes`] if K < 2.
    pub fn new(features: usize, classes: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        if classes < 2 {
            return Err(Error::Classes { least: 2, found: classes });
        }
        if features < classes - 1 {
            return Err(Error::EtfDimension { classes, features });
        }
        let init = Init::Randn { mean: 0.0, stdev: 1.0 };
        let weight = with_role(Role::Fixed, || vb.get_with_hints((classes, features), "weight", init))?;
        let weight = Var::from_tensor(&weight)?;
        let frame = simplex_etf(&weight.to_vec2()?);
        weight.set(&Tensor::from_vec(frame, weight.shape(), weight.device())?)?;
        Ok(Self { weight: weight.as_detached_tensor() })
    }
}

impl Head for EtfHead {
    fn forward(&self, features: &Tensor) -> Result<Tensor> {
        Ok(features.matmul(&self.weight.t()?)?)
    }

    fn weight(&self) -> Result<Tensor> {
        Ok(self.weight.clone())
    }

    fn redraw(&self, _: &ParamStore, _: &str, _: &str) -> Result<()> {
        Err(Error::FixedHead { head: "etf" })
    }
}

/// A simplex ETF of K vectors in the span of the first K - 1 of K random rows, flattened.
fn simplex_etf(random: &[Vec<f32>]) -> Vec<f32> {
    let classes = random.len();
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(classes - 1);
    for row in &random[..classes - 1] {
        let mut v: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        // Gram-Schmidt, twice for accuracy.
        for _ in 0..2 {
            for q in &basis {
                let along = dot(&v, q);
                v.iter_mut().zip(q).for_each(|(x, q)| *x -= along * q);
            }
        }
        let norm = dot(&v, &v).sqrt();
        basis.push(v.into_iter().map(|x| x / norm).collect());
    }
    // Column j of the Helmert basis of the vectors with sum zero: 1 on the rows before j, -j on row j, over
    // sqrt(j (j + 1)), for j = 1..K-1.
    let scale = (classes as f64 / (classes - 1) as f64).sqrt();
    let mut frame = vec![0f64; classes * basis[0].len()];
    for (k, row) in frame.chunks_mut(basis[0].len()).enumerate() {
        for (q, j) in basis.iter().zip(1..) {
            let entry = match k.cmp(&j) {
                std::cmp::Ordering::Less => 1.0,
                std::cmp::Ordering::Equal => -(j as f64),
                std::cmp::Ordering::Greater => continue,
            };
            let entry = scale * entry / ((j * (j + 1)) as f64).sqrt();
            row.iter_mut().zip(q).for_each(|(w, q)| *w += entry * q);
        }
    }
    frame.into_iter().map(|w| w as f32).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
