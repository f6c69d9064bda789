//! Parameters of models, and the effects of a forward pass on them.

use candle_core::{Device, Var};
use nc_models::{
    Error, Group, HeadConfig, Model, Network, NormalizedFeatures, ParamStore, Pass, ResNet, ResNetConfig,
    Role,
};

use crate::support::{images, model, resnet18, values};

/// The files come from PyTorch: `python/resnet.py --model resnet18 --names`.
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
        [(resnet32, include_str!("../resnet32.txt")), (resnet18(), include_str!("../resnet18.txt"))]
    {
        assert_eq!(names_and_shapes(ours), theirs.lines().collect::<Vec<_>>());
    }
}

#[test]
fn parameter_counts_match_the_literature() {
    // He et al. (2016), table 6: 0.27M, 0.46M, 0.66M, 0.85M.
    for (depth, millions) in [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85)] {
        let count = model(depth, 3, 0, HeadConfig::Linear, 10).params().parameter_count();
        assert!((count as f64 / 1e6 - millions).abs() < 0.006, "ResNet-{depth} has {count}");
    }
    // The common PyTorch CIFAR ResNet-18.
    assert_eq!(resnet18().params().parameter_count(), 11_173_962);
}

#[test]
fn backbone_parameters_named_like_the_head_are_refused() {
    let params = ParamStore::new(0, &Device::Cpu);
    let resnet = ResNet::new(ResNetConfig::cifar(8, 1, 1).unwrap(), &params.builder()).unwrap();
    params.builder().pp("linear").get((10, 64), "weight").unwrap();
    let error = Model::new(params, resnet, &HeadConfig::Linear, 10).err().unwrap();
    assert!(matches!(&error, Error::NameTaken(name) if name == "linear.weight"), "{error}");
}

#[test]
fn parameters_know_their_group_and_role() {
    let params = ParamStore::new(0, &Device::Cpu);
    let resnet = ResNet::new(ResNetConfig::cifar(8, 1, 1).unwrap(), &params.builder()).unwrap();
    let features = NormalizedFeatures::new(resnet, &params.builder().pp("feature_norm")).unwrap();
    let mut linear = Model::new(params, features, &HeadConfig::Linear, 10).unwrap();
    linear.scale_logits().unwrap();
    for param in linear.params().all() {
        let expected = match param.name.as_str() {
            "linear.scale" => Group::LogitScale,
            "linear.weight" | "linear.bias" => Group::Head,
            _ => Group::Backbone,
        };
        let role = if param.name.contains("running_") { Role::Statistic } else { Role::Learned };
        assert_eq!((param.group, param.role), (expected, role), "{}", param.name);
    }
    let etf = model(8, 1, 0, HeadConfig::Etf, 10).params().all();
    let weight = etf.iter().find(|param| param.name == "linear.weight").unwrap();
    assert_eq!((weight.group, weight.role), (Group::Head, Role::Fixed));
}

#[test]
fn the_classifier_reproduces_the_inferred_logits() {
    let model = model(8, 1, 0, HeadConfig::Linear, 3);
    let x = images(2, 1, 8);
    let inferred = model.infer(&x).unwrap();
    let classifier = model.classifier().unwrap().unwrap();
    let logits = inferred.features.matmul(&classifier.weight.t().unwrap()).unwrap();
    let logits = logits.broadcast_add(&classifier.bias.unwrap()).unwrap();
    assert_eq!(values(&logits), values(&inferred.logits.unwrap()));

    // The head learns even on a frozen backbone.
    let branches = model.forward_views(&[&x], Pass::EVAL).unwrap();
    let gradients = branches[0].logits.as_ref().unwrap().sum_all().unwrap().backward().unwrap();
    for param in model.params().all() {
        assert_eq!(gradients.get(&param.var).is_some(), param.group == Group::Head, "{}", param.name);
    }
    assert!(matches!(model.forward_views(&[], Pass::EVAL), Err(Error::Views { expected: 1, found: 0 })));
}

#[test]
fn initial_values_depend_only_on_seed_and_name() {
    let (a, b) = (model(20, 1, 5, HeadConfig::Linear, 10), model(20, 1, 5, HeadConfig::Linear, 10));
    let other = model(20, 1, 6, HeadConfig::Linear, 10);
    for ((name, x), (_, y)) in a.params().vars().iter().zip(b.params().vars()) {
        assert_eq!(values(x), values(&y), "{name}");
    }
    let weight = |model: &Model| values(&model.head().weight().unwrap());
    assert_ne!(weight(&a), weight(&other));

    // The classifier starts the same without the backbone built before it.
    let params = ParamStore::new(5, &Device::Cpu);
    let head = HeadConfig::Linear.build(64, 10, &params.builder().pp("linear")).unwrap();
    assert_eq!(values(&head.weight().unwrap()), weight(&a));
}

#[test]
fn convolutions_are_initialised_kaiming_normal() {
    let vars = model(32, 3, 0, HeadConfig::Linear, 10).params().vars();
    let (_, weight) = vars.iter().find(|(name, _)| name == "layer3.4.conv2.weight").unwrap();
    let weight = values(weight);
    let variance = weight.iter().map(|w| f64::from(w * w)).sum::<f64>() / weight.len() as f64;
    // 2 / fan_in, with 36,864 values.
    let expected = 2.0 / (64.0 * 9.0);
    assert!((variance / expected - 1.0).abs() < 0.05, "{variance} instead of {expected}");
}

#[test]
fn evaluation_keeps_no_graph_and_changes_no_variable() {
    let model = model(20, 1, 0, HeadConfig::Linear, 10);
    let before: Vec<_> = model.params().vars().iter().map(|(_, var)| values(var)).collect();
    let output = model.forward(&images(3, 1, 28), Pass::EVAL).unwrap();
    let gradients = output.logits.sum_all().unwrap().backward().unwrap();
    assert!(model.params().vars().iter().all(|(_, var)| gradients.get(var).is_none()));
    let after: Vec<_> = model.params().vars().iter().map(|(_, var)| values(var)).collect();
    assert_eq!(before, after);
}

#[test]
fn training_updates_running_statistics_and_reaches_all_parameters() {
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
fn weights_round_trip_and_mismatched_files_are_refused() {
    let (source, target) = (model(20, 1, 1, HeadConfig::Linear, 10), model(20, 1, 2, HeadConfig::Linear, 10));
    let bytes = source.to_safetensors().unwrap();
    target.params().load_safetensors(&bytes).unwrap();
    let x = images(2, 1, 28);
    let logits = |model: &Model| values(&model.forward(&x, Pass::EVAL).unwrap().logits);
    assert_eq!(logits(&source), logits(&target));

    let refusal = |model: Model| model.params().load_safetensors(&bytes).unwrap_err().to_string();
    assert!(
        refusal(model(20, 3, 0, HeadConfig::Linear, 10))
            .contains("expected \"conv1.weight\" of shape [16, 3, 3, 3]")
    );
    assert!(refusal(model(32, 1, 0, HeadConfig::Linear, 10)).contains("missing"));
    assert!(target.params().load_safetensors(b"not safetensors").is_err());
}
