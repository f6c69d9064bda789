#[macro_use]
#[path = "../../../../tests/worded.rs"]
mod worded;

use candle_core::{DType, Device, Tensor};
use candle_nn::Init;

use super::Error;
use crate::{HeadConfig, ParamStore, ResNetConfig};

#[test]
fn errors_match_their_snapshot() -> candle_core::Result<()> {
    let cpu = &Device::Cpu;
    let store = ParamStore::new(0, cpu);
    let vb = store.builder();
    let resnet = |depth, width| ResNetConfig::cifar(depth, 3, width).unwrap_err();
    let head = |kind: HeadConfig, features, classes| kind.build(features, classes, &vb).err().unwrap();
    let linear = ParamStore::new(0, cpu);
    HeadConfig::Linear.build(2, 3, &linear.builder()).unwrap();
    let file = |name: &str, dims: &[usize]| {
        let tensor = Tensor::zeros(dims, DType::F32, cpu)?;
        let named =
            std::collections::HashMap::from([("bias", Tensor::zeros(3, DType::F32, cpu)?), (name, tensor)]);
        safetensors::serialize(named, None).map_err(candle_core::Error::from)
    };
    let loaded = |bytes: &[u8]| linear.load_safetensors(bytes).unwrap_err();
    assert_worded!(
        Error {
            Depth,
            Width,
            Stages,
            EtfDimension,
            Classes,
            NotLinear,
            SeveralHeads,
            NoExperts,
            FixedHead,
            Views,
            BatchTooSmall,
            NotExportable,
            NoClassifier,
            Weights,
            NameTaken,
            UnknownParameter,
            Safetensors,
            Candle,
        },
        [
            ("ResNet-33", resnet(33, 1)),
            ("a ResNet of width 0", resnet(32, 0)),
            ("experts of a ResNet without stages", Error::Stages { expected: 3, found: 0 }),
            ("an ETF of 100 classes in 64 dimensions", head(HeadConfig::Etf, 64, 100)),
            ("a classifier without classes", head(HeadConfig::Linear, 64, 0)),
            ("an ETF of one class", head(HeadConfig::Etf, 64, 1)),
            ("scaled logits of a cosine head", Error::NotLinear { head: "cosine" }),
            ("scaled logits of three experts", Error::SeveralHeads { found: 3 }),
            ("a network of no experts", Error::NoExperts),
            ("a retrained ETF head", Error::FixedHead { head: "etf" }),
            ("one view for a network of two branches", Error::Views { expected: 2, found: 1 }),
            ("feature batch norm over two images", Error::BatchTooSmall { least: 3, found: 2 }),
            ("ONNX export of a custom backbone", Error::NotExportable { part: "Backbone" }),
            ("ONNX export of a network without a classifier", Error::NoClassifier),
            ("weights of a different model", loaded(&file("conv1.weight", &[4])?)),
            ("weights of a different shape", loaded(&file("weight", &[4, 2])?)),
            ("a backbone parameter named like the head", {
                store.builder().pp("linear").get(3, "bias").unwrap();
                store.ensure_free("linear").unwrap_err()
            }),
            ("an unknown parameter", store.reinitialize("fc.weight", Init::Const(0.0), "phase").unwrap_err()),
            ("a file in another format", loaded(b"PK")),
            ("a failing tensor operation", candle_core::Error::Msg("device mismatch in add".into()).into()),
        ]
    );
    Ok(())
}
