//! The regularisers and metrics in a plain Candle training loop; docs/crates.md shows this file.

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Linear, Module, Optimizer, SGD, VarBuilder, VarMap};
use nc_losses::{BetweenForm, between_class, cross_entropy, within_class};
use nc_metrics::NeuralCollapse;

/// Trains a classifier of 2-dimensional points with 16-dimensional features and measures their collapse.
fn train(points: &Tensor, labels: &Tensor, classes: usize) -> anyhow::Result<NeuralCollapse> {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let hidden: Linear = candle_nn::linear(2, 16, vb.pp("hidden"))?;
    let head: Linear = candle_nn::linear(16, classes, vb.pp("head"))?;
    let mut optimizer = SGD::new(vars.all_vars(), 0.1)?;

    // L_W and L_B act on learnable class centres, which take steps of their own.
    let centers = Var::randn(0f32, 1f32, (classes, 16), &Device::Cpu)?;
    let (lambda1, lambda2, alpha) = (0.01, 0.1, 0.5);

    for _ in 0..300 {
        let features = hidden.forward(points)?.tanh()?;
        let supervised = cross_entropy(&head.forward(&features)?, labels)?;
        let within = within_class(&features, labels, &centers)?;
        let between = between_class(&centers, BetweenForm::MeanMinAngle)?;
        let loss = ((supervised + (within * lambda1)?)? + (between * lambda2)?)?;

        let gradients = loss.backward()?;
        optimizer.step(&gradients)?;
        if let Some(gradient) = gradients.get(&centers) {
            centers.set(&(centers.as_detached_tensor() - (gradient * (alpha / lambda1))?)?)?;
        }
    }

    let features = hidden.forward(points)?.tanh()?.flatten_all()?.to_vec1::<f32>()?;
    Ok(NeuralCollapse::of(&features, &labels.to_vec1::<u32>()?, classes, 16, None)?)
}

#[test]
fn features_of_a_plain_loop_collapse() -> anyhow::Result<()> {
    // Three clouds of 90, 30 and 6 points.
    let (mut points, mut labels) = (vec![], vec![]);
    for (class, count) in [90, 30, 6].into_iter().enumerate() {
        for i in 0..count {
            let (turn, place) = (f64::from(i) * 2.4, class as f64 * 2.0);
            points.extend([place.cos() + 0.3 * turn.cos(), place.sin() + 0.3 * turn.sin()].map(|x| x as f32));
            labels.push(class as u32);
        }
    }
    let points = Tensor::from_vec(points, (labels.len(), 2), &Device::Cpu)?;
    let nc = train(&points, &Tensor::new(labels, &Device::Cpu)?, 3)?;
    let nearest = nc.nc2.centered_means.mean_nearest_angle_degrees.unwrap();
    assert!(nearest > 90.0, "the angles are far from 120 degrees: {nearest}");
    assert!(nc.nc1.trace.sample_weighted.unwrap() < 0.2, "{:?}", nc.nc1.trace);
    Ok(())
}

#[test]
fn the_documentation_shows_this_loop() {
    let (_, code) = include_str!("plain_loop.rs").split_once("\n\n").unwrap();
    let (code, _) = code.split_once("\n#[test]").unwrap();
    let page = include_str!("../docs/crates.md");
    assert!(page.replace("\r\n", "\n").contains(&code.replace("\r\n", "\n")));
}
