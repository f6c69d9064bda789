//! Builds a ResNet-20 with a linear head and evaluates it on a batch of images.

use candle_core::{DType, Device, Tensor};
use nc_models::{HeadConfig, Model, ParamStore, Pass, ResNet, ResNetConfig, Result};

fn main() -> Result<()> {
    let device = Device::Cpu;
    let params = ParamStore::new(0, &device);
    let resnet = ResNet::new(ResNetConfig::cifar(20, 3, 1)?, &params.builder())?;
    let model = Model::new(params, resnet, &HeadConfig::Linear, 10)?;

    let images = Tensor::zeros((2, 3, 32, 32), DType::F32, &device)?;
    let output = model.forward(&images, Pass::EVAL)?;
    println!("features {:?}, logits {:?}", output.features.dims(), output.logits.dims());
    Ok(())
}
