//! Construction of the network from the configuration.

use candle_core::Device;
use candle_nn::VarBuilder;
use nc_data::ImageShape;
use nc_models::{Backbone, Model, NormalizedFeatures, ParamStore, ResNet, ResNetConfig};

use crate::{
    Result,
    config::{BackboneKind, Experiment},
};

/// Prefix of the optional layer between backbone and head.
pub(crate) const FEATURE_NORM: &str = "feature_norm";

/// Constructor of `backbone`.
pub(crate) fn resnet(
    backbone: BackboneKind,
) -> impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>> + use<> {
    move |vb, shape| {
        let in_channels = shape.channels;
        let cifar = |depth, width| ResNet::new(ResNetConfig { depth, in_channels, width }, vb);
        let resnet = match backbone {
            BackboneKind::ResNet8 => cifar(8, 1),
            BackboneKind::ResNet20 => cifar(20, 1),
            BackboneKind::ResNet32 => cifar(32, 1),
            BackboneKind::ResNet44 => cifar(44, 1),
            BackboneKind::ResNet56 => cifar(56, 1),
            BackboneKind::WideResNet32 => cifar(32, 2),
            BackboneKind::ResNet18 => ResNet::resnet18(in_channels, vb),
        }?;
        Ok(Box::new(resnet) as Box<dyn Backbone>)
    }
}

/// The initialised network of a run on images of `shape`.
pub(crate) fn build_model(
    experiment: &Experiment,
    shape: ImageShape,
    classes: usize,
    device: &Device,
    build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
) -> Result<Model> {
    let params = ParamStore::new(experiment.seed, device);
    let mut network = build(&params.builder(), shape)?;
    if experiment.model.normalize_features {
        params.ensure_free(FEATURE_NORM)?;
        network = Box::new(NormalizedFeatures::new(network, &params.builder().pp(FEATURE_NORM))?);
    }
    Ok(Model::new(params, network, &experiment.model.head, classes)?)
}
