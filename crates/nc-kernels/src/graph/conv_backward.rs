use std::sync::Arc;

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::chunks::chunk_images;
use super::convolution_pass::ConvolutionPass;
use super::input_gradient::InputGradient;
use super::job::Convolution;
use super::node::{LazyNorm, Node};
use super::parameters::{ParameterGradients, ParameterSlot};
use super::source::Source;
use super::subsample::Subsample;
use crate::batch_norm::Sums;
use crate::buffer::Buffer;
use crate::kernels::{GradientSums, Mask};

/// A layer's batch norm as its forward applied it.
pub(super) struct SavedNorm {
    pub(super) norm: LazyNorm,
    /// The convolution's output, unless the output node holds it raw.
    pub(super) y: Option<Buffer>,
}

/// What a layer's backward needs. Nothing is used up: a graph may be walked more than once.
pub(super) struct Saved {
    pub(super) convolution: Convolution,
    pub(super) source: Source,
    pub(super) weight: Tensor,
    pub(super) norm: Option<SavedNorm>,
    pub(super) residual: Option<(Arc<Node>, Option<Subsample>)>,
    pub(super) out: Arc<Node>,
    /// Where the parameters' gradients go.
    pub(super) slot: ParameterSlot,
}

impl Saved {
    /// Passes the output's gradient on to input, parameters and shortcut. Returns the input's gradient (N, C, H, W)
    /// if that is wanted and the input is a tensor.
    pub(super) fn backward(&self, input_tracked: bool, shortcut_tracked: bool) -> Result<Option<Vec<f32>>> {
        let (mut gradient, sums) = self.out.take_gradient();
        let mut gradients = ParameterGradients::default();
        let mut coefficients = None;
        if let Some(norm) = &self.norm {
            let sums = sums.unwrap_or_else(|| self.mask_and_sum(norm, &mut gradient));
            let norm_gradients = norm.norm.affine.gradients(&sums, self.convolution.out.c);
            gradients.gamma = Some(norm_gradients.gamma);
            gradients.beta = Some(norm_gradients.beta);
            coefficients = Some(norm_gradients.input);
        }
        let kernel_wanted = self.weight.track_op();
        let mut planes = None;
        if kernel_wanted || input_tracked {
            let pass = ConvolutionPass {
                saved: self,
                gradient: &gradient,
                coefficients: coefficients.as_ref(),
                kernel_wanted,
            };
            let mut target = InputGradient::begin(self, input_tracked);
            let results = pass.run(&mut target)?;
            gradients.weight = results.kernel;
            planes = target.end(self, results.sums);
        }
        self.slot.put(gradients);
        if let (Some((node, subsample)), true) = (&self.residual, shortcut_tracked) {
            match subsample {
                None => node.add_gradient(gradient),
                Some(subsample) => node.add_subsampled(gradient, *subsample),
            }
        }
        Ok(planes)
    }

    /// The convolution's output.
    pub(super) fn y(&self) -> &[f32] {
        match &self.norm {
            Some(SavedNorm { y: Some(y), .. }) => y,
            _ => &self.out.data,
        }
    }

    /// Applies the ReLU to the gradient and takes the sums, where the output's one consumer has not done so.
    fn mask_and_sum(&self, norm: &SavedNorm, gradient: &mut [f32]) -> Sums {
        let Convolution { kernels, out, .. } = self.convolution;
        let (len, chunk, channels) = (out.image_len(), chunk_images(out.n), out.padded_channels());
        let y = self.y();
        let parts: Vec<Sums> = gradient
            .par_chunks_mut(chunk * len)
            .enumerate()
            .map(|(index, gradient)| {
                let mut total = Sums::zeros(channels);
                let mut sums = vec![GradientSums::ZERO; out.blocks()];
                for (image, gradient) in gradient.chunks_mut(len).enumerate() {
                    let at = (index * chunk + image) * len;
                    let mask = match norm.y {
                        Some(_) if norm.norm.relu => Mask::Values(&self.out.data[at..at + len]),
                        Some(_) => Mask::Open,
                        None => norm.norm.mask(),
                    };
                    let mean = &norm.norm.affine.mean;
                    kernels.mask_and_sum(gradient, mask, &y[at..at + len], mean, &mut sums);
                    total.collect(&mut sums);
                }
                total
            })
            .collect();
        Sums::total(parts, channels)
    }
}
