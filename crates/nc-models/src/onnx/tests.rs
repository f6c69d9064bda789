use std::collections::BTreeSet;

use candle_core::{Device, Tensor};
use rten_onnx::onnx::{DataType, Dimension, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

use super::{Channel, Description, Input, export};
use crate::{
    Backbone, Bilateral, Classifier, Error, Experts, ExpertsConfig, HeadConfig, Model, Network,
    NormalizedFeatures, ParamStore, Pass, ResNet, ResNetConfig, Result,
};

fn resnet(depth: usize, in_channels: usize, width: usize, params: &ParamStore) -> ResNet {
    ResNet::new(ResNetConfig::cifar(depth, in_channels, width).unwrap(), &params.builder()).unwrap()
}

/// A ResNet-8 for grey images with `head`, and parameters that differ from those of a new network.
fn resnet8(head: HeadConfig) -> Model {
    let params = ParamStore::new(0, &Device::Cpu);
    let model = Model::new(params.clone(), resnet(8, 1, 1, &params), &head, 3).unwrap();
    for (name, var) in params.vars() {
        let noise = (0..var.elem_count()).map(|i| ((i * 37 + name.len()) % 101) as f32 / 101.0);
        let values: Vec<f32> = if name.ends_with("running_var") {
            noise.map(|x| 0.5 + x).collect()
        } else {
            noise.map(|x| x - 0.4).collect()
        };
        var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap()).unwrap();
    }
    model
}

fn about() -> Description<'static> {
    Description { name: "test", producer: "nc-models", version: "1.2.3", metadata: &[] }
}

fn input(channels: usize) -> Input {
    let channels = (0..channels).map(|c| Channel { mean: 0.25 + c as f32, std: 0.5 }).collect();
    Input { channels, height: 20, width: 16 }
}

fn graph_of(network: &dyn Network, channels: usize) -> GraphProto {
    ModelProto::parse_buf(&export(network, &input(channels), &about()).unwrap()).unwrap().graph.unwrap()
}

fn operators(graph: &GraphProto) -> Vec<&str> {
    graph.node.iter().map(|node| node.op_type.as_deref().unwrap()).collect()
}

fn count(graph: &GraphProto, op: &str) -> usize {
    operators(graph).into_iter().filter(|found| *found == op).count()
}

fn named<'a>(graph: &'a GraphProto, name: &str) -> &'a NodeProto {
    graph.node.iter().find(|node| node.name.as_deref() == Some(name)).unwrap()
}

fn constant<'a>(graph: &'a GraphProto, name: &str) -> &'a TensorProto {
    graph.initializer.iter().find(|tensor| tensor.name.as_deref() == Some(name)).unwrap()
}

