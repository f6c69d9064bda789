//! Messages of `onnx.proto3` with the fields that those of rten-onnx lack: the name of a graph, which ONNX requires, and
//! descriptions of its inputs and outputs.

use rten_onnx::onnx::{GraphProto, ModelProto, ValueInfoProto};
use rten_onnx::protobuf::{EncodeMessage, MessageWriter, ProtobufError, WriteValue};

/// An input or output of a graph.
pub(super) struct Described {
    pub(super) value: ValueInfoProto,
    pub(super) doc: &'static str,
}

impl EncodeMessage for Described {
    fn encode_fields<W: WriteValue>(&self, fields: &mut MessageWriter<'_, W>) -> Result<(), ProtobufError> {
        const DOC_STRING: u64 = 3;
        self.value.encode_fields(fields)?;
        fields.write_string(DOC_STRING, self.doc)
    }
}

/// A graph, of which `graph` has the nodes and constants.
pub(super) struct NamedGraph<'a> {
    pub(super) graph: GraphProto,
    pub(super) name: &'a str,
    pub(super) inputs: Vec<Described>,
    pub(super) outputs: Vec<Described>,
}

impl EncodeMessage for NamedGraph<'_> {
    fn encode_fields<W: WriteValue>(&self, fields: &mut MessageWriter<'_, W>) -> Result<(), ProtobufError> {
        const NAME: u64 = 2;
        const INPUT: u64 = 11;
        const OUTPUT: u64 = 12;
        self.graph.encode_fields(fields)?;
        fields.write_string(NAME, self.name)?;
        fields.write_repeated_message(INPUT, &self.inputs)?;
        fields.write_repeated_message(OUTPUT, &self.outputs)
    }
}

/// A model, of which `model` has all but the graph.
pub(super) struct NamedModel<'a> {
    pub(super) model: ModelProto,
    pub(super) graph: NamedGraph<'a>,
}

impl EncodeMessage for NamedModel<'_> {
    fn encode_fields<W: WriteValue>(&self, fields: &mut MessageWriter<'_, W>) -> Result<(), ProtobufError> {
        const GRAPH: u64 = 7;
        self.model.encode_fields(fields)?;
        fields.write_message(GRAPH, &self.graph)
    }
}
