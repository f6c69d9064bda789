//! A backbone of one's own in the trainer.

use candle_core::Tensor;
use candle_nn::{Linear, Module};
use nc_models::{Backbone, Pass};
use nc_train::{Error, Profile, RunOptions, Settings, train_backbone};

/// One hidden layer on the pixels.
struct Perceptron(Linear);

impl Backbone for Perceptron {
    fn forward(&self, images: &Tensor, _: Pass) -> nc_models::Result<Tensor> {
        Ok(self.0.forward(&images.flatten_from(1)?)?.relu()?)
    }

    fn feature_dim(&self) -> usize {
        32
    }
}

#[test]
fn names_of_the_head_are_refused() -> anyhow::Result<()> {
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
fn a_backbone_of_ones_own_trains() -> anyhow::Result<()> {
    let out = tempfile::tempdir()?;
    let options = RunOptions { out: out.path().into(), ..RunOptions::default() };
    let mut experiment = Settings { epochs: Some(5), ..Settings::default() }.resolve()?;
    experiment.data.profile = Profile::Exponential { ratio: 10.0, largest: Some(100) };
    let finished = train_backbone(
        &experiment,
        "perceptron",
        |vb, shape| {
            let pixels = shape.channels * shape.height * shape.width;
            Ok(Box::new(Perceptron(candle_nn::linear(pixels, 32, vb.pp("hidden"))?)))
        },
        &options,
        &mut (),
    )?;
    let accuracy = finished.result.accuracy.top1;
    assert!(accuracy > 0.4, "{accuracy}");
    assert_eq!(finished.result.nc.train.dims, 32);
    Ok(())
}
