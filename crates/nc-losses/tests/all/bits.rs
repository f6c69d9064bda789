//! Gradient digests: fail on any change of a loss that changes trained weights, even in the last bit.

use candle_core::{Device, Tensor, Var};
use nc_losses::{
    Result, center_loss, class_balanced_dot_regression, cross_entropy, cross_entropy_each, dot_regression,
    effective_number, focal, label_aware_smoothing, mse, smoothed_cross_entropy, weighted_cross_entropy,
    weighted_smoothed_cross_entropy, within_class,
};

use crate::support::gradient;

const CLASSES: usize = 10;
const DIMENSIONS: usize = 16;
/// Training samples per class.
const COUNTS: [usize; CLASSES] = [500, 299, 179, 107, 64, 38, 23, 13, 8, 5];

/// Values in [-2, 2) with full mantissas, from an integer formula.
fn numbers(seed: u32, rows: usize, columns: usize) -> Result<Var> {
    let values = (0..(rows * columns) as u32).map(|i| {
        let hash = (i + 1).wrapping_mul(2_654_435_761).wrapping_add(seed.wrapping_mul(40_503));
        let hash = (hash ^ (hash >> 15)).wrapping_mul(2_246_822_519);
        ((hash ^ (hash >> 13)) >> 8) as f32 / (1u32 << 22) as f32 - 2.0
    });
    Ok(Var::from_vec(values.collect::<Vec<f32>>(), (rows, columns), &Device::Cpu)?)
}

/// The batch behind the digests; the last class is absent.
struct Batch {
    logits: Var,
    features: Var,
    centers: Var,
    labels: Tensor,
    weights: Tensor,
}

impl Batch {
    fn of(samples: usize) -> Result<Self> {
        let labels: Vec<u32> = (0..samples as u32).map(|i| (i * i + i / 3) % (CLASSES as u32 - 1)).collect();
        let weights: Vec<f32> = effective_number(&COUNTS, 0.9999).iter().map(|&w| w as f32).collect();
        Ok(Self {
            logits: numbers(1, samples, CLASSES)?,
            features: numbers(2, samples, DIMENSIONS)?,
            centers: numbers(3, CLASSES, DIMENSIONS)?,
            labels: Tensor::from_vec(labels, samples, &Device::Cpu)?,
            weights: Tensor::from_vec(weights, CLASSES, &Device::Cpu)?,
        })
    }
}

/// FNV-1a over the bits of a gradient; treats -0 as 0.
fn digest(loss: &Tensor, variable: &Var) -> Result<u64> {
    let gradient = gradient(loss, variable)?.flatten_all()?.to_vec1::<f32>()?;
    let bytes = gradient.iter().flat_map(|x| (x + 0.0).to_bits().to_le_bytes());
    Ok(bytes
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// Digests of the first release's losses. They depend on the exponentials of one math library.
#[test]
#[cfg_attr(
    not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")),
    ignore = "digests were recorded with glibc on x86-64"
)]
fn gradients_match_the_recorded_bits() -> Result<()> {
    macro_rules! assert_digest {
        ($loss:expr, $variable:expr, $expected:literal) => {
            let found = digest(&$loss?, $variable)?;
            assert_eq!(found, $expected, "{}: 0x{found:016x}", stringify!($loss, $variable));
        };
    }
    let Batch { logits, features, centers, labels: y, weights: w } = &Batch::of(37)?;
    let Batch { logits: even, labels: even_y, .. } = &Batch::of(32)?;
    assert_digest!(cross_entropy(logits, y), logits, 0x578c_99d5_93ce_6a36);
    assert_digest!(smoothed_cross_entropy(logits, y, 0.0), logits, 0x578c_99d5_93ce_6a36);
    assert_digest!(smoothed_cross_entropy(even, even_y, 0.1), even, 0x0d5e_60ca_01d5_d329);
    assert_digest!(weighted_cross_entropy(logits, y, w), logits, 0xacfd_a9ca_ae8e_ba65);
    assert_digest!(weighted_smoothed_cross_entropy(logits, y, w, 0.0), logits, 0xacfd_a9ca_ae8e_ba65);
    assert_digest!(weighted_smoothed_cross_entropy(logits, y, w, 0.1), logits, 0xb8b2_42c4_bff4_ca0e);
    assert_digest!(focal(logits, y, 1.0), logits, 0xede0_cde7_8cb3_6f46);
    assert_digest!(mse(logits, y), logits, 0x5f7a_6613_5e96_d6ac);
    assert_digest!(label_aware_smoothing(logits, y, &COUNTS, 0.3, 0.0), logits, 0x85f9_7e46_0f83_9bd3);
    assert_digest!(dot_regression(features, y, centers), features, 0xc6ce_32fa_bc09_13b6);
    assert_digest!(class_balanced_dot_regression(features, y, centers), features, 0x992f_212a_30a3_2183);
    assert_digest!(within_class(features, y, centers), features, 0x6ade_755a_9ec4_82c6);
    assert_digest!(within_class(features, y, centers), centers, 0x9666_9054_45af_dcef);
    assert_digest!(center_loss(features, y, centers), features, 0x61c4_dc8b_9e4d_97d7);
    assert_digest!(center_loss(features, y, centers), centers, 0x2ddb_0dfe_9a0d_f1b8);
    Ok(())
}

/// The trainer uses per-sample losses and applies class weights itself.
#[test]
fn per_sample_losses_reduce_to_the_same_bits() -> Result<()> {
    let Batch { logits, labels: y, weights: w, .. } = &Batch::of(37)?;
    let plain = cross_entropy_each(logits, y)?;
    let weighted = plain.clone().weighted(y, w)?;
    for (each, whole) in [
        (&plain, smoothed_cross_entropy(logits, y, 0.0)?),
        (&weighted, weighted_smoothed_cross_entropy(logits, y, w, 0.0)?),
    ] {
        assert_eq!(digest(&each.mean()?, logits)?, digest(&whole, logits)?);
    }
    let over_all = plain.over(37.0)?;
    assert_eq!(digest(&over_all, logits)?, digest(&plain.mean()?, logits)?);
    Ok(())
}
