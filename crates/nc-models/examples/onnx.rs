//! Every backbone with every head and the networks of several branches as ONNX, with images and the outputs of this crate to
//! compare: `cargo run --release -p nc-models --features onnx --example onnx -- DIRECTORY`. Writes NAME.onnx and NAME.safetensors, with `images` in [0, 1]
//! (N, C, H, W), `features` (N, P) and `logits` (N, K). `python/onnx_check.py` compares them with ONNX Runtime.

use std::{collections::HashMap, env, error::Error, fs, path::Path};

use candle_core::{Device, Tensor, safetensors};
use candle_nn::VarBuilder;
use nc_models::onnx::{Channel, Description, Input, export};
use nc_models::{
    Backbone, Bilateral, Experts, ExpertsConfig, HeadConfig, Model, Network, NormalizedFeatures, ParamStore,
    Pass, ResNet, ResNetConfig,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const BACKBONES: [&str; 11] = [
    "resnet8",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "wide-resnet32",
    "resnet18",
    "imagenet-resnet18",
    "resnet50",
    "resnet152",
    "resnext50-32x4d",
];
const HEADS: [&str; 5] = ["linear", "scaled", "cosine", "etf", "etf-normalised"];
const BRANCHES: [(&str, &str); 6] = [
    ("bilateral-resnet8", "linear"),
    ("bilateral-resnet32", "linear"),
    ("bilateral-resnet32", "scaled"),
    ("experts-resnet8", "linear"),
    ("experts-resnet32", "linear"),
    ("experts-resnet32", "cosine"),
];
const CLASSES: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [directory] = arguments.as_slice() else { return Err("usage: onnx DIRECTORY".into()) };
    fs::create_dir_all(directory)?;
    let single = BACKBONES.iter().flat_map(|&backbone| HEADS.map(|head| (backbone, head)));
    for (index, (backbone, head)) in single.chain(BRANCHES).enumerate() {
        let in_channels = if backbone.ends_with("resnet8") { 1 } else { 3 };
        // Networks for photographs reduce images 32 times; of small images, batch norm would see single pixels.
        let (height, width) = match backbone {
            "imagenet-resnet18" | "resnet50" | "resnet152" | "resnext50-32x4d" => (64, 65),
            _ if in_channels == 1 => (28, 28),
            _ => (32, 33),
        };
        let path = Path::new(directory).join(format!("{backbone}-{head}"));
        let case = Case { backbone, head, in_channels, height, width, seed: index as u64 };
        case.write(&path)?;
    }
    Ok(())
}

struct Case<'a> {
    backbone: &'a str,
    head: &'a str,
    in_channels: usize,
    height: usize,
    width: usize,
    seed: u64,
}

