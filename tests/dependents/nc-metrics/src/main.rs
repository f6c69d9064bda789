//! Measures the neural collapse of four features of two classes.

use nc_metrics::{NeuralCollapse, Result};

fn main() -> Result<()> {
    // Features (N, P), row-major, with one label per row: N = 4, P = K = 2.
    let features = [0.0, 2.0, 0.0, 2.2, 2.0, 0.0, 1.8, 0.0];
    let labels = [0, 0, 1, 1];
    let nc = NeuralCollapse::of(&features, &labels, 2, 2, None)?;
    if let (Some(nc1), Some(angle)) = (nc.nc1.trace.sample_weighted, nc.nc2.centered_means.min_angle_degrees)
    {
        println!("NC1 {nc1:.4}, smallest angle between class means {angle:.1} degrees");
    }
    Ok(())
}
