//! Fast CPU layers for Candle: convolution, batch norm, residual and ReLU as one differentiable operation.
