//! Contrastive methods.

use nc_data::{Interpolation, Transform};
use nc_models::{HeadConfig, ProjectionConfig};

use super::{
    base::{LDAM_DRW, LOGIT_ADJUSTMENT, RECIPE_L},
    data_sets::{DataSet, Photographs, RECIPE_EPOCHS, jitter},
    part::{Part, Sets},
    recipe::Method,
    second_phases,
};
use crate::config::{Contrast, LossViews, Queue, UniformTargets};

/// Projection head of ProCo and BCL.
const PERCEPTRON: ProjectionConfig =
    ProjectionConfig { hidden: 512, batch_norm: true, dims: 128, class_prototypes: false };

/// Projection head of KCL and TSC, with as many hidden units as ResNet-32 has features, and on photographs ResNet-50.
fn square_perceptron(data: &DataSet) -> ProjectionConfig {
    let hidden = if data.photographs.is_some() { 2048 } else { 64 };
    ProjectionConfig { hidden, batch_norm: false, dims: 128, class_prototypes: false }
}

/// The view of the classifier in ProCo and BCL.
fn strong_view(data: &DataSet) -> Vec<Transform> {
    if data.photographs.is_some() {
        return Photographs::STRONG.to_vec();
    }
    vec![
        Transform::Crop { padding: data.crop_padding },
        Transform::AutoAugmentCifar10,
        Transform::Cutout { length: 16 },
    ]
}

/// A random part of the image, then `others`. Streamed photographs are already such parts.
fn random_part(data: &DataSet, smallest_area: f64, others: &[Transform]) -> Vec<Transform> {
    let part =
        Transform::RandomResizedCrop { size: None, smallest_area, interpolation: Interpolation::Bilinear };
    let part = data.photographs.is_none().then_some(part);
    part.into_iter().chain(others.iter().copied()).collect()
}

/// A view of SimCLR without blur.
fn contrast_view(data: &DataSet, smallest_area: f64) -> Vec<Transform> {
    random_part(data, smallest_area, &[jitter(0.1, 0.8), Transform::Grey { probability: 0.2 }])
}

// The authors' code (LeapLabTHU/ProCo); it skips an incomplete last batch, which is trained on here.
pub(super) const PROCO: Method = Method {
    name: "proco",
    description: "ProCo: logit adjustment on one view, probabilistic contrast of two others",
    batch_factor: 2,
    learning_rate: |_| 0.3,
    gamma: 0.1,
    views: |data| vec![strong_view(data), contrast_view(data, 0.08), contrast_view(data, 0.08)],
    loss: LOGIT_ADJUSTMENT.loss,
    contrast: Some(Contrast::Probabilistic { weight: 1.0, temperature: 0.1 }),
    projection: |_| Some(PERCEPTRON),
    ..RECIPE_L
};

/// ProCo's recipe without contrast. The projection is for `nc-embeddings`; without that, it does not learn.
pub(super) const LA_FIRST_OF_THREE_VIEWS: Method = Method {
    name: "la-first-of-three-views",
    description: "logit adjustment on the first of three views: second control of class-mean-contrast",
    weight_decay: 5e-4,
    contrast: None,
    ..PROCO
};

// The supplement of Li et al. 2022, which the authors' code follows but for its default learning rate and batch size.
pub(super) const KCL: Method = Method {
    name: "kcl",
    description: "KCL: supervised contrast with six positives, 1,000 epochs of large batches; then LDAM on the frozen backbone",
    epochs: 5 * RECIPE_EPOCHS,
    batch_factor: 8,
    learning_rate: |_| 0.5,
    weight_decay: 1e-4,
    milestones: None,
    warmup_epochs: 10,
    views: |data| vec![contrast_view(data, 0.2); 2],
    loss_weight: 0.0,
    contrast: Some(contrast_of_batch(None)),
    projection: |data| Some(square_perceptron(data)),
    head: LDAM_DRW.head,
    parts: &[Part::new(
        "ldam-reweighted",
        "then a new classifier with LDAM and class weights on the frozen backbone",
        Sets::SecondPhase(second_phases::ldam_reweighted),
    )],
    ..RECIPE_L
};

/// The linear scaling rule (Goyal et al. 2017) gives the learning rate.
pub(super) const KCL_200: Method = Method {
    name: "kcl-200",
    description: "KCL with 200 epochs in place of 1,000, in smaller batches",
    epochs: RECIPE_EPOCHS,
    batch_factor: 2,
    learning_rate: |_| 0.125,
    ..KCL
};

