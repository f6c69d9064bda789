//! Metrics of long-tailed synthetic features that collapse step by step to a simplex ETF.
#![expect(clippy::print_stdout, reason = "the example prints its results")]

use nc_metrics::{Classifier, NeuralCollapse, Result};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};

const CLASSES: usize = 10;
const DIMS: usize = 64;

fn main() -> Result<()> {
    let labels: Vec<u32> = (0..CLASSES as u32).flat_map(|class| vec![class; 500 >> (class / 2)]).collect();
    println!("{} samples of {CLASSES} classes in {DIMS} dimensions", labels.len());
    println!("noise   NC1 by sample   by class   NC2 nearest angle   NC3 gap   NC4 mismatch");
    for noise in [2.0, 1.0, 0.5, 0.2, 0.1, 0.0] {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut noisy = |class: u32| {
            (0..DIMS)
                .map(|dim| {
                    let normal: f32 = StandardNormal.sample(&mut rng);
                    vertex(class as usize, dim) + noise * normal
                })
                .collect::<Vec<_>>()
        };
        let weight: Vec<f32> = (0..CLASSES as u32).flat_map(&mut noisy).collect();
        let features: Vec<f32> = labels.iter().copied().flat_map(&mut noisy).collect();

        let classifier = Classifier::new(&weight, None, CLASSES, DIMS)?;
        let nc = NeuralCollapse::of(&features, &labels, CLASSES, DIMS, Some(&classifier))?;
        println!(
            "{noise:5.1}   {:>13}   {:>8}   {:>17}   {:>7}   {:>12}",
            show(nc.nc1.trace.sample_weighted),
            show(nc.nc1.trace.class_weighted),
            show(nc.nc2.centered_means.mean_nearest_angle_degrees),
            show(nc.nc3.as_ref().and_then(|nc3| nc3.duality_gap_squared)),
            show(nc.nc4.and_then(|nc4| nc4.mismatch)),
        );
    }
    let ideal = (-1.0 / (CLASSES as f64 - 1.0)).acos().to_degrees();
    println!("optimum             0          0   {ideal:17.3}         0              0");
    Ok(())
}

/// Coordinate of a vertex of the simplex: e_k - 1/K in the first K dimensions, 0 in the others.
fn vertex(class: usize, dim: usize) -> f32 {
    let share = if dim < CLASSES { 1.0 / CLASSES as f32 } else { 0.0 };
    f32::from(class == dim) - share
}

fn show(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".into(), |figure| format!("{figure:.3}"))
}
