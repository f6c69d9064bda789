//! Models as a user of the crate sees them.

use candle_core::{D, DType, Device, Tensor, Var};
use nc_models::{
    Backbone, ConvNormLayer, ConvShape, Error, HeadConfig, Model, NormalizedFeatures, ParamStore, Pass,
    ResNet, ResNetConfig,
};

fn model(depth: usize, in_channels: usize, seed: u64, head: HeadConfig, classes: usize) -> Model {
    let params = ParamStore::new(seed, &Device::Cpu);
    let resnet = ResNet::new(ResNetConfig { depth, in_channels, width: 1 }, &params.builder()).unwrap();
    Model::new(params, resnet, &head, classes).unwrap()
}

fn resnet18() -> Model {
    let params = ParamStore::new(0, &Device::Cpu);
    let resnet = ResNet::resnet18(3, &params.builder()).unwrap();
    Model::new(params, resnet, &HeadConfig::Linear, 10).unwrap()
}

fn images(batch: usize, channels: usize, size: usize) -> Tensor {
    let count = batch * channels * size * size;
    let values: Vec<f32> = (0..count).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    Tensor::from_vec(values, (batch, channels, size, size), &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The files are what PyTorch says of the models: `python/resnet.py --model resnet18 --names`.
#[test]
fn parameters_have_the_names_and_shapes_of_pytorch() {
    let names_and_shapes = |model: Model| -> Vec<String> {
        let line = |(name, var): (String, Var)| {
            let dims: Vec<String> = var.dims().iter().map(usize::to_string).collect();
            format!("{name} {}", dims.join(" "))
        };
        model.params().vars().into_iter().map(line).collect()
    };
    let resnet32 = model(32, 3, 0, HeadConfig::Linear, 10);
    for (ours, theirs) in
        [(resnet32, include_str!("resnet32.txt")), (resnet18(), include_str!("resnet18.txt"))]
    {
        assert_eq!(names_and_shapes(ours), theirs.lines().collect::<Vec<_>>());
    }
}

#[test]
fn parameter_counts_are_the_published_ones() {
    // He et al. (2016), table 6: 0.27M, 0.46M, 0.66M, 0.85M.
    for (depth, millions) in [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)] {
        let count = model(depth, 3, 0, HeadConfig::Linear, 10).params().parameter_count();
        assert!((count as f64 / 1e6 - millions).abs() < 0.006, "ResNet-{depth} has {count}");
    }
    // As the common PyTorch CIFAR ResNet-18 counts them.
    assert_eq!(resnet18().params().parameter_count(), 11_173_962);
}

#[test]
fn depths_that_do_not_exist_are_refused() {
    for depth in [0, 2, 18, 21, 33] {
        let params = ParamStore::new(0, &Device::Cpu);
        let result = ResNet::new(ResNetConfig { depth, in_channels: 3, width: 1 }, &params.builder());
        assert!(matches!(result, Err(Error::Depth(found)) if found == depth));
    }
}

#[test]
fn convolutions_that_do_not_exist_are_refused() {
    let vb = ParamStore::new(0, &Device::Cpu).builder();
    for groups in [0, 3] {
        let shape = ConvShape { in_channels: 4, out_channels: 4, kernel: 3, stride: 1, padding: 1, groups };
        let error = ConvNormLayer::new(shape, true, &vb.pp("conv"), &vb.pp("norm")).err().unwrap();
        assert!(error.to_string().contains("the groups must divide the channels"), "{error}");
    }
}

#[test]
fn a_backbone_has_no_names_of_the_head() {
    let params = ParamStore::new(0, &Device::Cpu);
    let resnet = ResNet::new(ResNetConfig { depth: 8, in_channels: 1, width: 1 }, &params.builder()).unwrap();
    params.builder().pp("linear").get((10, 64), "weight").unwrap();
    let error = Model::new(params, resnet, &HeadConfig::Linear, 10).err().unwrap();
    assert!(matches!(&error, Error::NameTaken(name) if name == "linear.weight"), "{error}");
}

#[test]
fn initial_values_depend_on_seed_and_name_alone() {
    let (a, b) = (model(20, 1, 5, HeadConfig::Linear, 10), model(20, 1, 5, HeadConfig::Linear, 10));
    let other = model(20, 1, 6, HeadConfig::Linear, 10);
    for ((name, x), (_, y)) in a.params().vars().iter().zip(b.params().vars()) {
        assert_eq!(values(x), values(&y), "{name}");
    }
    let weight = |model: &Model| values(&model.head().weight().unwrap());
    assert_ne!(weight(&a), weight(&other));

    // The classifier alone, without the backbone built before it, starts the same.
    let params = ParamStore::new(5, &Device::Cpu);
    let head = HeadConfig::Linear.build(64, 10, &params.builder().pp("linear")).unwrap();
    assert_eq!(values(&head.weight().unwrap()), weight(&a));
}

#[test]
fn convolutions_start_kaiming_normal() {
    let vars = model(32, 3, 0, HeadConfig::Linear, 10).params().vars();
    let (_, weight) = vars.iter().find(|(name, _)| name == "layer3.4.conv2.weight").unwrap();
    let weight = values(weight);
    let variance = weight.iter().map(|w| f64::from(w * w)).sum::<f64>() / weight.len() as f64;
    // 2 / fan_in, with 36,864 values.
    let expected = 2.0 / (64.0 * 9.0);
    assert!((variance / expected - 1.0).abs() < 0.05, "{variance} instead of {expected}");
}

#[test]
fn evaluation_leaves_no_graph_and_changes_nothing() {
    let model = model(20, 1, 0, HeadConfig::Linear, 10);
    let before: Vec<_> = model.params().vars().iter().map(|(_, var)| values(var)).collect();
    let output = model.forward(&images(3, 1, 28), Pass::EVAL).unwrap();
    let gradients = output.logits.sum_all().unwrap().backward().unwrap();
    assert!(model.params().vars().iter().all(|(_, var)| gradients.get(var).is_none()));
    let after: Vec<_> = model.params().vars().iter().map(|(_, var)| values(var)).collect();
    assert_eq!(before, after);
}

#[test]
fn training_reaches_every_parameter_and_the_running_statistics() {
    for model in [model(20, 3, 0, HeadConfig::Linear, 10), resnet18()] {
        let running: Vec<Var> = buffers(&model);
        let before: Vec<_> = running.iter().map(|var| values(var)).collect();
        let output = model.forward(&images(4, 3, 8), Pass::TRAIN).unwrap();
        let gradients = output.logits.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        for (name, var) in model.params().vars() {
            assert_eq!(gradients.get(&var).is_some(), !name.contains("running"), "{name}");
        }
        assert!(running.iter().zip(before).all(|(var, before)| values(var) != before));
    }
}

fn buffers(model: &Model) -> Vec<Var> {
    model
        .params()
        .vars()
        .into_iter()
        .filter(|(name, _)| name.contains("running"))
        .map(|(_, var)| var)
        .collect()
}

#[test]
fn weights_survive_a_file_and_other_files_are_refused() {
    let (source, target) = (model(20, 1, 1, HeadConfig::Linear, 10), model(20, 1, 2, HeadConfig::Linear, 10));
    let bytes = source.params().to_safetensors().unwrap();
    target.params().load_safetensors(&bytes).unwrap();
    let x = images(2, 1, 28);
    let logits = |model: &Model| values(&model.forward(&x, Pass::EVAL).unwrap().logits);
    assert_eq!(logits(&source), logits(&target));

    let refusal = |model: Model| model.params().load_safetensors(&bytes).unwrap_err().to_string();
    assert!(
        refusal(model(20, 3, 0, HeadConfig::Linear, 10))
            .contains("\"conv1.weight\" should have shape [16, 3, 3, 3]")
    );
    assert!(refusal(model(32, 1, 0, HeadConfig::Linear, 10)).contains("missing"));
    assert!(target.params().load_safetensors(b"no such thing").is_err());
}

#[test]
fn the_etf_head_is_a_simplex_frame_that_is_not_trained() {
    for (features, classes) in [(64, 10), (9, 10), (64, 65), (1, 2)] {
        let params = ParamStore::new(3, &Device::Cpu);
        let head = HeadConfig::Etf.build(features, classes, &params.builder()).unwrap();
        let w = head.weight().unwrap().to_dtype(DType::F64).unwrap();
        let gram: Vec<Vec<f64>> = w.matmul(&w.t().unwrap()).unwrap().to_vec2().unwrap();
        for (i, row) in gram.iter().enumerate() {
            for (j, &cosine) in row.iter().enumerate() {
                let expected = if i == j { 1.0 } else { -1.0 / (classes - 1) as f64 };
                assert!(
                    (cosine - expected).abs() < 1e-5,
                    "K={classes} P={features}: {cosine} for {expected}"
                );
            }
        }
        let h = Var::ones((1, features), DType::F32, &Device::Cpu).unwrap();
        let gradients = head.forward(&h).unwrap().sum_all().unwrap().backward().unwrap();
        assert!(gradients.get(&h).is_some());
        assert!(params.vars().iter().all(|(_, var)| gradients.get(var).is_none()));
    }
    let params = ParamStore::new(0, &Device::Cpu);
    let refused = HeadConfig::Etf.build(64, 100, &params.builder());
    assert!(matches!(refused, Err(Error::EtfDimension { classes: 100, features: 64 })));
}

#[test]
fn the_cosine_head_sees_directions_only() {
    let params = ParamStore::new(0, &Device::Cpu);
    let head = HeadConfig::Cosine { scale: 30.0 }.build(8, 3, &params.builder()).unwrap();
    let h = images(2, 1, 2).reshape((1, 8)).unwrap();
    let logits = |h: &Tensor| values(&head.forward(h).unwrap());
    for (a, b) in logits(&h).iter().zip(logits(&(h.clone() * 5.0).unwrap())) {
        assert!((a - b).abs() < 1e-4);
        assert!(a.abs() <= 30.0);
    }
    let own = head.weight().unwrap().narrow(0, 1, 1).unwrap();
    assert!((logits(&own)[1] - 30.0).abs() < 1e-4);
    // The weight, whatever the parameter's norms, is what decides: applied to features as they are, it orders classes as
    // the head does.
    let (_, raw) = params.vars().into_iter().find(|(name, _)| name == "weight").unwrap();
    let stretched = raw.broadcast_mul(&Tensor::new(&[[9f32], [1.0], [0.1]], &Device::Cpu).unwrap()).unwrap();
    raw.set(&stretched).unwrap();
    let norm = values(&h).iter().map(|x| x * x).sum::<f32>().sqrt();
    let linear = values(&h.matmul(&head.weight().unwrap().t().unwrap()).unwrap());
    for (linear, cosine) in linear.iter().zip(logits(&h)) {
        assert!((linear / norm - cosine).abs() < 1e-3, "{linear} {cosine}");
    }
    // A feature of norm zero has a defined, finite answer.
    assert_eq!(logits(&h.zeros_like().unwrap()), [0.0; 3]);
}

#[test]
fn a_new_classifier_differs_from_the_first() {
    let model = model(20, 1, 0, HeadConfig::Linear, 10);
    let first = values(&model.head().weight().unwrap());
    let init = candle_nn::Init::Randn { mean: 0.0, stdev: 0.01 };
    model.params().reinitialize("linear.weight", init, "classifier").unwrap();
    let weight = model.head().weight().unwrap();
    assert_ne!(first, values(&weight));
    let std =
        weight.sqr().unwrap().mean(D::Minus1).unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    assert!((std - 0.01).abs() < 0.001);
    assert!(matches!(
        model.params().reinitialize("no.such", init, ""),
        Err(Error::UnknownParameter(name)) if name == "no.such"
    ));
}

#[test]
fn a_learnt_scale_folds_into_the_classifier() {
    let mut model = model(20, 1, 0, HeadConfig::Linear, 3);
    let features = Tensor::arange(0f32, 2.0 * 64.0, &Device::Cpu).unwrap().reshape((2, 64)).unwrap();
    let logits = |model: &Model| values(&model.head().forward(&features).unwrap());
    let (before, parameters) = (logits(&model), model.params().parameter_count());

    model.scale_logits().unwrap();
    assert_eq!(logits(&model), before, "factors start at 1");
    assert_eq!(model.params().parameter_count(), parameters + 3);
    let (_, scale) = model.params().vars().into_iter().find(|(name, _)| name == "linear.scale").unwrap();
    scale.set(&Tensor::new(&[2f32, 0.5, 0.0], &Device::Cpu).unwrap()).unwrap();
    let scaled = logits(&model);
    for (row, before) in scaled.chunks(3).zip(before.chunks(3)) {
        assert_eq!(row, [2.0 * before[0], 0.5 * before[1], 0.0]);
    }

    let saved = model.to_safetensors().unwrap();
    model.fold_scale().unwrap();
    assert_eq!(model.params().parameter_count(), parameters);
    assert_eq!(saved, model.to_safetensors().unwrap(), "files hold the folded classifier at any time");
    for (folded, scaled) in logits(&model).iter().zip(&scaled) {
        assert!((folded - scaled).abs() <= 1e-5 * scaled.abs(), "{folded} {scaled}");
    }
}

#[test]
fn only_a_linear_classifier_is_scaled_or_replaced() {
    let mut model = model(20, 1, 0, HeadConfig::Cosine { scale: 30.0 }, 3);
    assert!(matches!(model.scale_logits(), Err(Error::NotLinear)));
    assert!(matches!(model.fold_scale(), Err(Error::NotLinear)));
}

/// Gives the images themselves as features.
struct Pixels(usize);

impl Backbone for Pixels {
    fn forward(&self, images: &Tensor, _: Pass) -> nc_models::Result<Tensor> {
        Ok(images.flatten_from(1)?)
    }
    fn feature_dim(&self) -> usize {
        self.0
    }
}

#[test]
fn features_are_normalised_as_batch_norm_1d_and_to_length_one() {
    let params = ParamStore::new(0, &Device::Cpu);
    let normalized = NormalizedFeatures::new(Pixels(2), &params.builder().pp("norm")).unwrap();
    let batch = Tensor::new(&[[1f32, 10.0], [3.0, 10.0], [5.0, 40.0]], &Device::Cpu).unwrap();
    let buffer = |name: &str| {
        let (_, var) = params.vars().into_iter().find(|(other, _)| other == name).unwrap();
        values(var.as_tensor())
    };
    let close = |found: &[f32], expected: &[f32]| {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{found:?} {expected:?}");
        }
    };

    // Columns have means 3, 20 and biased variances 8/3, 200; rows become (-2/1.63299, -10/14.1421) and so on.
    let rows = values(&normalized.forward(&batch, Pass::TRAIN).unwrap());
    let unit = |x: f32, y: f32| [x / x.hypot(y), y / x.hypot(y)];
    let (a, b) = ((8f32 / 3.0).sqrt(), 200f32.sqrt());
    close(&rows, &[unit(-2.0 / a, -10.0 / b), unit(0.0, -10.0 / b), unit(2.0 / a, 20.0 / b)].concat());
    // The running ones go a tenth of the way, to the unbiased variances 4 and 300.
    close(&buffer("norm.running_mean"), &[0.3, 2.0]);
    close(&buffer("norm.running_var"), &[0.9 + 0.4, 0.9 + 30.0]);

    let evaluated = values(&normalized.forward(&batch, Pass::EVAL).unwrap());
    let of = |x: f32, y: f32| unit((x - 0.3) / 1.3f32.sqrt(), (y - 2.0) / 30.9f32.sqrt());
    close(&evaluated, &[of(1.0, 10.0), of(3.0, 10.0), of(5.0, 40.0)].concat());

    // One image has no variance: its features are beta, and the running variance stays.
    let one = normalized.forward(&batch.narrow(0, 0, 1).unwrap(), Pass::TRAIN).unwrap();
    close(&values(&one), &[0.0, 0.0]);
    close(&buffer("norm.running_var"), &[1.3, 30.9]);
}

#[test]
fn a_wide_resnet_has_wide_features() {
    let params = ParamStore::new(0, &Device::Cpu);
    let config = ResNetConfig { depth: 8, in_channels: 1, width: 2 };
    let resnet = ResNet::new(config, &params.builder()).unwrap();
    let images = Tensor::zeros((1, 1, 8, 8), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(resnet.forward(&images, Pass::EVAL).unwrap().dims(), [1, 128]);
    assert_eq!(resnet.feature_dim(), 128);
    let none = ResNet::new(ResNetConfig { width: 0, ..config }, &params.builder());
    assert!(matches!(none, Err(Error::Width)));
}