fn floats(tensor: &TensorProto) -> Vec<f32> {
    assert_eq!(tensor.data_type, Some(DataType::FLOAT));
    let bytes = tensor.raw_data.as_ref().unwrap().borrow();
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fn integers(tensor: &TensorProto) -> Vec<i64> {
    assert_eq!(tensor.data_type, Some(DataType::INT64));
    let bytes = tensor.raw_data.as_ref().unwrap().borrow();
    bytes.chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn parameter(model: &Model, name: &str) -> Vec<f64> {
    let vars = model.params().vars();
    let (_, var) = vars.iter().find(|(other, _)| other == name).unwrap();
    values(var).into_iter().map(f64::from).collect()
}

/// Name and sizes; -1 is the batch.
fn shape(value: &ValueInfoProto) -> (&str, Vec<i64>) {
    let tensor = value.r#type.as_ref().unwrap().tensor_type.as_ref().unwrap();
    assert_eq!(tensor.elem_type, Some(DataType::FLOAT));
    let size = |dim: &Dimension| {
        assert_eq!(dim.dim_value.is_none(), dim.dim_param.as_deref() == Some("N"));
        dim.dim_value.unwrap_or(-1)
    };
    (value.name.as_deref().unwrap(), tensor.shape.as_ref().unwrap().dim.iter().map(size).collect())
}

#[test]
fn a_file_describes_itself() {
    let metadata = [("class_names", r#"["é"]"#.to_owned()), ("resize", String::new())];
    let about = Description { metadata: &metadata, ..about() };
    let bytes = export(&resnet8(HeadConfig::Linear), &input(1), &about).unwrap();
    let model = ModelProto::parse_buf(&bytes).unwrap();
    assert_eq!((model.ir_version, model.opset_import[0].version), (Some(7), Some(13)));
    assert_eq!(model.producer_name.as_deref(), Some("nc-models"));
    assert_eq!(model.producer_version.as_deref(), Some("1.2.3"));
    let entries = model.metadata_props.iter();
    let read: Vec<_> =
        entries.map(|entry| (entry.key.as_deref().unwrap(), entry.value.clone().unwrap())).collect();
    assert_eq!(read, metadata);
    let graph = model.graph.unwrap();
    // The name of the graph and the description of its input, which rten-onnx skips, with their tags and lengths.
    let has = |field: &[u8]| bytes.windows(field.len()).any(|window| window == field);
    assert!(has(b"\x12\x04test") && has(b"\x1a\x0cpixels / 255"));
    assert_eq!(graph.input.iter().map(shape).collect::<Vec<_>>(), [("images", vec![-1, 1, 20, 16])]);
    let outputs: Vec<_> = graph.output.iter().map(shape).collect();
    assert_eq!(outputs, [("logits", vec![-1, 3]), ("features", vec![-1, 64])]);
}

#[test]
fn nodes_follow_the_network() {
    let graph = graph_of(&resnet8(HeadConfig::Linear), 1);
    let block = ["Conv", "Relu", "Conv", "Add", "Relu"];
    let wider = ["Slice", "Pad", "Conv", "Relu", "Conv", "Add", "Relu"];
    let parts: [&[&str]; 6] = [
        &["Sub", "Div", "Conv", "Relu"],
        &block,
        &wider,
        &wider,
        &["GlobalAveragePool", "Flatten", "Gemm"],
        &["Identity", "Identity"],
    ];
    assert_eq!(operators(&graph), parts.concat());
    assert_eq!(floats(constant(&graph, "mean")), [0.25]);
    assert_eq!(constant(&graph, "std").dims, [1, 1, 1, 1]);

    let conv = named(&graph, "layer2.0.conv1");
    let ints = |name: &str| {
        &conv.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name)).unwrap().ints
    };
    assert_eq!((&ints("strides")[..], &ints("pads")[..]), (&[2, 2][..], &[1, 1, 1, 1][..]));
    let add = named(&graph, "layer2.0.conv2.add");
    assert_eq!(add.input, ["layer2.0.conv2", "shortcut"]);
    assert_eq!(named(&graph, "layer3.0.conv2.add").input[1], "shortcut_2");
    assert_eq!(integers(constant(&graph, "shortcut.steps")), [2, 2]);
    assert_eq!(integers(constant(&graph, "shortcut.pads_2")), [0, 16, 0, 0, 0, 16, 0, 0]);
}

#[test]
fn batch_norm_is_folded_into_the_convolution() {
    let model = resnet8(HeadConfig::Linear);
    let graph = graph_of(&model, 1);
    for (conv, norm, channels) in
        [("conv1", "bn1", 16), ("layer1.0.conv2", "layer1.0.bn2", 16), ("layer3.0.conv1", "layer3.0.bn1", 64)]
    {
        let weight = parameter(&model, &format!("{conv}.weight"));
        let [gamma, beta, mean, var] = ["weight", "bias", "running_mean", "running_var"]
            .map(|name| parameter(&model, &format!("{norm}.{name}")));
        let scale: Vec<f64> = gamma.iter().zip(var).map(|(gamma, var)| gamma / (var + 1e-5).sqrt()).collect();
        let per_channel = weight.len() / channels;
        let folded: Vec<f32> =
            weight.iter().enumerate().map(|(i, w)| (w * scale[i / per_channel]) as f32).collect();
        let bias: Vec<f32> = (0..channels).map(|k| (beta[k] - mean[k] * scale[k]) as f32).collect();
        assert_eq!(floats(constant(&graph, &format!("{conv}.weight"))), folded, "{conv}");
        assert_eq!(floats(constant(&graph, &format!("{conv}.bias"))), bias, "{conv}");
    }
    assert_eq!(constant(&graph, "layer3.0.conv1.weight").dims, [64, 32, 3, 3]);
}

#[test]
fn values_are_defined_once_and_before_use() {
    let (linear, cosine) = (resnet8(HeadConfig::Linear), resnet8(HeadConfig::Cosine { scale: 30.0 }));
    for network in [linear, cosine] {
        let graph = graph_of(&network, 1);
        let mut defined = BTreeSet::from(["images"]);
        for tensor in &graph.initializer {
            let name = tensor.name.as_ref().unwrap();
            assert!(defined.insert(name), "{name}");
        }
        for node in &graph.node {
            assert!(node.input.iter().all(|input| defined.contains(input.as_str())), "{node:?}");
            assert!(defined.insert(&node.output[0]), "{}", node.output[0]);
        }
        assert!(defined.contains("features") && defined.contains("logits"));
    }
}

#[test]
fn the_head_is_the_classifier() {
    let mut scaled = resnet8(HeadConfig::Linear);
    scaled.scale_logits().unwrap();
    let (_, scale) = scaled.params().vars().into_iter().find(|(name, _)| name == "linear.scale").unwrap();
    scale.set(&Tensor::new(&[0.5f32, 2.0, 3.0], &Device::Cpu).unwrap()).unwrap();
    let (etf, cosine) = (resnet8(HeadConfig::Etf), resnet8(HeadConfig::Cosine { scale: 30.0 }));
    for network in [resnet8(HeadConfig::Linear), scaled, etf, cosine] {
        let graph = graph_of(&network, 1);
        let Classifier { weight, bias } = network.classifier().unwrap().unwrap();
        assert_eq!(floats(constant(&graph, "linear.weight")), values(&weight));
        let gemm = named(&graph, "linear");
        assert_eq!(gemm.input.len(), 2 + usize::from(bias.is_some()));
        if let Some(bias) = bias {
            assert_eq!(floats(constant(&graph, "linear.bias")), values(&bias));
        }
        let features = if network.head().scale() == 1.0 { "pool.flat" } else { "linear.unit" };
        assert_eq!(gemm.input[0], features);
        assert_eq!(named(&graph, "features").input, ["pool.flat"]);
    }
}

/// Checks that `network` joins `parts` before its classifier, and that the graph has the kernels `weights`.
fn assert_joined(network: &dyn Network, head: &str, parts: &[&str], weights: &[&str]) {
    let graph = graph_of(network, 1);
    let joined = graph.node.iter().find(|node| node.op_type.as_deref() == Some("Concat")).unwrap();
    assert_eq!(joined.input, parts);
    assert_eq!(named(&graph, head).input[0], joined.output[0]);
    let Classifier { weight, .. } = network.classifier().unwrap().unwrap();
    assert_eq!(floats(constant(&graph, &format!("{head}.weight"))), values(&weight));
    for name in weights {
        assert_eq!(constant(&graph, name).dims.len(), 4, "{name}");
    }
}

#[test]
fn branches_and_experts_are_joined_before_the_classifier() {
    let resnet = ResNetConfig::cifar(8, 1, 1).unwrap();
    let store = || ParamStore::new(0, &Device::Cpu);
    assert_joined(
        &Bilateral::new(store(), resnet, 4).unwrap(),
        "linear",
        &["cb.pool.flat", "rb.pool.flat"],
        &["cb_block.conv2.weight", "rb_block.conv2.weight"],
    );
    let head = HeadConfig::Cosine { scale: 30.0 };
    let config = ExpertsConfig { resnet, experts: 3, reduce_dimension: true, head };
    assert_joined(
        &Experts::new(store(), &config, 4).unwrap(),
        "linears",
        &["unit.0", "unit.1", "unit.2"],
        &["layer3s.0.0.conv2.weight", "layer3s.1.0.conv2.weight", "layer3s.2.0.conv2.weight"],
    );
}

#[test]
fn normalised_features_are_batch_norm_and_division_by_the_norm() {
    let params = ParamStore::new(0, &Device::Cpu);
    let vb = params.builder().pp("feature_norm");
    let features = NormalizedFeatures::new(resnet(8, 3, 1, &params), &vb).unwrap();
    let graph = graph_of(&Model::new(params, features, &HeadConfig::Etf, 4).unwrap(), 3);
    let after: Vec<&str> =
        operators(&graph).into_iter().skip_while(|op| *op != "BatchNormalization").collect();
    let expected =
        ["BatchNormalization", "ReduceSumSquare", "Add", "Sqrt", "Div", "Gemm", "Identity", "Identity"];
    assert_eq!(after, expected);
    assert_eq!(named(&graph, "features").input, ["feature_norm.unit"]);
    assert_eq!(constant(&graph, "feature_norm.running_var").dims, [64]);
}

#[test]
fn every_backbone_is_exported() {
    for (depth, width) in [(8, 1), (20, 1), (32, 2), (56, 1)] {
        let params = ParamStore::new(0, &Device::Cpu);
        let model =
            Model::new(params.clone(), resnet(depth, 3, width, &params), &HeadConfig::Linear, 5).unwrap();
        let graph = graph_of(&model, 3);
        let convolutions = depth - 1;
        assert_eq!((count(&graph, "Conv"), count(&graph, "Pad")), (convolutions, 2));
        assert_eq!(shape(&graph.output[1]).1, [-1, 64 * width as i64]);
    }
    let params = ParamStore::new(0, &Device::Cpu);
    let resnet18 = ResNet::new(ResNetConfig::resnet18_small(3), &params.builder()).unwrap();
    let graph = graph_of(&Model::new(params, resnet18, &HeadConfig::Linear, 5).unwrap(), 3);
    // Stem, 16 convolutions of blocks, 3 projections.
    assert_eq!((count(&graph, "Conv"), count(&graph, "Pad")), (20, 0));
    assert_eq!(named(&graph, "layer2.0.conv2.add").input[1], "layer2.0.shortcut.0");
    assert_eq!(count(&graph, "BatchNormalization"), 0);
}

/// A backbone that averages the pixels, without a description for ONNX.
struct Average;

impl Backbone for Average {
    fn forward(&self, images: &Tensor, _: Pass) -> Result<Tensor> {
        Ok(images.flatten_from(2)?.mean(2)?)
    }

    fn feature_dim(&self) -> usize {
        3
    }
}

#[test]
fn custom_backbones_without_add_to_are_refused() {
    let params = ParamStore::new(0, &Device::Cpu);
    let model = Model::new(params, Average, &HeadConfig::Linear, 2).unwrap();
    let refused = export(&model, &input(3), &about()).unwrap_err();
    assert!(matches!(refused, Error::NotExportable { part: "Backbone" }));
}
