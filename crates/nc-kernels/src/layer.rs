use candle_core::{Tensor, Var};

use crate::{ConvShape, FeatureMap};

/// Source of batch norm's statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The batch; the running statistics are updated.
    Train,
    /// The running statistics.
    Eval,
}

/// Shortcut added to the normalised convolution before the ReLU.
#[derive(Clone, Copy, Debug)]
pub enum Shortcut<'a> {
    /// Nothing.
    None,
    /// A feature map of the output's shape.
    Identity(&'a FeatureMap),
    /// ResNet's option A: every n-th pixel in both directions of a feature map with at most C_out channels, zero-padded
    /// by (C_out - C_shortcut) / 2 channels on both sides. n, the second field, is the stride of the block's first
    /// convolution, not of the one that the shortcut joins.
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
    /// Constant added to the variance.
    pub eps: f64,
    /// Weight of the batch statistics in the running average.
    pub momentum: f64,
}
