#[macro_use]
#[path = "../../../../tests/worded.rs"]
mod worded;

use candle_core::{DType, Device, Tensor};

use super::Error;

#[test]
fn error_messages_match_the_snapshot() -> candle_core::Result<()> {
    let cpu = &Device::Cpu;
    let logits = Tensor::zeros((2, 3), DType::F32, cpu)?;
    let labels = Tensor::new(&[0u32, 2], cpu)?;
    let beyond = Tensor::new(&[0u32, 3], cpu)?;
    let floats = Tensor::new(&[0f32, 2.0], cpu)?;
    let flat = Tensor::zeros(6, DType::F32, cpu)?;
    assert_worded!(
        Error { Shape, Counts, DType, Label, Range, Candle },
        [
            ("one-dimensional logits", crate::cross_entropy(&flat, &labels).unwrap_err()),
            ("too few class counts", crate::adjusted_logits(&logits, &[1, 2], 1.0).unwrap_err()),
            ("labels of dtype f32", crate::cross_entropy(&logits, &floats).unwrap_err()),
            ("a label out of range", crate::cross_entropy(&logits, &beyond).unwrap_err()),
            ("a negative gamma", crate::focal(&logits, &labels, -1.0).unwrap_err()),
            ("a temperature of 0", crate::supervised_contrastive_each(&logits, &labels, 0.0).unwrap_err()),
            ("three class targets on a line", crate::uniform_targets(3, 1, 0).unwrap_err()),
            ("an error of Candle", candle_core::Error::Msg("device mismatch in add".into()).into()),
        ]
    );
    Ok(())
}
