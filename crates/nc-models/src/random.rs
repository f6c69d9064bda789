//! Initial values from streams keyed by (seed, name), independent of construction order and device.

use candle_nn::{Init, init::NormalOrUniform};
use rand::Rng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::StandardNormal;

/// Initial values of a parameter of shape `dims`, drawn from the stream of (`seed`, `key`).
pub(crate) fn initial_values(init: Init, dims: &[usize], seed: u64, key: &str) -> Vec<f32> {
    let count = dims.iter().product();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(fnv1a(key));
    let uniform = |rng: &mut ChaCha8Rng, low: f64, high: f64| low + (high - low) * rng.random::<f64>();
    let normal =
        |rng: &mut ChaCha8Rng, mean: f64, std: f64| mean + std * rng.sample::<f64, _>(StandardNormal);
    let mut draw = |f: &dyn Fn(&mut ChaCha8Rng) -> f64| (0..count).map(|_| f(&mut rng) as f32).collect();
    match init {
        Init::Const(value) => vec![value as f32; count],
        Init::Randn { mean, stdev } => draw(&|rng| normal(rng, mean, stdev)),
        Init::Uniform { lo, up } => draw(&|rng| uniform(rng, lo, up)),
        Init::Kaiming { dist, fan, non_linearity } => {
            let std = non_linearity.gain() / (fan.for_shape(&dims.into()) as f64).sqrt();
            let bound = 3f64.sqrt() * std;
            match dist {
                NormalOrUniform::Normal => draw(&|rng| normal(rng, 0.0, std)),
                NormalOrUniform::Uniform => draw(&|rng| uniform(rng, -bound, bound)),
            }
        }
    }
}

/// The 64-bit FNV-1a hash.
fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
