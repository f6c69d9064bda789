use candle_core::{Device, Tensor};
use nc_models::{HeadConfig, Model, ParamStore, ResNet, ResNetConfig};

pub(crate) fn model(depth: usize, in_channels: usize, seed: u64, head: HeadConfig, classes: usize) -> Model {
    let params = ParamStore::new(seed, &Device::Cpu);
    let resnet = ResNet::new(ResNetConfig::cifar(depth, in_channels, 1).unwrap(), &params.builder()).unwrap();
    Model::new(params, resnet, &head, classes).unwrap()
}

pub(crate) fn resnet18() -> Model {
    let params = ParamStore::new(0, &Device::Cpu);
    let resnet = ResNet::new(ResNetConfig::resnet18_small(3), &params.builder()).unwrap();
    Model::new(params, resnet, &HeadConfig::Linear, 10).unwrap()
}

pub(crate) fn images(batch: usize, channels: usize, size: usize) -> Tensor {
    let count = batch * channels * size * size;
    let values: Vec<f32> = (0..count).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    Tensor::from_vec(values, (batch, channels, size, size), &Device::Cpu).unwrap()
}

pub(crate) fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}
