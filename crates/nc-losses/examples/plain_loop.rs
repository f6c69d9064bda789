//! The paper's objective in a plain Candle loop: L = L_CE + lambda1 L_W + lambda2 L_B.
//!
//! Ten Gaussian classes with 200 down to 2 samples, a small perceptron, learnable class centres. Run with
//! `cargo run --release -p nc-losses --example plain_loop`. Results vary slightly between runs because Candle's CPU
//! generator cannot be seeded.

#![allow(clippy::print_stdout)]

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{Linear, Module, Optimizer, SGD, VarBuilder, VarMap, linear};
use nc_losses::{BetweenForm, between_class, class_means, cross_entropy, within_class};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

const CLASSES: usize = 10;
const INPUTS: usize = 20;
const FEATURES: usize = 16;
const BATCH: usize = 64;
const EPOCHS: usize = 200;

const LAMBDA1: f64 = 0.01;
const LAMBDA2: f64 = 0.1;
/// Learning rate of the centres.
const ALPHA: f64 = 0.5;

struct Perceptron {
    body: Linear,
    head: Linear,
}

impl Perceptron {
    fn new(parameters: &VarBuilder) -> Result<Self> {
        Ok(Self {
            body: linear(INPUTS, FEATURES, parameters.pp("body"))?,
            head: linear(FEATURES, CLASSES, parameters.pp("head"))?,
        })
    }

    fn features(&self, x: &Tensor) -> Result<Tensor> {
        self.body.forward(x)?.tanh()
    }
}

fn main() -> nc_losses::Result<()> {
    let device = Device::Cpu;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (inputs, labels) = long_tailed_gaussians(&mut rng, &device)?;

    let parameters = VarMap::new();
    let model = Perceptron::new(&VarBuilder::from_varmap(&parameters, DType::F32, &device))?;
    let centers = Var::randn(0f32, 1.0, (CLASSES, FEATURES), &device)?;
    let mut model_sgd = SGD::new(parameters.all_vars(), 0.1)?;
    // The centres step along grad(L) / lambda1 = grad L_W + (lambda2 / lambda1) grad L_B.
    let mut center_sgd = SGD::new(vec![centers.clone()], ALPHA / LAMBDA1)?;

    let mut order: Vec<u32> = (0..labels.dim(0)? as u32).collect();
    for epoch in 1..=EPOCHS {
        order.shuffle(&mut rng);
        let mut total = 0.0;
        for batch in order.chunks(BATCH) {
            let batch = Tensor::new(batch, &device)?;
            let (x, y) = (inputs.index_select(&batch, 0)?, labels.index_select(&batch, 0)?);

            let features = model.features(&x)?;
            let supervised = cross_entropy(&model.head.forward(&features)?, &y)?;
            let within = within_class(&features, &y, &centers)?;
            let between = between_class(&centers, BetweenForm::MeanMinAngle)?;
            let loss = ((supervised + within * LAMBDA1)? + between * LAMBDA2)?;

            let gradients = loss.backward()?;
            model_sgd.step(&gradients)?;
            center_sgd.step(&gradients)?;
            total += f64::from(loss.to_scalar::<f32>()?) * y.dim(0)? as f64;
        }
        if epoch == 1 || epoch % 25 == 0 {
            let means = class_means(&model.features(&inputs)?, &labels, CLASSES)?.means;
            println!(
                "epoch {epoch:3}  loss {:7.4}  smallest angle: centres {:5.1}, class means {:5.1} degrees",
                total / order.len() as f64,
                smallest_angle(&centers)?,
                smallest_angle(&means)?,
            );
        }
    }
    println!("simplex ETF of {CLASSES} classes: {:.1} degrees", etf_angle());
    Ok(())
}

/// Samples around one random point per class, from 200 of the first class to 2 of the last.
fn long_tailed_gaussians(rng: &mut ChaCha8Rng, device: &Device) -> Result<(Tensor, Tensor)> {
    let (mut inputs, mut labels) = (Vec::new(), Vec::new());
    for class in 0..CLASSES {
        let count = (200.0 * 0.01f64.powf(class as f64 / (CLASSES - 1) as f64)).round() as usize;
        let point: Vec<f32> = (0..INPUTS).map(|_| rng.sample(StandardNormal)).collect();
        for _ in 0..count {
            inputs.extend(point.iter().map(|x| x + 0.5 * rng.sample::<f32, _>(StandardNormal)));
            labels.push(class as u32);
        }
    }
    let samples = labels.len();
    Ok((Tensor::from_vec(inputs, (samples, INPUTS), device)?, Tensor::from_vec(labels, samples, device)?))
}

/// Smallest angle between two points, in degrees.
fn smallest_angle(points: &Tensor) -> nc_losses::Result<f32> {
    Ok(-between_class(points, BetweenForm::GlobalMinAngle)?.to_scalar::<f32>()?.to_degrees())
}

fn etf_angle() -> f64 {
    (-1.0 / (CLASSES - 1) as f64).acos().to_degrees()
}
