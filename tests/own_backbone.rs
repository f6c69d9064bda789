//! Training with a custom backbone.

use candle_core::Tensor;
use candle_nn::{Linear, Module, VarBuilder};
use nc_data::ImageShape;
use nc_models::onnx::{Attribute, Graph, Value};
use nc_models::{Backbone, Pass};
use nc_train::{Error, OnnxExport, Profile, RunOptions, Settings, Trained, train_backbone};

/// A perceptron with one hidden layer.
struct Perceptron(Linear);

impl Backbone for Perceptron {
    fn forward(&self, images: &Tensor, _: Pass) -> nc_models::Result<Tensor> {
        Ok(self.0.forward(&images.flatten_from(1)?)?.relu()?)
    }

    fn feature_dim(&self) -> usize {
        32
    }

    fn add_to(&self, graph: &mut Graph, images: &Value) -> nc_models::Result<Value> {
        let weight = graph.constant("hidden.weight", self.0.weight())?;
        let bias = graph.constant("hidden.bias", self.0.bias().expect("the layer has biases"))?;
        let pixels = graph.node("Flatten", "pixels", &[images], &[("axis", Attribute::Int(1))]);
        let affine =
            graph.node("Gemm", "hidden", &[&pixels, &weight, &bias], &[("transB", Attribute::Int(1))]);
        Ok(graph.node("Relu", "hidden.relu", &[&affine], &[]))
    }
}

fn perceptron(vb: &VarBuilder<'_>, shape: ImageShape) -> nc_models::Result<Box<dyn Backbone>> {
    let pixels = shape.channels * shape.height * shape.width;
    Ok(Box::new(Perceptron(candle_nn::linear(pixels, 32, vb.pp("hidden"))?)))
}

#[test]
fn parameter_names_of_the_head_are_rejected() -> anyhow::Result<()> {
    let out = tempfile::tempdir()?;
    let options = RunOptions { out: out.path().into(), ..RunOptions::default() };
    let experiment = Settings::default().resolve()?;
    let error = train_backbone(
        &experiment,
        "perceptron",
        |vb, shape| {
            let pixels = shape.channels * shape.height * shape.width;
            Ok(Box::new(Perceptron(candle_nn::linear(pixels, 32, vb.pp("linear").pp("hidden"))?)))
        },
        &options,
        &mut (),
    );
    assert!(matches!(error, Err(Error::Model(nc_models::Error::NameTaken(_)))), "{error:?}");
    assert_eq!(out.path().read_dir()?.count(), 0);
    Ok(())
}

#[test]
fn a_custom_backbone_trains() -> anyhow::Result<()> {
    let out = tempfile::tempdir()?;
    let options = RunOptions { out: out.path().into(), ..RunOptions::default() };
    let mut experiment = Settings { epochs: Some(5), ..Settings::default() }.resolve()?.into_inner();
    experiment.data.profile = Profile::Exponential { ratio: 10.0, largest: Some(100) };
    let finished = train_backbone(&experiment.try_into()?, "perceptron", perceptron, &options, &mut ())?;
    let accuracy = finished.result.accuracy.top1;
    assert!(accuracy > 0.4, "{accuracy}");
    assert_eq!(finished.result.nc.train.dims, 32);

    // The run opens with the same backbone only, not with the one in the configuration.
    let refused = Trained::open(&finished.directory, &RunOptions::default()).err();
    assert!(matches!(refused, Some(Error::OwnBackbone { name, .. }) if name == "perceptron"));
    let trained = Trained::open_with(&finished.directory, perceptron, &RunOptions::default())?;
    assert_eq!(trained.evaluate()?.accuracy, finished.result.accuracy);
    assert_eq!(trained.features()?.dims, 32);

    let refused = OnnxExport::of(&finished.directory).err();
    assert!(matches!(refused, Some(Error::OwnBackbone { name, .. }) if name == "perceptron"));
    let exported = OnnxExport::of_backbone(&finished.directory, perceptron)?;
    assert_eq!((exported.feature_dim, exported.input.height), (32, 28));
    // Weights and biases of f32: 784 inputs, 32 features, 10 classes.
    assert!(exported.bytes.len() > 4 * (784 * 32 + 32 + 32 * 10 + 10), "{}", exported.bytes.len());
    Ok(())
}
