use candle_core::{Tensor, Var};
use candle_nn::{Init, VarBuilder, init};

use crate::{Error, Result, feature_norm::unit_rows};

/// A classifier on features.
pub trait Head: Send + Sync {
    /// Logits (B, K) of features (B, P).
    fn forward(&self, features: &Tensor) -> Result<Tensor>;

    /// The class directions w_k as rows, (K, P).
    fn weight(&self) -> Result<Tensor>;

    /// The biases b_k, (K), where the head has them.
    fn bias(&self) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

/// Which head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HeadConfig {
    /// [`LinearHead`].
    Linear,
    /// [`CosineHead`] with its scale s.
    Cosine {
        /// The factor s on the cosines; 30 in LDAM.
        scale: f64,
    },
    /// [`EtfHead`].
    Etf,
}

impl HeadConfig {
    /// A head for features of `features` dimensions and `classes` classes.
    pub fn build(&self, features: usize, classes: usize, vb: &VarBuilder<'_>) -> Result<Box<dyn Head>> {
        if classes == 0 {
            return Err(Error::Classes { least: 1, found: 0 });
        }
        Ok(match *self {
            Self::Linear => Box::new(LinearHead::new(features, classes, vb)?),
            Self::Cosine { scale } => Box::new(CosineHead::new(features, classes, scale, vb)?),
            Self::Etf => Box::new(EtfHead::new(features, classes, vb)?),
        })
    }
}

/// z = W h + b with learnable `weight` (K, P), Kaiming normal, and `bias` (K), uniform within 1/sqrt(P) as in
/// PyTorch.
pub struct LinearHead {
    weight: Tensor,
    bias: Tensor,
}

impl LinearHead {
    /// A linear head with parameters from `vb`.
    pub fn new(features: usize, classes: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let bound = 1.0 / (features as f64).sqrt();
        Ok(Self {
            weight: vb.get_with_hints((classes, features), "weight", init::DEFAULT_KAIMING_NORMAL)?,
            bias: vb.get_with_hints(classes, "bias", Init::Uniform { lo: -bound, up: bound })?,
        })
    }
}

impl Head for LinearHead {
    fn forward(&self, features: &Tensor) -> Result<Tensor> {
        Ok(features.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?)
    }

    fn weight(&self) -> Result<Tensor> {
        Ok(self.weight.clone())
    }

    fn bias(&self) -> Result<Option<Tensor>> {
        Ok(Some(self.bias.clone()))
    }
}

/// z_k = f_k (<w_k, h> + b_k): a [`LinearHead`] with a learnable factor on each logit, `scale` (K), at first 1: learnable
/// weight scaling (Kang et al. 2020, section 4.2).
pub struct ScaledHead {
    linear: LinearHead,
    scale: Tensor,
}

impl ScaledHead {
    /// A scaled head with parameters from `vb`.
    pub fn new(features: usize, classes: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let linear = LinearHead::new(features, classes, vb)?;
        Ok(Self { linear, scale: vb.get_with_hints(classes, "scale", init::ONE)? })
    }
}

impl Head for ScaledHead {
    fn forward(&self, features: &Tensor) -> Result<Tensor> {
        Ok(self.linear.forward(features)?.broadcast_mul(&self.scale)?)
    }

    fn weight(&self) -> Result<Tensor> {
        Ok(self.linear.weight.broadcast_mul(&self.scale.unsqueeze(1)?)?)
    }

    fn bias(&self) -> Result<Option<Tensor>> {
        Ok(Some((&self.linear.bias * &self.scale)?))
    }
}

/// z_k = s cos(w_k, h) with learnable `weight` (K, P), as used by LDAM (Cao et al. 2019).
pub struct CosineHead {
    weight: Tensor,
    scale: f64,
}

impl CosineHead {
    /// A cosine head of scale `scale` with parameters from `vb`.
    pub fn new(features: usize, classes: usize, scale: f64, vb: &VarBuilder<'_>) -> Result<Self> {
        let weight = vb.get_with_hints((classes, features), "weight", init::DEFAULT_KAIMING_NORMAL)?;
        Ok(Self { weight, scale })
    }
}

impl Head for CosineHead {
    fn forward(&self, features: &Tensor) -> Result<Tensor> {
        // Scaled last, as in the runs on record: a run's hash promises its bits.
        let cosines = unit_rows(features)?.matmul(&unit_rows(&self.weight)?.t()?)?;
        Ok((cosines * self.scale)?)
    }

    /// s w_k / |w_k|: the logits of features of length 1, and the decision for features of any length.
    fn weight(&self) -> Result<Tensor> {
        Ok((unit_rows(&self.weight)? * self.scale)?)
    }
}

/// z = W h where the rows of W (K, P) form a simplex equiangular tight frame that is never trained
/// (Yang et al. 2022).
///
/// W = sqrt(K / (K-1)) B Q^T, where B (K, K-1) is an orthonormal basis of the vectors that sum to zero and
/// Q (P, K-1) has random orthonormal columns: rows of unit norm, cosines of -1/(K-1) between any two.
pub struct EtfHead {
    weight: Tensor,
}

impl EtfHead {
    /// A fixed head. Its `weight` stands among the parameters of `vb`, so that it is drawn from their seed and
    /// saved with them, but has no gradient.
    ///
    /// # Errors
    ///
    /// [`Error::EtfDimension`] where P < K - 1: such a frame does not exist. [`Error::Classes`] where K < 2.
    pub fn new(features: usize, classes: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        if classes < 2 {
            return Err(Error::Classes { least: 2, found: classes });
        }
        if features < classes - 1 {
            return Err(Error::EtfDimension { classes, features });
        }
        let init = Init::Randn { mean: 0.0, stdev: 1.0 };
        let weight = Var::from_tensor(&vb.get_with_hints((classes, features), "weight", init)?)?;
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

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::ParamStore;

    #[test]
    fn cosine_logits_keep_their_bits() {
        let params = ParamStore::new(0, &Device::Cpu);
        let head = CosineHead::new(64, 10, 30.0, &params.builder()).unwrap();
        let features =
            params.builder().get_with_hints((16, 64), "features", init::DEFAULT_KAIMING_NORMAL).unwrap();
        let bits = |logits: &Tensor| -> Vec<u32> {
            logits.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|z| z.to_bits()).collect()
        };
        let unit = |rows: &Tensor| unit_rows(rows).unwrap();
        let cosines = unit(&features).matmul(&unit(&head.weight).t().unwrap()).unwrap();
        let scaled_last = bits(&(cosines * 30.0).unwrap());
        assert_eq!(bits(&head.forward(&features).unwrap()), scaled_last);
        // In another order they are others.
        let weight = head.weight().unwrap();
        assert_ne!(bits(&unit(&features).matmul(&weight.t().unwrap()).unwrap()), scaled_last);
    }
}
