//! Construction of the network from the configuration.

use candle_core::Device;
use candle_nn::VarBuilder;
use nc_data::ImageShape;
use nc_models::{Backbone, Bilateral, Model, Network, NormalizedFeatures, ParamStore, ResNet, ResNetConfig};

use crate::{
    Result,
    config::{BackboneKind, Branches, Experiment},
};

/// Prefix of the optional layer between backbone and head.
pub(crate) const FEATURE_NORM: &str = "feature_norm";

/// Constructor of `backbone`.
pub(crate) fn resnet(
    backbone: BackboneKind,
) -> impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>> + use<> {
    move |vb, shape| {
        let in_channels = shape.channels;
        let resnet = match backbone.cifar() {
            Some((depth, width)) => ResNet::new(ResNetConfig { depth, in_channels, width }, vb),
            None => ResNet::resnet18(in_channels, vb),
        }?;
        Ok(Box::new(resnet) as Box<dyn Backbone>)
    }
}

/// The initialised network of a run on images of `shape`; `build` makes the backbone of a network with one branch.
pub(crate) fn build_model(
    experiment: &Experiment,
    shape: ImageShape,
    classes: usize,
    device: &Device,
    build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
) -> Result<Box<dyn Network>> {
    let params = ParamStore::new(experiment.seed, device);
    if let (Some(Branches::Bilateral), Some((depth, width))) =
        (experiment.model.branches, experiment.model.backbone.cifar())
    {
        let config = ResNetConfig { depth, in_channels: shape.channels, width };
        return Ok(Box::new(Bilateral::new(params, config, classes)?));
    }
    let mut network = build(&params.builder(), shape)?;
    if experiment.model.normalize_features {
        params.ensure_free(FEATURE_NORM)?;
        network = Box::new(NormalizedFeatures::new(network, &params.builder().pp(FEATURE_NORM))?);
    }
    Ok(Box::new(Model::new(params, network, &experiment.model.head, classes)?))
}
