use candle_core::Result;
use rayon::prelude::*;

use super::chunks::chunk_images;
use super::convolution_pass::ConvolutionPass;
use super::input_gradient::InputGradient;
use super::job::Convolution;
use super::parameters::ParameterGradients;
use super::saved::{Saved, SavedNorm};
use crate::batch_norm::Sums;
use crate::element::Element;
use crate::kernels::{GradientSums, Mask};

/// Propagates the output's gradient to input, parameters and shortcut. Returns the input gradient (N, C, H, W) if it
/// is wanted and the input is a tensor.
pub(super) fn backward<E: Element>(
    saved: &Saved<E>,
    input_tracked: bool,
    shortcut_tracked: bool,
) -> Result<Option<Vec<f32>>> {
    let (mut gradient, sums) = saved.out.take_gradient();
    let mut gradients = ParameterGradients::default();
    let mut coefficients = None;
    if let Some(norm) = &saved.norm {
        let sums = sums.unwrap_or_else(|| mask_and_sum(saved, norm, &mut gradient));
        let norm_gradients = norm.norm.affine.gradients(&sums, saved.convolution.out.c);
        gradients.gamma = Some(norm_gradients.gamma);
        gradients.beta = Some(norm_gradients.beta);
        coefficients = Some(norm_gradients.input);
    }
    let kernel_wanted = saved.weight.track_op();
    let mut planes = None;
    if kernel_wanted || input_tracked {
        let pass = ConvolutionPass {
            saved,
            gradient: &gradient,
            coefficients: coefficients.as_ref(),
            kernel_wanted,
        };
        let mut target = InputGradient::begin(saved, input_tracked);
        let results = pass.run(&mut target)?;
        gradients.weight = results.kernel;
        planes = target.end(saved, results.sums);
    }
    saved.slot.put(gradients);
    if let (Some((node, subsample)), true) = (&saved.residual, shortcut_tracked) {
        match subsample {
            None => node.add_gradient(gradient),
            Some(subsample) => node.add_subsampled(gradient, *subsample),
        }
    }
    Ok(planes)
}

/// Applies the ReLU to the gradient and computes the sums, unless the output's only consumer has done so.
fn mask_and_sum<E: Element>(saved: &Saved<E>, norm: &SavedNorm<E>, gradient: &mut [E]) -> Sums {
    let Convolution { kernels, out, .. } = saved.convolution;
    let (len, chunk, channels) = (out.image_len(), chunk_images(out.n), out.padded_channels());
    let y = saved.y();
    let parts: Vec<Sums> = gradient
        .par_chunks_mut(chunk * len)
        .enumerate()
        .map(|(index, gradient)| {
            let mut total = Sums::zeros(channels);
            let mut sums = vec![GradientSums::ZERO; out.blocks()];
            for (image, gradient) in gradient.chunks_mut(len).enumerate() {
                let at = (index * chunk + image) * len;
                let mask = match norm.y {
                    Some(_) if norm.norm.relu => Mask::Values(&saved.out.data[at..at + len]),
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
