//! Shared test helpers: golden arrays, relative errors, reproducible random numbers.
#![allow(dead_code, unreachable_pub)] // each test binary uses its own part

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};

/// Bound on ||ours - theirs|| / ||theirs|| for golden/layers.safetensors.
pub const GOLDEN_BOUND: f64 = 2e-5;

/// Arrays computed with PyTorch in float64.
pub struct Golden {
    arrays: HashMap<String, Tensor>,
    pub device: Device,
}

impl Golden {
    /// Golden arrays for layers, with variables on `device`.
    pub fn layers(device: &Device) -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/layers.safetensors");
        let arrays = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
        Self { arrays, device: device.clone() }
    }

    pub fn get(&self, name: &str) -> Tensor {
        self.arrays.get(name).unwrap_or_else(|| panic!("no golden array {name:?}")).clone()
    }

    pub fn var(&self, name: &str, dtype: DType) -> Var {
        let tensor = self.get(name).to_dtype(dtype).unwrap();
        Var::from_tensor(&tensor.to_device(&self.device).unwrap()).unwrap()
    }

    /// Asserts that `ours` equals the array `name` within the relative error `bound`.
    pub fn check(&self, name: &str, ours: &Tensor, bound: f64) {
        let theirs = self.get(name);
        assert_eq!(ours.dims(), theirs.dims(), "{name}");
        let error = relative_error(ours, &theirs);
        assert!(error <= bound, "{name}: relative error {error:.2e}");
    }
}

/// ||a - b|| / ||b||, or ||a|| where b is zero.
pub fn relative_error(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) = (values(a), values(b));
    assert_eq!(a.len(), b.len());
    let difference: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
    let norm: f64 = b.iter().map(|b| b * b).sum();
    if norm == 0.0 { difference.sqrt() } else { (difference / norm).sqrt() }
}

pub fn values(t: &Tensor) -> Vec<f64> {
    t.to_device(&Device::Cpu).unwrap().to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Asserts closeness of two tensors in relative L2 error.
pub fn assert_close(what: &str, a: &Tensor, b: &Tensor, bound: f64) {
    assert_eq!(a.dims(), b.dims(), "{what}");
    let error = relative_error(a, b);
    assert!(error <= bound, "{what}: relative error {error:.2e}");
}

/// Reproducible random numbers.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    /// A random integer in 0..bound.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.bits() % bound as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Roughly normal, variance 1.
    pub fn normal(&mut self) -> f32 {
        let sum: f64 = (0..4).map(|_| (self.bits() & 0xFF_FFFF) as f64 / f64::from(1 << 24) - 0.5).sum();
        (sum * 3f64.sqrt()) as f32
    }

    pub fn vec(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.normal()).collect()
    }

    pub fn tensor<S: Into<candle_core::Shape>>(&mut self, shape: S) -> Tensor {
        let shape = shape.into();
        Tensor::from_vec(self.vec(shape.elem_count()), shape, &Device::Cpu).unwrap()
    }

    pub fn var<S: Into<candle_core::Shape>>(&mut self, shape: S) -> Var {
        Var::from_tensor(&self.tensor(shape)).unwrap()
    }
}
