use candle_core::{Tensor, Var};

use crate::{ConvShape, FeatureMap};

/// Where batch norm takes its statistics from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// From the batch; the running statistics are updated.
    Train,
    /// From the running statistics.
    Eval,
}

/// What is added to the normalised convolution before the ReLU.
#[derive(Clone, Copy, Debug)]
pub enum Shortcut<'a> {
    /// Nothing.
    None,
    /// A feature map of the output's shape.
    Identity(&'a FeatureMap),
    /// ResNet's option A: one pixel in so many in both directions (the number given, the stride of the block's first
    /// convolution and not of the one the shortcut joins) of a feature map with at most as many channels, between
    /// (C_out - C_shortcut) / 2 channels of zeros on both sides.
    Subsample(&'a FeatureMap, usize),
}

/// Borrowed parameters of a convolution without bias followed by batch norm, in PyTorch's shapes.
#[derive(Clone, Copy, Debug)]
pub struct ConvNorm<'a> {
    /// The convolution.
    pub shape: ConvShape,
    /// Kernel, (C_out, C_in / groups, k, k).
    pub weight: &'a Tensor,
    /// Batch norm's scale, (C_out).
    pub gamma: &'a Tensor,
    /// Batch norm's shift, (C_out).
    pub beta: &'a Tensor,
    /// Running mean, (C_out); updated in [`Mode::Train`].
    pub running_mean: &'a Var,
    /// Running unbiased variance, (C_out); updated in [`Mode::Train`].
    pub running_var: &'a Var,
    /// Added to the variance.
    pub eps: f64,
    /// Weight of the batch's statistics in the update of the running ones.
    pub momentum: f64,
}
