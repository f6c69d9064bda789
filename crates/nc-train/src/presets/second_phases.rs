//! Second phases of presets.

use nc_data::Sampler;

use super::{
    data_sets::DataSet,
    ddc::{Adrw, Ddc, ddc},
};
use crate::{
    config::{
        DataSource, Decay, FrozenBatchNorm, Objective, OptimizerConfig, Phase, Reweighting, Schedule,
        SgdConfig, Trains,
    },
    losses::{Counts, CrossEntropy, LabelAwareSmoothing, Ldam, LogitAdjustment, SupervisedLoss},
};

/// Classifier retraining (cRT, Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition",
/// ICLR 2020): 10 epochs of a new classifier on the frozen backbone with class-balanced sampling, after 200 epochs.
pub(super) fn crt(data: &DataSet) -> Phase {
    Phase {
        name: "classifier".into(),
        epochs: 10,
        batch_size: data.batch_size(),
        trains: Trains::NewClassifier,
        batch_norm: FrozenBatchNorm::Running,
        sampler: Sampler::ClassBalanced,
        second_sampler: None,
        views: vec![],
        mixup_alpha: 0.0,
        sam_rho: 0.0,
        limit_learning_rate: true,
        weight_average: None,
        objective: Objective::supervised(
            SupervisedLoss::CrossEntropy(CrossEntropy { label_smoothing: 0.0 }),
            Reweighting::None,
        ),
        optimizer: OptimizerConfig::Sgd(SgdConfig {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: false,
            weight_decay: data.photographs.map_or(5e-4, |photographs| photographs.weight_decay),
            clip_norm: None,
        }),
        schedule: Schedule { decay: Decay::Cosine, warmup_epochs: 0, warmup_start: 0.0 },
    }
}

/// Learnable weight scaling (LWS, Kang et al. 2020, section 4.2): one factor per logit, on frozen backbone and
/// classifier with class-balanced sampling.
pub(super) fn lws(data: &DataSet) -> Phase {
    Phase { trains: Trains::LogitScale, epochs: 5, ..crt(data) }
}

/// The second phase of KCL and TSC on CIFAR (supplement of Li et al., "Targeted Supervised Contrastive Learning for
/// Long-Tailed Recognition", CVPR 2022): 200 epochs of a new classifier on the frozen backbone with LDAM and class weights.
pub(super) fn ldam_reweighted(data: &DataSet) -> Phase {
    let first = crt(data);
    Phase {
        epochs: 200,
        sampler: Sampler::Uniform,
        objective: Objective::supervised(
            SupervisedLoss::Ldam(Ldam { max_margin: 0.5 }),
            Reweighting::EffectiveNumber { beta: 0.9999, from_epoch: 0 },
        ),
        schedule: Schedule {
            decay: Decay::MultiStep { milestones: vec![140, 180, 190], gamma: 0.1 },
            ..first.schedule
        },
        ..first
    }
}

/// The second phase of KCL, TSC and FCL on ImageNet-LT, as in the code of TSC (LTH14/targeted-supcon).
pub(super) fn linear_evaluation(data: &DataSet) -> Phase {
    let first = crt(data);
    Phase {
        epochs: 40,
        batch_size: 16 * data.batch_size,
        // The bound allows at most 7.6.
        limit_learning_rate: false,
        optimizer: OptimizerConfig::Sgd(SgdConfig {
            learning_rate: if data.name == "inaturalist18" { 30.0 } else { 10.0 },
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
            clip_norm: None,
        }),
        schedule: Schedule {
            decay: Decay::MultiStep { milestones: vec![20, 30], gamma: 0.1 },
            ..first.schedule
        },
        ..first
    }
}

/// The last 80 of 400 epochs of VS loss with ADRW (Wang et al., "A Unified Generalization Analysis of Re-Weighting and
/// Logit-Adjustment for Imbalanced Learning", NeurIPS 2023), with the constants of the authors' code.
pub(super) fn adrw(data: &DataSet) -> Phase {
    let Ddc { weight_decay, adrw: Adrw { rho: [_, rho], exponent, tau }, .. } = ddc(data);
    Phase {
        name: "re-weighting".into(),
        epochs: 80,
        trains: Trains::Everything,
        sampler: Sampler::Uniform,
        sam_rho: rho,
        objective: Objective::supervised(
            SupervisedLoss::LogitAdjustment(LogitAdjustment { tau, counts: Counts::Training }),
            Reweighting::InversePower { exponent, from_epoch: 0 },
        ),
        optimizer: OptimizerConfig::Sgd(SgdConfig {
            learning_rate: 0.001,
            momentum: 0.9,
            nesterov: false,
            weight_decay,
            clip_norm: None,
        }),
        schedule: Schedule {
            decay: Decay::MultiStep { milestones: vec![40], gamma: 0.01 },
            warmup_epochs: 0,
            warmup_start: 0.0,
        },
        ..crt(data)
    }
}

/// Published constants of MiSLAS, tuned per data set: learning-rate factor of the classifier, and smoothing of the
/// largest and smallest class.
fn mislas_constants(data: &DataSet) -> (f64, f64, f64) {
    match (data.constants(), data.imbalance_ratio) {
        _ if data.name == "places-lt" => (0.05, 0.4, 0.1),
        _ if data.photographs.is_some() => (0.05, 0.3, 0.0),
        (DataSource::Cifar100, Some(10.0)) => (0.1, 0.2, 0.0),
        (DataSource::Cifar100, _) => (0.2, 0.4, 0.1),
        (_, Some(10.0)) => (0.2, 0.1, 0.0),
        _ => (0.5, 0.3, 0.0),
    }
}

/// The second phase of MiSLAS (Zhong et al., CVPR 2021): the classifier at a low learning rate with one factor per
/// logit, label-aware smoothing and, on CIFAR-100 and photographs, shifting batch norm.
pub(super) fn mislas(data: &DataSet) -> Phase {
    let (classifier_rate, head, tail) = mislas_constants(data);
    let first = crt(data);
    Phase {
        // Published with shifting batch norm on all data except CIFAR-10; data without published constants use
        // CIFAR-10's.
        trains: Trains::ScaledClassifier {
            classifier_rate,
            shift_batch_norm: data.constants() == DataSource::Cifar100 || data.photographs.is_some(),
        },
        objective: Objective {
            loss: SupervisedLoss::LabelAwareSmoothing(LabelAwareSmoothing { head, tail }),
            ..first.objective
        },
        ..first
    }
}
