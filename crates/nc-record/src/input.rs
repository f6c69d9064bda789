use std::collections::HashMap;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

/// Input format and class names of a trained network, stored in `result.json` and in the metadata of the weights. With
/// it, a run can be evaluated without its training images.
///
/// Images are normalised as (pixel / 255 - mean) / std, per channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    /// Class names in the order of the logits (K).
    pub classes: Vec<String>,
    /// Channels C: 3 for colour, 1 for grey.
    pub channels: usize,
    /// Height H in pixels.
    pub height: usize,
    /// Width W in pixels.
    pub width: usize,
    /// Resize rule for images that are not H x W; none if all training images had this size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<Resize>,
    /// Mean of each channel, in units of pixel / 255 (C).
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in units of pixel / 255 (C).
    pub std: Vec<f32>,
}

/// How an image is resized to the network's input size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Resize to the smallest size that covers H x W (bilinear, antialiased), then centre-crop.
    CoverAndCrop,
}

/// Metadata key in a weights file.
const KEY: &str = "input";

impl InputSpec {
    /// Adds this specification to the metadata of `weights` (safetensors), as JSON under the key `input`.
    ///
    /// # Errors
    ///
    /// If `weights` is not a safetensors file.
    pub fn add_to(&self, weights: &[u8]) -> Result<Vec<u8>, safetensors::SafeTensorError> {
        let text = serde_json::to_string(self)?;
        let file = SafeTensors::deserialize(weights)?;
        safetensors::serialize(file.tensors(), Some(HashMap::from([(KEY.to_owned(), text)])))
    }

    /// Reads the specification from the metadata of `weights`; none in files of earlier versions or other programs.
    ///
    /// # Errors
    ///
    /// If `weights` is not a safetensors file or its metadata entry `input` is invalid.
    pub fn of_weights(weights: &[u8]) -> Result<Option<Self>, String> {
        let (_, header) = SafeTensors::read_metadata(weights).map_err(|error| error.to_string())?;
        let Some(text) = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY)) else {
            return Ok(None);
        };
        let spec: Self = serde_json::from_str(text).map_err(|error| format!("metadata {KEY:?}: {error}"))?;
        spec.check().map_err(|reason| format!("metadata {KEY:?}: {reason}"))?;
        Ok(Some(spec))
    }

    /// Checks lengths and value ranges.
    ///
    /// # Errors
    ///
    /// The first violation, with the field's name.
    pub fn check(&self) -> Result<(), String> {
        let (mean, std) = (&self.mean, &self.std);
        if self.classes.is_empty() {
            return Err("classes: expected at least one name".into());
        }
        if let Some((index, name)) =
            self.classes.iter().enumerate().find(|(index, name)| self.classes[..*index].contains(name))
        {
            return Err(format!("classes[{index}]: duplicate class name {name:?}"));
        }
        if ![1, 3].contains(&self.channels) || self.height == 0 || self.width == 0 {
            let (channels, height, width) = (self.channels, self.height, self.width);
            return Err(format!("expected a CxHxW shape with C = 1 or 3, found {channels}x{height}x{width}"));
        }
        if mean.len() != self.channels || std.len() != self.channels {
            return Err(format!(
                "mean and std: expected {} values each, found {} and {}",
                self.channels,
                mean.len(),
                std.len()
            ));
        }
        if !mean.iter().all(|mean| mean.is_finite()) || !std.iter().all(|std| std.is_finite() && *std > 0.0) {
            return Err(format!("expected finite mean and positive std, found {mean:?} and {std:?}"));
        }
        Ok(())
    }
}
