//! Answers of PyTorch in safetensors files, and initial values by a formula that the programs have, too.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};

pub(crate) type Golden = HashMap<String, Tensor>;

pub(crate) fn load(name: &str) -> Golden {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/");
    candle_core::safetensors::load(format!("{directory}{name}"), &Device::Cpu).unwrap()
}

/// Pseudo-random numbers in [-1, 1), hashed from position and stream, then mapped by `of`.
pub(crate) fn noise(stream: usize, dims: &[usize], of: impl Fn(f32) -> f32) -> Tensor {
    let start = (stream as u32).wrapping_mul(0x9E37_79B9);
    let value = |i: u32| {
        let mut x = start.wrapping_add(i);
        for multiplier in [0x7FEB_352D, 0x846C_A68B] {
            x = (x ^ (x >> 16)).wrapping_mul(multiplier);
        }
        of(((x ^ (x >> 16)) >> 8) as f32 / 8_388_608.0 - 1.0)
    };
    let count = dims.iter().product::<usize>() as u32;
    Tensor::from_vec((0..count).map(value).collect(), dims, &Device::Cpu).unwrap()
}

pub(crate) fn initial(stream: usize, name: &str, dims: &[usize]) -> Tensor {
    if dims.len() > 1 {
        let bound = (6.0 / dims[1..].iter().product::<usize>() as f32).sqrt();
        return noise(stream, dims, |x| x * bound);
    }
    let about_one = name.ends_with("weight") || name.ends_with("running_var");
    noise(stream, dims, |x| if about_one { 1.0 + x / 4.0 } else { x / 4.0 })
}

/// Suffixes after `prefix` of the golden tensors' names.
pub(crate) fn names_after(golden: &Golden, prefix: &str) -> impl Iterator<Item = String> {
    let names: Vec<String> =
        golden.keys().filter_map(|key| Some(key.strip_prefix(prefix)?.to_owned())).collect();
    assert!(!names.is_empty(), "no golden tensors {prefix}*");
    names.into_iter()
}

pub(crate) fn var(vars: &[(String, Var)], name: &str) -> Var {
    let (_, var) = vars.iter().find(|(known, _)| known == name).unwrap();
    var.clone()
}

/// Checks ||ours - theirs|| / ||theirs|| < `bound`. Golden files may hold only every n-th value of large tensors, 256
/// or a few more.
pub(crate) fn assert_close(golden: &Golden, name: &str, ours: &Tensor, bound: f64) {
    let values = |tensor: &Tensor| -> Vec<f64> {
        let tensor = tensor.to_device(&Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    };
    let (mut ours, theirs) = (values(ours), values(&golden[name]));
    if ours.len() != theirs.len() {
        ours = ours.iter().copied().step_by(ours.len() / 256).collect();
    }
    assert_eq!(ours.len(), theirs.len(), "{name}");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let error = norm(&mut ours.iter().zip(&theirs).map(|(a, b)| a - b)) / norm(&mut theirs.iter().copied());
    assert!(error < bound, "{name}: relative error {error:.2e}, bound {bound:.0e}");
}
