//! The metrics against known answers, hand computation and trained models; their invariances and edge cases.

mod analysis;
mod counting;
mod decomposition;
mod edges;
mod geometry;
mod golden;
mod precision;
mod refusals;
mod targets;

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// Samples from N(0, 1).
fn normal(seed: u64, count: usize) -> Vec<f64> {
    StandardNormal.sample_iter(ChaCha8Rng::seed_from_u64(seed)).take(count).collect()
}
