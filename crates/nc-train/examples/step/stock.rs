//! ResNet-32 built from Candle's own layers, for comparison.

use candle_core::Tensor;
use candle_nn::{
    BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, Module, ModuleT, VarBuilder, batch_norm, conv2d_no_bias,
};
use nc_kernels::Mode;
use nc_models::{Backbone, Pass, Result};

const BLOCKS: usize = 5;

pub(crate) struct StockResNet32 {
    stem: ConvNorm,
    blocks: Vec<[ConvNorm; 2]>,
}

impl StockResNet32 {
    pub(crate) fn new(vb: &VarBuilder<'_>) -> Result<Self> {
        let mut before = 16;
        let stem = ConvNorm::new(3, before, 1, &vb.pp("stem"))?;
        let mut blocks = vec![];
        for channels in [16, 32, 64] {
            for _ in 0..BLOCKS {
                let vb = vb.pp(blocks.len());
                let stride = if before == channels { 1 } else { 2 };
                let first = ConvNorm::new(before, channels, stride, &vb.pp("first"))?;
                blocks.push([first, ConvNorm::new(channels, channels, 1, &vb.pp("second"))?]);
                before = channels;
            }
        }
        Ok(Self { stem, blocks })
    }
}

impl Backbone for StockResNet32 {
    fn forward(&self, images: &Tensor, pass: Pass) -> Result<Tensor> {
        let mut x = self.stem.forward(images, pass)?.relu()?;
        for [first, second] in &self.blocks {
            let y = second.forward(&first.forward(&x, pass)?.relu()?, pass)?;
            if x.dims() != y.dims() {
                x = subsample_and_pad(&x)?;
            }
            x = (x + y)?.relu()?;
        }
        let x = x.mean((2, 3))?;
        Ok(if pass.gradient { x } else { x.detach() })
    }

    fn feature_dim(&self) -> usize {
        64
    }
}

/// Parameter-free shortcut: subsamples by two and doubles the channels with zero padding.
fn subsample_and_pad(x: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let x = x.reshape((batch, channels, height / 2, 2, width / 2, 2))?;
    let x = x.narrow(3, 0, 1)?.narrow(5, 0, 1)?.reshape((batch, channels, height / 2, width / 2))?;
    Ok(x.pad_with_zeros(1, channels / 2, channels / 2)?)
}

struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    fn new(before: usize, after: usize, stride: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let config = Conv2dConfig { padding: 1, stride, ..Conv2dConfig::default() };
        Ok(Self {
            conv: conv2d_no_bias(before, after, 3, config, vb.pp("conv"))?,
            norm: batch_norm(after, BatchNormConfig::default(), vb.pp("norm"))?,
        })
    }

    fn forward(&self, x: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.norm.forward_t(&self.conv.forward(x)?, pass.batch_norm == Mode::Train)?)
    }
}
