//! A checkpoint, and the same file as weights for a small model.

#![no_main]

use std::sync::LazyLock;

use candle_core::Device;
use libfuzzer_sys::fuzz_target;
use nc_models::ParamStore;
use nc_record::Checkpoint;

/// A linear layer: a matrix and a vector.
static MODEL: LazyLock<ParamStore> = LazyLock::new(|| {
    let model = ParamStore::new(0, &Device::Cpu);
    candle_nn::linear(3, 2, model.builder()).expect("a layer");
    model
});

fuzz_target!(|bytes: &[u8]| {
    let directory = nclt_fuzz::directory(&[("checkpoint", bytes)]);
    nclt_fuzz::read(Checkpoint::<serde_json::Value>::read(&directory.path().join("checkpoint")));
    nclt_fuzz::read(MODEL.load_safetensors(bytes));
});
