//! Export of a trained network to ONNX.

use std::path::Path;

use candle_core::Device;
use candle_nn::VarBuilder;
use nc_data::{ImageOptions, ImageShape};
use nc_models::Backbone;
use nc_models::onnx::{Channel, Description, Input, export};
use nc_record::{InputSpec, Resize};
use serde_json::json;

use crate::{
    Error, Result, Trained,
    config::{Experiment, ValidExperiment},
    network::resnet,
    source::image_options,
    stored::Stored,
};

/// A trained network as an ONNX model.
///
/// The input `images` has the pixels of RGB or grey images divided by 255, f32 (N, C, H, W), for any N. Outputs are
/// `logits` (N, K) and `features` (N, P). Normalisation is part of the model.
///
/// Metadata, all text:
///
/// | key | value |
/// |---|---|
/// | `class_names` | JSON array in the order of the logits |
/// | `input_size` | JSON array: H, W |
/// | `mean`, `std` | JSON arrays, one value per channel; already in the model |
/// | `resize` | rule for images of another size: `cover-and-crop` (the largest centred box of the aspect ratio W : H, resampled bilinearly with antialiasing; docs/runs.md has the formula); absent for data sets of one size, such as CIFAR |
/// | `evaluation_transforms` | for streamed images, the rule instead: JSON array of `data.streaming.evaluation`, such as `[{"interpolation":"bilinear","kind":"resize","size":256},{"kind":"center-crop","size":224}]` |
/// | `exif_orientation` | for image files, whether they are turned as their EXIF orientation says: `true` or `false` |
/// | `run_name`, `seed`, `run_hash` | the run; the hash only of finished runs |
/// | `trained_by` | version of the program that trained the network, if recorded |
#[derive(Clone, Debug)]
pub struct OnnxExport {
    /// The model file.
    pub bytes: Vec<u8>,
    /// Input format and class names.
    pub input: InputSpec,
    /// The feature dimension P.
    pub feature_dim: usize,
}

impl OnnxExport {
    /// Exports `checkpoint`: a run directory, or a weights file next to the run's `config.toml`. Needs no images.
    ///
    /// # Errors
    ///
    /// Those of reading the files; [`Error::ConfigChanged`] and [`Error::WeightsChanged`] for files that changed since the
    /// run finished; [`Error::NoInputSpec`] for runs of earlier versions; [`Error::OwnBackbone`] for a custom backbone.
    pub fn of(checkpoint: &Path) -> Result<Self> {
        let experiment = Trained::experiment_of(checkpoint)?;
        if let Some(name) = &experiment.model.own_backbone {
            return Err(Error::OwnBackbone { run: checkpoint.to_owned(), name: name.clone() });
        }
        Self::read(checkpoint, &experiment, resnet(experiment.model.backbone))
    }

    /// Like [`OnnxExport::of`], for a run of [`train_backbone`](crate::train_backbone) with the same `build`. The backbone
    /// must implement [`Backbone::add_to`].
    ///
    /// # Errors
    ///
    /// Those of [`OnnxExport::of`] and `build`; [`nc_models::Error::NotExportable`] for a backbone without `add_to`.
    pub fn of_backbone(
        checkpoint: &Path,
        build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
    ) -> Result<Self> {
        Self::read(checkpoint, &Trained::experiment_of(checkpoint)?, build)
    }

    fn read(
        checkpoint: &Path,
        experiment: &ValidExperiment,
        build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
    ) -> Result<Self> {
        let stored = Stored::read(checkpoint, experiment)?;
        let input = stored.input.clone().ok_or_else(|| Error::NoInputSpec { run: checkpoint.to_owned() })?;
        let InputSpec { channels, height, width, .. } = input;
        let shape = ImageShape { channels, height, width };
        let network = stored.network(experiment, shape, input.classes.len(), &Device::Cpu, build)?;

        let channels = input.mean.iter().zip(&input.std).map(|(&mean, &std)| Channel { mean, std }).collect();
        let metadata = metadata(experiment, &stored, &input);
        let about = Description {
            name: &experiment.name,
            producer: "nclt",
            version: env!("CARGO_PKG_VERSION"),
            metadata: &metadata,
        };
        let bytes = export(network.as_ref(), &Input { channels, height, width }, &about)?;
        Ok(Self { bytes, input, feature_dim: network.feature_dim() })
    }
}

fn metadata(experiment: &Experiment, stored: &Stored, input: &InputSpec) -> Vec<(&'static str, String)> {
    let InputSpec { classes, height, width, resize, mean, std, .. } = input;
    // Finite numbers, as the specification was checked: their debug format is JSON, with the digits of f32.
    let mut entries = vec![
        ("class_names", json!(classes).to_string()),
        ("input_size", json!([height, width]).to_string()),
        ("mean", format!("{mean:?}")),
        ("std", format!("{std:?}")),
    ];
    entries.extend(resize.map(|Resize::CoverAndCrop| ("resize", "cover-and-crop".to_owned())));
    if let Some(streaming) = experiment.data.streaming.as_ref().filter(|one| !one.evaluation.is_empty()) {
        entries.push(("evaluation_transforms", json!(streaming.evaluation).to_string()));
    }
    if experiment.data.source.is_own_images() {
        let ImageOptions { exif_orientation, .. } = image_options(&experiment.data);
        entries.push(("exif_orientation", exif_orientation.to_string()));
    }
    entries.push(("run_name", experiment.name.clone()));
    entries.push(("seed", experiment.seed.to_string()));
    if let Some(result) = &stored.result {
        entries.push(("run_hash", result.run_hash.clone()));
        entries.extend(result.program.iter().map(|program| ("trained_by", program.version.clone())));
    }
    entries
}
