//! Parts that can be added to methods. Add new parts here.

use nc_data::Transform;

use super::{
    ddc::ddc,
    part::{Part, Sets, first_centers},
    second_phases,
};
use crate::{
    config::{BackboneKind, CenterInit, Centers, DataSource, Reweighting, Space, Uniformity, WithinForm},
    post_hoc::{NearestClassMean, PostHoc, PostHocAdjustment, TauNormalization},
};

pub(super) const NC: Part =
    Part::new("nc", "with L_W + L_B on learnable centres", Sets::NeuralCollapse(|_| {}));

pub(super) const CRT: Part =
    Part::new("crt", "then a new classifier on the frozen backbone", Sets::SecondPhase(second_phases::crt));

pub(super) const MISLAS: Part = Part::new(
    "mislas",
    "then MiSLAS's second phase: logit factors and label-aware smoothing",
    Sets::SecondPhase(second_phases::mislas),
);

pub(super) const POST_HOC_ADJUSTMENT: Part = Part::new(
    "post-hoc-adjustment",
    "then post-hoc logit adjustment",
    Sets::PostHoc(PostHoc::LogitAdjustment(PostHocAdjustment { tau: 1.0 })),
);

pub(super) const AUTO_AUGMENT: Part = Part::new(
    "auto-augment",
    "with AutoAugment's CIFAR-10 policy and Cutout, in the first and later phases",
    Sets::Transforms(&[Transform::AutoAugmentCifar10, Transform::Cutout { length: 16 }]),
);

// The authors of DDC (wang22ti/DDC) chose these radii for cross entropy on CIFAR.
pub(super) const SAM: Part = Part::new(
    "sam",
    "with sharpness-aware minimisation in the first phase",
    Sets::Settings(|phase, data| {
        phase.sam_rho = match (data.constants(), data.imbalance_ratio) {
            (DataSource::Cifar100, ratio) if ratio != Some(10.0) => 0.2,
            _ => 0.1,
        };
    }),
);

pub(super) const WEIGHT_AVERAGE: Part = Part::new(
    "weight-average",
    "with a moving average of the weights, decay 0.999, evaluated beside them",
    Sets::EverySettings(|phase| phase.weight_average = Some(0.999)),
);

/// All parts.
pub(super) const PARTS: &[Part] = &[
    NC,
    Part::new(
        "nc-batch-means",
        "with L_W + L_B on the class means of the batch",
        Sets::NeuralCollapse(|nc| nc.centers = Centers::BatchMeans),
    ),
    Part::new(
        "nc-moving-average",
        "with L_W + L_B on moving averages of the class means",
        Sets::NeuralCollapse(|nc| {
            nc.centers = Centers::MovingAverage { momentum: 0.9, init: first_centers(nc.start_epoch) };
        }),
    ),
    Part::new(
        "nc-embeddings",
        "with L_W + L_B on the embeddings of a projection head, on moving averages",
        Sets::NeuralCollapse(|nc| {
            nc.space = Space::Embeddings;
            // Learnable centres start with class means that almost coincide, where the gradient of L_B is large.
            nc.centers = Centers::MovingAverage { momentum: 0.9, init: CenterInit::ClassMeans };
        }),
    ),
    Part::new(
        "within-class",
        "with L_W alone, on learnable centres",
        Sets::NeuralCollapse(|nc| nc.between_weight = 0.0),
    ),
    Part::new(
        "between-class",
        "with L_B alone, on the class means of the batch",
        Sets::NeuralCollapse(|nc| (nc.within_weight, nc.centers) = (0.0, Centers::BatchMeans)),
    ),
    Part::new(
        "center-loss",
        "with centre loss",
        Sets::NeuralCollapse(|nc| (nc.within_form, nc.between_weight) = (WithinForm::BySample, 0.0)),
    ),
    Part::new(
        "center-loss-between-class",
        "with centre loss + L_B on learnable centres",
        Sets::NeuralCollapse(|nc| nc.within_form = WithinForm::BySample),
    ),
    CRT,
    Part::new(
        "lws",
        "then one factor per logit, on frozen backbone and classifier",
        Sets::SecondPhase(second_phases::lws),
    ),
    MISLAS,
    Part::new(
        "tau-norm",
        "then tau-normalisation with tau 1: equal norms of class directions",
        Sets::PostHoc(PostHoc::TauNormalization(TauNormalization { tau: Some(1.0) })),
    ),
    Part::new(
        "ncm",
        "then the nearest-class-mean classifier",
        Sets::PostHoc(PostHoc::NearestClassMean(NearestClassMean {})),
    ),
    POST_HOC_ADJUSTMENT,
    AUTO_AUGMENT,
    Part::new(
        "rand-augment",
        "with RandAugment: two of 15 operations at magnitude 10",
        Sets::Transforms(&[Transform::RandAugment {
            layers: 2,
            magnitude: 10.0,
            deviation: 0.5,
            fill: [124, 116, 104],
        }]),
    ),
    Part::new(
        "rotation",
        "with random rotation by up to 15 degrees",
        Sets::Transforms(&[Transform::Rotation { degrees: 15.0 }]),
    ),
    SAM,
    WEIGHT_AVERAGE,
    Part::new(
        "adrw",
        "with aligned deferred re-weighting: weights by a power of the class size from four fifths of the first phase on",
        Sets::Reweighting(|phase, data| Reweighting::InversePower {
            exponent: ddc(data).adrw.exponent,
            from_epoch: phase.epochs * 4 / 5,
        }),
    ),
    Part::new(
        "uniformity",
        "with uniformity of the class directions, weight 0.1, in the first phase",
        Sets::Settings(|phase, _| {
            phase.objective.uniformity = Some(Uniformity { weight: 0.1, sharpness: 10.0 });
        }),
    ),
    // The weight decay in the paper's text is ten times that of its code.
    Part::new(
        "paper-text",
        "with the weight decay 5e-3 of the paper's text in the first phase",
        Sets::Settings(|phase, _| *phase.optimizer.weight_decay_mut() = 5e-3),
    ),
    Part::new(
        "resnet18",
        "with ResNet-18 (64 to 512 channels) in place of the data set's backbone",
        Sets::Network(BackboneKind::ResNet18),
    ),
    Part::new(
        "resnet50",
        "with ResNet-50 in place of the data set's backbone",
        Sets::Network(BackboneKind::ResNet50),
    ),
];
