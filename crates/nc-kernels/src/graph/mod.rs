//! The operations as seen by Candle.
//!
//! Candle sees **tokens**: one-element tensors that order the backward pass. Activations and gradients live in shared
//! [`Node`]s; an operation's backward takes its output's gradient from the node and adds to those of its inputs in
//! place. No large tensor passes through Candle's gradient store, which would copy each several times.

mod borders;
mod chunks;
mod conv;
mod conv_backward;
mod convolution_pass;
mod dims;
mod input_gradient;
mod job;
mod node;
mod parameters;
mod pool;
mod residual;
mod saved;
mod source;
mod subsample;
mod token;
mod values;

pub(crate) use borders::{enter, leave};
pub(crate) use conv::{conv_norm, conv2d};
pub(crate) use node::Blocked;
pub(crate) use parameters::{ParameterGradients, ParameterSlot, parameters};
pub(crate) use pool::{global_average, max_pool};
pub(crate) use token::{token, token_gradient, token_storage};
pub(crate) use values::{to_vec, with_values};
