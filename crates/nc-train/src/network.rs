//! Construction of the network from the configuration.

use candle_core::Device;
use candle_nn::VarBuilder;
use nc_data::ImageShape;
use nc_models::{
    Backbone, Bilateral, Experts, ExpertsConfig, Model, Network, NormalizedFeatures, ParamStore, ResNet,
};

use crate::{
    Result,
    config::{BackboneKind, Branches, Experiment},
    error::ensure,
};

/// Prefix of the optional layer between backbone and head.
pub(crate) const FEATURE_NORM: &str = "feature_norm";

/// Constructor of `backbone`.
pub(crate) fn resnet(
    backbone: BackboneKind,
) -> impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>> + use<> {
    move |vb, shape| Ok(Box::new(ResNet::new(backbone.config(shape.channels)?, vb)?) as Box<dyn Backbone>)
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
    let model = &experiment.model;
    if let Some(branches) = model.branches {
        let resnet = model.backbone.config(shape.channels)?;
        return Ok(match branches {
            Branches::Bilateral => Box::new(Bilateral::new(params, resnet, classes)?),
            Branches::Experts { count, reduce_dimension } => {
                let config = ExpertsConfig { resnet, experts: count, reduce_dimension, head: model.head };
                Box::new(Experts::new(params, &config, classes)?)
            }
        });
    }
    let mut network = build(&params.builder(), shape)?;
    if model.normalize_features {
        params.ensure_free(FEATURE_NORM)?;
        network = Box::new(NormalizedFeatures::new(network, &params.builder().pp(FEATURE_NORM))?);
    }
    let network = Model::new(params, network, &model.head, classes)?;
    if let Some(projection) = model.projection {
        let degenerate = projection.class_prototypes && projection.batch_norm && classes < 3;
        ensure(!degenerate, "model.projection.batch_norm", || {
            format!(
                "batch norm of class prototypes requires at least 3 classes, found {classes}; set it to false"
            )
        })?;
    }
    Ok(Box::new(match model.projection {
        Some(projection) => network.with_projection(projection)?,
        None => network,
    }))
}
