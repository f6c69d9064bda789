use std::collections::BTreeSet;

use candle_core::{DType, Tensor};
use rten_onnx::onnx::{AttributeProto, AttributeType, DataType, GraphProto, NodeProto, TensorProto};

use crate::Result;

/// A tensor of a [`Graph`]: its input, a constant or the output of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(String);

/// An attribute of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Attribute<'a> {
    /// An integer.
    Int(i64),
    /// A list of integers.
    Ints(&'a [i64]),
    /// A number.
    Float(f32),
}

/// An ONNX graph under construction, with the operators of opset 13.
///
/// Names are those of nodes, constants and values. A name in use gets a number, so any name is accepted.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use nc_models::onnx::{Attribute, Graph, Value};
///
/// /// Adds h = relu(W x + b) for rows x.
/// fn hidden(graph: &mut Graph, x: &Value, weight: &Tensor, bias: &Tensor) -> nc_models::Result<Value> {
///     let weight = graph.constant("hidden.weight", weight)?;
///     let bias = graph.constant("hidden.bias", bias)?;
///     let affine = graph.node("Gemm", "hidden", &[x, &weight, &bias], &[("transB", Attribute::Int(1))]);
///     Ok(graph.node("Relu", "hidden.relu", &[&affine], &[]))
/// }
/// ```
#[derive(Default)]
pub struct Graph {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    names: BTreeSet<String>,
}

impl Graph {
    /// Opset of the operators.
    pub(super) const OPSET: i64 = 13;

    /// The input, or an output, with exactly this name. To be called before other values take the name.
    pub(super) fn reserved(&mut self, name: &str) -> Value {
        self.names.insert(name.to_owned());
        Value(name.to_owned())
    }

    /// A constant f32 tensor.
    ///
    /// # Errors
    ///
    /// Those of Candle, if `tensor` cannot be converted or copied from its device.
    pub fn constant(&mut self, name: &str, tensor: &Tensor) -> Result<Value> {
        let values = tensor.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>()?;
        let bytes = values.into_iter().flat_map(f32::to_le_bytes).collect();
        Ok(self.store(name, tensor.dims(), DataType::FLOAT, bytes))
    }

    /// A constant list of integers, for operators that take axes, sizes or paddings as input.
    pub fn integers(&mut self, name: &str, values: &[i64]) -> Value {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.store(name, &[values.len()], DataType::INT64, bytes)
    }

    fn store(&mut self, name: &str, dims: &[usize], data_type: DataType, raw_data: Vec<u8>) -> Value {
        let name = self.unique(name);
        let dims = dims.iter().map(|&dim| dim as i64).collect();
        self.constants.push(TensorProto {
            dims,
            data_type: Some(data_type),
            name: Some(name.clone()),
            raw_data: Some(raw_data.into()),
            ..TensorProto::default()
        });
        Value(name)
    }

    /// Adds a node of the operator `op` and returns its output.
    pub fn node(
        &mut self,
        op: &str,
        name: &str,
        inputs: &[&Value],
        attributes: &[(&str, Attribute<'_>)],
    ) -> Value {
        let output = Value(self.unique(name));
        self.push(op, inputs, &output, attributes);
        output
    }

    /// Gives `value` the name of a graph output.
    pub(super) fn output(&mut self, value: &Value, output: &Value) {
        self.push("Identity", &[value], output, &[]);
    }

    fn push(&mut self, op: &str, inputs: &[&Value], output: &Value, attributes: &[(&str, Attribute<'_>)]) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: vec![output.0.clone()],
            name: Some(output.0.clone()),
            op_type: Some(op.to_owned()),
            attribute: attributes.iter().map(|(name, attribute)| encoded(name, *attribute)).collect(),
            domain: None,
        });
    }

    fn unique(&mut self, name: &str) -> String {
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        let free = names.find(|name| !self.names.contains(name)).unwrap_or_default();
        self.names.insert(free.clone());
        free
    }

    /// The message, without inputs and outputs.
    pub(super) fn into_proto(self) -> GraphProto {
        let Self { nodes: node, constants: initializer, names: _ } = self;
        GraphProto { node, initializer, ..GraphProto::default() }
    }
}

fn encoded(name: &str, attribute: Attribute<'_>) -> AttributeProto {
    let name = Some(name.to_owned());
    match attribute {
        Attribute::Int(value) => {
            AttributeProto { name, i: Some(value), r#type: Some(AttributeType::INT), ..Default::default() }
        }
        Attribute::Ints(values) => {
            let (ints, kind) = (values.to_vec(), AttributeType::INTS);
            AttributeProto { name, ints, r#type: Some(kind), ..Default::default() }
        }
        Attribute::Float(value) => {
            AttributeProto { name, f: Some(value), r#type: Some(AttributeType::FLOAT), ..Default::default() }
        }
    }
}
