//! A weights file to start from, for a network with a first convolution on grey images and a classifier.

#![no_main]

use std::sync::LazyLock;

use candle_core::{Device, safetensors};
use candle_nn::{Conv2dConfig, conv2d_no_bias};
use libfuzzer_sys::fuzz_target;
use nc_models::{Group, ParamStore};
use nc_record::InputSpec;

static MODEL: LazyLock<ParamStore> = LazyLock::new(|| {
    let model = ParamStore::new(0, &Device::Cpu);
    conv2d_no_bias(1, 2, 1, Conv2dConfig::default(), model.builder().pp("conv1")).expect("a layer");
    candle_nn::linear(2, 2, model.builder_in(Group::Head).pp("linear")).expect("a layer");
    model
});

fuzz_target!(|bytes: &[u8]| {
    let Some(tensors) = nclt_fuzz::read(safetensors::load_buffer(bytes, &Device::Cpu)) else { return };
    nclt_fuzz::read(InputSpec::of_weights(bytes));
    nclt_fuzz::read(MODEL.load_pretrained(tensors, &["norm"], None));
});
