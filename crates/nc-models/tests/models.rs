//! Models as a user of the crate sees them.

use candle_core::{D, DType, Device, Tensor, Var};
use nc_models::{Error, HeadConfig, Model, ParamStore, Pass, ResNet, ResNetConfig};

fn model(depth: usize, in_channels: usize, seed: u64, head: HeadConfig, classes: usize) -> Model {
    let params = ParamStore::new(seed, &Device::Cpu);
    let resnet = ResNet::new(ResNetConfig { depth, in_channels }, &params.builder()).unwrap();
    Model::new(params, resnet, &head, classes).unwrap()
}

fn images(batch: usize, channels: usize, size: usize) -> Tensor {
    let count = batch * channels * size * size;
    let values: Vec<f32> = (0..count).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    Tensor::from_vec(values, (batch, channels, size, size), &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The file is what PyTorch says of the model: `python/resnet.py --names`.
#[test]
fn parameters_have_the_names_and_shapes_of_pytorch() {
    let ours: Vec<String> = model(32, 3, 0, HeadConfig::Linear, 10)
        .params()
        .vars()
        .iter()
        .map(|(name, var)| {
            let dims: Vec<String> = var.dims().iter().map(usize::to_string).collect();
            format!("{name} {}", dims.join(" "))
        })
        .collect();
    let theirs: Vec<&str> = include_str!("resnet32.txt").lines().collect();
    assert_eq!(ours, theirs);
}

#[test]
fn parameter_counts_are_the_published_ones() {
    // He et al. (2016), table 6: 0.27M, 0.46M, 0.66M, 0.85M.
    for (depth, millions) in [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)] {
        let count = model(depth, 3, 0, HeadConfig::Linear, 10).params().parameter_count();
        assert!((count as f64 / 1e6 - millions).abs() < 0.006, "ResNet-{depth} has {count}");
    }
}

#[test]
fn depths_that_do_not_exist_are_refused() {
    for depth in [0, 2, 18, 21, 33] {
        let params = ParamStore::new(0, &Device::Cpu);
        let result = ResNet::new(ResNetConfig { depth, in_channels: 3 }, &params.builder());
        assert!(matches!(result, Err(Error::Depth(found)) if found == depth));
    }
}

#[test]
fn initial_values_depend_on_seed_and_name_alone() {
    let (a, b) = (model(20, 1, 5, HeadConfig::Linear, 10), model(20, 1, 5, HeadConfig::Linear, 10));
    let other = model(20, 1, 6, HeadConfig::Linear, 10);
    for ((name, x), (_, y)) in a.params().vars().iter().zip(b.params().vars()) {
        assert_eq!(values(x), values(&y), "{name}");
    }
    let weight = |model: &Model| values(model.head().weight());
    assert_ne!(weight(&a), weight(&other));

    // The classifier alone, without the backbone built before it, starts the same.
    let params = ParamStore::new(5, &Device::Cpu);
    let head = HeadConfig::Linear.build(64, 10, &params.builder().pp("linear")).unwrap();
    assert_eq!(values(head.weight()), weight(&a));
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
    let model = model(20, 3, 0, HeadConfig::Linear, 10);
    let running: Vec<Var> = buffers(&model);
    let before: Vec<_> = running.iter().map(|var| values(var)).collect();
    let output = model.forward(&images(4, 3, 8), Pass::TRAIN).unwrap();
    let gradients = output.logits.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    for (name, var) in model.params().vars() {
        assert_eq!(gradients.get(&var).is_some(), !name.contains("running"), "{name}");
    }
    assert!(running.iter().zip(before).all(|(var, before)| values(var) != before));
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
        let w = head.weight().to_dtype(DType::F64).unwrap();
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
    let own = head.weight().narrow(0, 1, 1).unwrap();
    assert!((logits(&own)[1] - 30.0).abs() < 1e-4);
    // A feature of norm zero has a defined, finite answer.
    assert_eq!(logits(&h.zeros_like().unwrap()), [0.0; 3]);
}

#[test]
fn a_new_classifier_differs_from_the_first() {
    let model = model(20, 1, 0, HeadConfig::Linear, 10);
    let first = values(model.head().weight());
    let init = candle_nn::Init::Randn { mean: 0.0, stdev: 0.01 };
    model.params().reinitialize("linear.weight", init, "classifier").unwrap();
    let weight = model.head().weight();
    assert_ne!(first, values(weight));
    let std =
        weight.sqr().unwrap().mean(D::Minus1).unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    assert!((std - 0.01).abs() < 0.001);
    assert!(matches!(
        model.params().reinitialize("no.such", init, ""),
        Err(Error::UnknownParameter(name)) if name == "no.such"
    ));
}
