//! Trains a linear model with cross-entropy, L_W and L_B in a plain Candle loop.

use candle_core::{Device, Tensor, Var};
use candle_nn::{Optimizer, SGD};
use nc_losses::{BetweenForm, Result, between_class, cross_entropy, within_class};

/// Weights of L_W and L_B, and the learning rate of the centres.
const LAMBDA1: f64 = 0.01;
const LAMBDA2: f64 = 0.1;
const ALPHA: f64 = 0.5;

fn main() -> Result<()> {
    let device = Device::Cpu;
    let inputs = Tensor::new(&[[1f32, 0.2], [0.9, 0.1], [-0.2, 1.0], [-1.0, -0.8]], &device)?;
    let labels = Tensor::new(&[0u32, 0, 1, 2], &device)?;

    let body = Var::new(&[[0.5f32, -0.3, 0.1], [0.2, 0.4, -0.6]], &device)?; // (inputs, P)
    let head = Var::new(&[[0.1f32, -0.2, 0.3], [-0.4, 0.2, 0.1], [0.3, 0.1, -0.2]], &device)?; // (P, K)
    let centers = Var::new(&[[1f32, 0.0, 0.2], [0.0, 1.0, 0.1], [-0.5, -0.5, 1.0]], &device)?; // (K, P)
    let mut model_sgd = SGD::new(vec![body.clone(), head.clone()], 0.5)?;
    // The centres have their own learning rate and descend grad(L) / lambda1.
    let mut center_sgd = SGD::new(vec![centers.clone()], ALPHA / LAMBDA1)?;

    let mut losses = vec![];
    for _ in 0..20 {
        let features = inputs.matmul(&body)?;
        let supervised = cross_entropy(&features.matmul(&head)?, &labels)?;
        let within = within_class(&features, &labels, &centers)?;
        let between = between_class(&centers, BetweenForm::MeanMinAngle)?;
        let loss = ((supervised + within * LAMBDA1)? + between * LAMBDA2)?;

        let gradients = loss.backward()?;
        model_sgd.step(&gradients)?;
        center_sgd.step(&gradients)?;
        losses.push(loss.to_scalar::<f32>()?);
    }
    println!("loss {:.1} at the first step, {:.1} at the last", losses[0], losses[losses.len() - 1]);
    Ok(())
}
