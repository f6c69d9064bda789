//! Other networks than the data set's own.

use super::{Part, Sets};
use crate::BackboneKind;

pub(super) const PARTS: &[Part] = &[Part {
    name: "resnet18",
    description: "with a ResNet-18 (64 to 512 channels) in place of the data set's network",
    sets: Sets::Network,
    add: |experiment, _| experiment.model.backbone = BackboneKind::ResNet18,
}];