impl Case<'_> {
    fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let model = self.model()?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let (batch, channels) = (5, self.in_channels);
        let count = batch * channels * self.height * self.width;
        let pixels: Vec<f32> = (0..count).map(|_| rng.random()).collect();
        let images = Tensor::from_vec(pixels, (batch, channels, self.height, self.width), &Device::Cpu)?;

        // Running statistics of these images in place of the initial ones, and other scales and shifts of batch norm.
        for (name, var) in model.params().vars() {
            let noise: Vec<f32> = (0..var.elem_count()).map(|_| rng.random::<f32>() - 0.5).collect();
            let noise = Tensor::from_vec(noise, var.shape(), &Device::Cpu)?;
            if name.ends_with("bias") || name.contains("bn") && name.ends_with("weight") {
                var.set(&(var.as_detached_tensor() + (noise * 0.5)?)?)?;
            }
            // As in trained bottleneck networks. At scale 1, f32 itself is 6e-4 off f64 after the 50 blocks of ResNet-152.
            if name.ends_with("bn3.weight") {
                var.set(&(var.as_detached_tensor() * 0.2)?)?;
            }
        }
        let normalization: Vec<Channel> = [(0.4914, 0.247), (0.4822, 0.2435), (0.4465, 0.2616)][..channels]
            .iter()
            .map(|&(mean, std)| Channel { mean, std })
            .collect();
        let per_channel = |value: fn(&Channel) -> f32| {
            let values = normalization.iter().map(value).collect();
            Tensor::from_vec(values, (1, channels, 1, 1), &Device::Cpu)
        };
        let normalized = images
            .broadcast_sub(&per_channel(|channel| channel.mean)?)?
            .broadcast_div(&per_channel(|channel| channel.std)?)?;
        for _ in 0..20 {
            model.forward_views(&[&normalized], Pass { gradient: false, ..Pass::TRAIN })?;
        }

        let metadata = [("class_names", r#"["a", "b"]"#.to_owned())];
        let about =
            Description { name: self.backbone, producer: "nc-models", version: "0", metadata: &metadata };
        let input = Input { channels: normalization, height: self.height, width: self.width };
        fs::write(path.with_extension("onnx"), export(model.as_ref(), &input, &about)?)?;
        let branch = model.infer(&normalized)?;
        let logits = branch.logits.ok_or("the model has no logits")?;
        let outputs = HashMap::from([("images", images), ("features", branch.features), ("logits", logits)]);
        safetensors::save(&outputs, path.with_extension("safetensors"))?;
        Ok(())
    }

    fn model(&self) -> nc_models::Result<Box<dyn Network>> {
        let params = ParamStore::new(self.seed, &Device::Cpu);
        let mut model = self.unscaled(params)?;
        if self.head == "scaled" {
            model.scale_logits()?;
            for (_, var) in model.params().vars().iter().filter(|(name, _)| name == "linear.scale") {
                let factors: Vec<f32> = (1..=CLASSES).map(|k| k as f32 / 4.0).collect();
                var.set(&Tensor::from_vec(factors, CLASSES, &Device::Cpu)?)?;
            }
        }
        Ok(model)
    }

    fn unscaled(&self, params: ParamStore) -> nc_models::Result<Box<dyn Network>> {
        let head = match self.head {
            "cosine" => HeadConfig::Cosine { scale: 30.0 },
            "etf" | "etf-normalised" => HeadConfig::Etf,
            _ => HeadConfig::Linear,
        };
        let depth = if self.backbone.ends_with("32") { 32 } else { 8 };
        let resnet = ResNetConfig::cifar(depth, self.in_channels, 1)?;
        if self.backbone.starts_with("bilateral") {
            return Ok(Box::new(Bilateral::new(params, resnet, CLASSES)?));
        }
        if self.backbone.starts_with("experts") {
            let config = ExpertsConfig { resnet, experts: 3, reduce_dimension: true, head };
            return Ok(Box::new(Experts::new(params, &config, CLASSES)?));
        }
        let mut network: Box<dyn Backbone> = Box::new(self.resnet(&params.builder())?);
        if self.head == "etf-normalised" {
            network = Box::new(NormalizedFeatures::new(network, &params.builder().pp("feature_norm"))?);
        }
        Ok(Box::new(Model::new(params, network, &head, CLASSES)?))
    }

    fn resnet(&self, vb: &VarBuilder<'_>) -> nc_models::Result<ResNet> {
        let in_channels = self.in_channels;
        let cifar = |depth, width| ResNet::new(ResNetConfig::cifar(depth, in_channels, width)?, vb);
        match self.backbone {
            "resnet8" => cifar(8, 1),
            "resnet20" => cifar(20, 1),
            "resnet32" => cifar(32, 1),
            "resnet44" => cifar(44, 1),
            "resnet56" => cifar(56, 1),
            "wide-resnet32" => cifar(32, 2),
            "imagenet-resnet18" => ResNet::new(ResNetConfig::resnet18(in_channels), vb),
            "resnet152" => ResNet::new(ResNetConfig::resnet152(in_channels), vb),
            "resnet50" => ResNet::new(ResNetConfig::resnet50(in_channels), vb),
            "resnext50-32x4d" => ResNet::new(ResNetConfig::resnext50_32x4d(in_channels), vb),
            _ => ResNet::new(ResNetConfig::resnet18_small(in_channels), vb),
        }
    }
}
