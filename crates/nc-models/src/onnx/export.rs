use candle_core::{Device, Tensor};
use rten_onnx::onnx::{
    DataType, Dimension, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorShapeProto, TypeProto,
    TypeProtoTensor, ValueInfoProto,
};
use rten_onnx::protobuf::{EncodeMessage, ValueWriter};

use super::{
    Graph,
    message::{Described, NamedGraph, NamedModel},
};
use crate::{Error, Network, Result};

/// Input images of an exported network.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The channels C: red, green and blue, or grey.
    pub channels: Vec<Channel>,
    /// Height H in pixels.
    pub height: usize,
    /// Width W in pixels.
    pub width: usize,
}

/// Normalisation of an image channel: (x - mean) / std for pixels x from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channel {
    /// Mean of the pixels.
    pub mean: f32,
    /// Standard deviation of the pixels.
    pub std: f32,
}

/// Origin of an exported network.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    /// Name of the graph.
    pub name: &'a str,
    /// The program that exports the network.
    pub producer: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Metadata, as keys with their values.
    pub metadata: &'a [(&'a str, String)],
}

/// Version of the file format that introduced opset 13.
const IR_VERSION: i64 = 7;

/// Encodes `network` in inference as an ONNX model with input normalisation.
///
/// | value | type | shape | contents |
/// |---|---|---|---|
/// | input `images` | f32 | (N, C, H, W) | pixels / 255, any N |
/// | output `features` | f32 | (N, P) | the features h |
/// | output `logits` | f32 | (N, K) | the logits z |
///
/// Batch norm is folded into the convolutions in double precision. Rounding apart, the outputs are those of
/// [`Network::infer`] for normalised images.
///
/// ```
/// use candle_core::Device;
/// use nc_models::onnx::{Channel, Description, Input, export};
/// use nc_models::{HeadConfig, Model, ParamStore, ResNet, ResNetConfig};
///
/// let params = ParamStore::new(0, &Device::Cpu);
/// let resnet = ResNet::new(ResNetConfig::cifar(8, 1, 1)?, &params.builder())?;
/// let model = Model::new(params, resnet, &HeadConfig::Linear, 10)?;
///
/// let input = Input { channels: vec![Channel { mean: 0.3, std: 0.35 }], height: 28, width: 28 };
/// let metadata = [("class_names", r#"["shirt", "shoe"]"#.to_owned())];
/// let about = Description { name: "digits", producer: "example", version: "1.0", metadata: &metadata };
/// let bytes = export(&model, &input, &about)?;
/// # assert!(!bytes.is_empty());
/// # Ok::<(), nc_models::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::NotExportable`] for a custom backbone or network without `add_to`, [`Error::NoClassifier`] for a network without
/// a classifier; those of Candle.
pub fn export(network: &dyn Network, input: &Input, about: &Description<'_>) -> Result<Vec<u8>> {
    let classifier = network.classifier()?.ok_or(Error::NoClassifier)?;
    let Input { channels, height, width } = input;
    let mut graph = Graph::default();
    let [images, features, logits] = ["images", "features", "logits"].map(|name| graph.reserved(name));

    let per_channel = |value: fn(&Channel) -> f32| {
        let values = channels.iter().map(value).collect();
        Tensor::from_vec(values, (1, channels.len(), 1, 1), &Device::Cpu)
    };
    let mean = graph.constant("mean", &per_channel(|channel| channel.mean)?)?;
    let std = graph.constant("std", &per_channel(|channel| channel.std)?)?;
    let centred = graph.node("Sub", "centred", &[&images, &mean], &[]);
    let normalized = graph.node("Div", "normalized", &[&centred, &std], &[]);
    let (h, z) = network.add_to(&mut graph, &normalized)?;
    graph.output(&h, &features);
    graph.output(&z, &logits);

    let pixels = if channels.len() == 3 { "RGB pixels / 255" } else { "pixels / 255" };
    let graph = NamedGraph {
        graph: graph.into_proto(),
        name: about.name,
        inputs: vec![described("images", &[channels.len(), *height, *width], pixels)],
        outputs: vec![
            described("logits", &[classifier.weight.dim(0)?], "one score per class, before softmax"),
            described("features", &[network.feature_dim()], "input of the classifier"),
        ],
    };
    let entry = |(key, value): &(&str, String)| StringStringEntryProto {
        key: Some((*key).to_owned()),
        value: Some(value.clone()),
    };
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some(about.producer.to_owned()),
        producer_version: Some(about.version.to_owned()),
        graph: None,
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(Graph::OPSET) }],
        metadata_props: about.metadata.iter().map(entry).collect(),
    };
    let mut bytes = vec![];
    let written = NamedModel { model, graph }.encode(ValueWriter::new(&mut bytes));
    written.map_err(candle_core::Error::wrap)?;
    Ok(bytes)
}

/// An f32 tensor of N items with `dims`.
fn described(name: &str, dims: &[usize], doc: &'static str) -> Described {
    let batch = Dimension { dim_value: None, dim_param: Some("N".into()) };
    let sizes = dims.iter().map(|&dim| Dimension { dim_value: Some(dim as i64), dim_param: None });
    let shape = TensorShapeProto { dim: std::iter::once(batch).chain(sizes).collect() };
    let tensor = TypeProtoTensor { elem_type: Some(DataType::FLOAT), shape: Some(shape) };
    let r#type = Some(TypeProto { tensor_type: Some(tensor), ..TypeProto::default() });
    Described { value: ValueInfoProto { name: Some(name.to_owned()), r#type }, doc }
}
