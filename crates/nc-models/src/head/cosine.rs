use candle_core::Tensor;
use candle_nn::{Init, VarBuilder, init};

use super::Head;
use crate::{ParamStore, Result, feature_norm::unit_rows};
#[cfg(feature = "onnx")]
use crate::{
    feature_norm::add_unit_rows,
    onnx::{Graph, Value},
};

/// z_k = s cos(w_k, h) with learnable `weight` (K, P), as used by LDAM (Cao et al. 2019).
pub struct CosineHead {
    weight: Tensor,
    scale: f64,
}

impl CosineHead {
    /// A cosine head of scale `scale` with parameters from `vb`.
    ///
    /// # Errors
    ///
    /// If `vb` has a parameter of this name with another shape.
    pub fn new(features: usize, classes: usize, scale: f64, vb: &VarBuilder<'_>) -> Result<Self> {
        let weight = vb.get_with_hints((classes, features), "weight", init::DEFAULT_KAIMING_NORMAL)?;
        Ok(Self { weight, scale })
    }
}

impl Head for CosineHead {
    fn forward(&self, features: &Tensor) -> Result<Tensor> {
        // Scales last because recorded runs depend on the bits of this order.
        let cosines = unit_rows(features)?.matmul(&unit_rows(&self.weight)?.t()?)?;
        Ok((cosines * self.scale)?)
    }

    /// s w_k / |w_k|: gives the logits of unit features and the decision for features of any length.
    fn weight(&self) -> Result<Tensor> {
        Ok((unit_rows(&self.weight)? * self.scale)?)
    }

    fn scale(&self) -> f64 {
        self.scale
    }

    fn redraw(&self, params: &ParamStore, prefix: &str, purpose: &str) -> Result<()> {
        params.reinitialize(&format!("{prefix}.weight"), Init::Randn { mean: 0.0, stdev: 0.01 }, purpose)
    }

    fn input(&self, features: &Tensor) -> Result<Tensor> {
        unit_rows(features)
    }

    #[cfg(feature = "onnx")]
    fn add_input_to(&self, graph: &mut Graph, prefix: &str, features: &Value) -> Result<Value> {
        add_unit_rows(graph, prefix, features)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::ParamStore;

    #[test]
    fn cosine_logits_are_scaled_last() {
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
        // Another order changes the bits.
        let weight = head.weight().unwrap();
        assert_ne!(bits(&unit(&features).matmul(&weight.t().unwrap()).unwrap()), scaled_last);
    }
}
