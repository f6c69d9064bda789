use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::conv_backward::backward;
use super::job::{Convolution, Job};
use super::node::Blocked;
use super::node::{LazyNorm, Node};
use super::parameters::parameters;
use super::residual::Residual;
use super::saved::{Saved, SavedNorm};
use super::token::{token, token_gradient, token_storage};
use super::values::to_vec;
use crate::batch_norm::{Affine, Moments, Statistics};
use crate::element::Element;
use crate::feature_map::Activation;
use crate::kernels::Kernels;
use crate::{ConvNorm, ConvShape, FeatureMap, Mode, Shortcut};

/// Convolution of `x`, without batch norm; differentiable.
pub(crate) fn conv2d<E: Activation>(
    x: &FeatureMap,
    kernels: Kernels<E>,
    weight: &Tensor,
    shape: ConvShape,
) -> Result<Blocked<E>> {
    let job = Job::new(x, kernels, weight, shape)?;
    let data = job.run_plain()?;
    let node = Arc::new(Node::new(job.convolution.out, data, None, kernels));
    let argument = job.argument.clone();
    let token = if job.consume() | weight.track_op() {
        // Placeholders for gamma and beta.
        let none = token()?;
        let (parameters, slot) = parameters(weight, &none, &none)?;
        let saved = Saved {
            convolution: job.convolution,
            source: job.source,
            weight: weight.clone(),
            norm: None,
            residual: None,
            out: node.clone(),
            slot,
        };
        argument.apply_op3(&parameters, &none, ConvOp(saved))?
    } else {
        token()?
    };
    Ok(Blocked { node, token })
}

/// relu?(batch_norm(conv(x)) + shortcut); differentiable.
pub(crate) fn conv_norm<E: Activation>(
    layer: &ConvNorm<'_>,
    kernels: Kernels<E>,
    x: &FeatureMap,
    shortcut: Shortcut<'_>,
    relu: bool,
    mode: Mode,
) -> Result<Blocked<E>> {
    let job = Job::new(x, kernels, layer.weight, layer.shape)?;
    let Convolution { out, .. } = job.convolution;
    let residual = Residual::new(shortcut, kernels, out)?;
    let parameters_tracked = [layer.weight, layer.gamma, layer.beta].iter().any(|p| p.track_op());
    let shortcut_tracked = residual.as_ref().is_some_and(|residual| residual.from.consume());
    let tracked = job.consume() | parameters_tracked | shortcut_tracked;
    let (gamma, beta) = (to_vec(layer.gamma)?, to_vec(layer.beta)?);
    let affine = |statistics: &Statistics| Affine::new(statistics, &gamma, &beta, layer.eps);

    let (y, affine) = match mode {
        Mode::Train => {
            let (y, moments) = job.run_with_moments()?;
            update_running(layer, &moments)?;
            (y, affine(&moments.statistics()))
        }
        Mode::Eval => {
            let mean = to_vec(layer.running_mean.as_tensor())?;
            let variance = to_vec(layer.running_var.as_tensor())?;
            let affine = affine(&Statistics::fixed(&mean, &variance));
            if !tracked {
                let data = job.run_fused(&affine, residual.as_ref(), relu)?;
                let node = Arc::new(Node::new(out, data, None, kernels));
                return Ok(Blocked { node, token: token()? });
            }
            (job.run_plain()?, affine)
        }
    };
    // Without a shortcut the output stays raw; its readers normalise it.
    let (node, norm) = if let Some(residual) = &residual {
        let data = residual.add(&y, out, kernels, &affine, relu);
        (Node::new(out, data, None, kernels), SavedNorm { norm: LazyNorm { affine, relu }, y: Some(y) })
    } else {
        let norm = LazyNorm { affine, relu };
        (Node::new(out, y, Some(norm.clone()), kernels), SavedNorm { norm, y: None })
    };
    let node = Arc::new(node);
    if !tracked {
        return Ok(Blocked { node, token: token()? });
    }
    let (parameters, slot) = parameters(layer.weight, layer.gamma, layer.beta)?;
    let shortcut = match &residual {
        Some(residual) => residual.from.token.clone(),
        None => token()?,
    };
    let argument = job.argument.clone();
    let saved = Saved {
        convolution: job.convolution,
        source: job.source,
        weight: layer.weight.clone(),
        norm: Some(norm),
        residual: residual.map(|residual| (residual.from.node, residual.subsample)),
        out: node.clone(),
        slot,
    };
    let token = argument.apply_op3(&parameters, &shortcut, ConvOp(saved))?;
    Ok(Blocked { node, token })
}

fn update_running(layer: &ConvNorm<'_>, moments: &Moments) -> Result<()> {
    let mut mean = to_vec(layer.running_mean.as_tensor())?;
    let mut variance = to_vec(layer.running_var.as_tensor())?;
    moments.update_running(layer.momentum, &mut mean, &mut variance);
    for (running, values) in [(layer.running_mean, mean), (layer.running_var, variance)] {
        running.set(&Tensor::from_vec(values, running.shape(), running.device())?)?;
    }
    Ok(())
}

/// (input, parameters, shortcut) -> token of the output.
struct ConvOp<E: Element>(Saved<E>);

impl<E: Element> CustomOp3 for ConvOp<E> {
    fn name(&self) -> &'static str {
        "conv_norm"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok(token_storage())
    }

    fn bwd(
        &self,
        input: &Tensor,
        parameters: &Tensor,
        shortcut: &Tensor,
        _token: &Tensor,
        _gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let planes = backward(&self.0, input.track_op(), shortcut.track_op())?;
        let input = match planes {
            Some(planes) => Some(Tensor::from_vec(planes, input.shape(), input.device())?),
            None => token_gradient(input)?,
        };
        Ok((input, token_gradient(parameters)?, token_gradient(shortcut)?))
    }
}