// The authors' code (bingykang/BalFeat) for ImageNet-LT, with random positives.
pub(super) const KCL_QUEUE: Method = Method {
    name: "kcl-queue",
    description: "KCL against a queue of 65,536 embeddings, then linear evaluation",
    epochs: RECIPE_EPOCHS,
    batch_factor: 2,
    learning_rate: |_| 0.1,
    weight_decay: 5e-4,
    warmup_epochs: 0,
    views: |data| vec![random_part(data, 0.08, &[]); 2],
    contrast: Some(queued(Some(6), None)),
    projection: |data| Some(ProjectionConfig { hidden: 0, ..square_perceptron(data) }),
    head: HeadConfig::Linear,
    parts: &[Part::new(
        "linear-evaluation",
        "then a new classifier at a high learning rate on the frozen backbone",
        Sets::SecondPhase(second_phases::linear_evaluation),
    )],
    ..KCL
};

// The authors published code for ImageNet-LT alone. Weights, temperature and heads on CIFAR are those of CUDA-LTR, learning rate,
// weight decay and its factor those of DBM-BCL (Son et al. 2025). CUDA-LTR also blurs.
pub(super) const BCL: Method = Method {
    name: "bcl",
    description: "balanced contrastive learning: balanced contrast of two views with class prototypes",
    learning_rate: |_| 0.15,
    weight_decay: 5e-4,
    views: |data| vec![strong_view(data), contrast_view(data, 0.2), contrast_view(data, 0.2)],
    loss_weight: 2.0,
    contrast: Some(Contrast::Balanced { weight: 0.6, temperature: 0.1 }),
    projection: |_| Some(ProjectionConfig { class_prototypes: true, ..PERCEPTRON }),
    ..PROCO
};

pub(super) const TSC: Method = Method {
    name: "tsc",
    description: "TSC: KCL with uniform targets from epoch 500 of 1,000, then its second phase",
    contrast: Some(targeted(500)),
    ..KCL
};

pub(super) const TSC_200: Method = Method {
    name: "tsc-200",
    description: "TSC with 200 epochs in place of 1,000, in smaller batches",
    contrast: Some(targeted(100)),
    ..KCL_200
};

pub(super) const FCL: Method = Method {
    name: "fcl",
    description: "supervised contrast against a queue of 65,536 embeddings, then linear evaluation",
    contrast: Some(queued(None, None)),
    ..KCL_QUEUE
};

// A single cosine schedule of 400 epochs, where the authors' code starts a second one with the targets.
pub(super) const TSC_QUEUE: Method = Method {
    name: "tsc-queue",
    description: "TSC against a queue of 65,536 embeddings: targets from epoch 200 of 400",
    epochs: 2 * RECIPE_EPOCHS,
    weight_decay: 1e-4,
    views: |data| vec![random_part(data, 0.08, &[jitter(0.0, 1.0)]); 2],
    contrast: Some(queued(Some(6), Some(UniformTargets { weight: 0.2, from_epoch: 200 }))),
    projection: KCL.projection,
    ..KCL_QUEUE
};

pub(super) const CLASS_MEAN_CONTRAST: Method = Method {
    name: "class-mean-contrast",
    description: "logit adjustment on one view, contrast of two others with averaged class means",
    contrast: Some(Contrast::ClassMeans { weight: 1.0, temperature: 0.1, momentum: 0.99 }),
    ..LA_FIRST_OF_THREE_VIEWS
};

pub(super) const LA_ONE_VIEW: Method = Method {
    name: "la-one-view",
    description: "logit adjustment on one strong view: first control of class-mean-contrast",
    views: |data| vec![strong_view(data)],
    ..LA_FIRST_OF_THREE_VIEWS
};

pub(super) const LA_THREE_VIEWS: Method = Method {
    name: "la-three-views",
    description: "logit adjustment on all three views: third control of class-mean-contrast",
    loss_views: LossViews::All,
    ..LA_FIRST_OF_THREE_VIEWS
};

const fn contrast_of_batch(targets: Option<UniformTargets>) -> Contrast {
    Contrast::Supervised { weight: 1.0, temperature: 0.07, positives: Some(6), targets, queue: None }
}

const fn targeted(from_epoch: usize) -> Contrast {
    contrast_of_batch(Some(UniformTargets { weight: 0.2, from_epoch }))
}

const fn queued(positives: Option<usize>, targets: Option<UniformTargets>) -> Contrast {
    let queue = Some(Queue { size: 65_536, momentum: 0.999 });
    Contrast::Supervised { weight: 1.0, temperature: 0.07, positives, targets, queue }
}
