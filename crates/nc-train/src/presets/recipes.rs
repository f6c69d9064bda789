//! Methods and parts of the presets, relative to a common recipe. Add new presets here.

use nc_data::Sampler;
use nc_losses::BetweenForm;
use nc_models::HeadConfig;

use super::{
    data_sets::DataSet,
    recipe::{Method, Part, Sets},
    second_phases,
};
use crate::{
    config::{BackboneKind, CenterInit, Centers, Experiment, NeuralCollapse, Reweighting, WithinForm},
    losses::{
        ClassBalancedDotRegression, Counts, CrossEntropy, DotRegression, Focal, Ldam, LogitAdjustment,
        MeanSquaredError, SupervisedLoss,
    },
    post_hoc::{NearestClassMean, PostHoc, PostHocAdjustment, TauNormalization},
};

/// Cross entropy in LDAM's recipe (Cao et al. 2019).
const RECIPE_L: Method = Method {
    name: "ce",
    description: "cross entropy",
    weight_decay: 2e-4,
    gamma: 0.01,
    mixup: false,
    sampler: Sampler::Uniform,
    loss: SupervisedLoss::CrossEntropy(CrossEntropy { label_smoothing: 0.0 }),
    reweighting: Reweighting::None,
    head: HeadConfig::Linear,
    normalize_features: false,
    parts: &[],
};

/// Cross entropy in the recipe of the mix-up methods (MiSLAS, Zhong et al. 2021, and the paper).
const RECIPE_M: Method = Method {
    name: "ce-mixup",
    description: "cross entropy with mix-up",
    weight_decay: 5e-4,
    gamma: 0.1,
    mixup: true,
    ..RECIPE_L
};

/// Published beta of effective numbers (Cui et al. 2019).
const BETA: f64 = 0.9999;

/// Deferred re-weighting (DRW, Cao et al. 2019): class weights from epoch 160 of 200.
const DRW: Reweighting = Reweighting::EffectiveNumber { beta: BETA, from_epoch: 160 };

const CE_DRW_MIXUP: Method = Method {
    name: "ce-drw-mixup",
    description: "cross entropy with deferred re-weighting and mix-up: NC-DRW without NC",
    reweighting: DRW,
    ..RECIPE_M
};

const LOGIT_ADJUSTMENT: Method = Method {
    name: "logit-adjustment",
    description: "logit-adjusted cross entropy",
    loss: SupervisedLoss::LogitAdjustment(LogitAdjustment { tau: 1.0, counts: Counts::Training }),
    mixup: false,
    ..RECIPE_M
};

const ETF_DR: Method = Method {
    name: "etf-dr",
    description: "dot regression on a fixed ETF, with mix-up",
    gamma: 0.1,
    mixup: true,
    loss: SupervisedLoss::DotRegression(DotRegression {}),
    head: HeadConfig::Etf,
    normalize_features: true,
    ..RECIPE_L
};

const NC_DRW: Method = Method {
    name: "nc-drw",
    description: "L_W + L_B with deferred re-weighting and mix-up (the paper's NC-DRW)",
    parts: &[NC],
    ..CE_DRW_MIXUP
};

/// All methods.
pub(super) const METHODS: &[Method] = &[
    RECIPE_L,
    RECIPE_M,
    Method {
        name: "ce-rs",
        description: "cross entropy, images sampled by the inverse effective number of their class",
        sampler: Sampler::EffectiveNumber { beta: BETA },
        ..RECIPE_L
    },
    Method {
        name: "ce-rs-inverse",
        description: "cross entropy, each class sampled with equal probability",
        sampler: Sampler::ClassBalanced,
        ..RECIPE_L
    },
    // Kang et al. 2020, section 4.
    Method {
        name: "ce-progressive",
        description: "cross entropy, sampling from image-balanced to class-balanced",
        sampler: Sampler::Progressive,
        ..RECIPE_L
    },
    Method {
        name: "ce-rw",
        description: "cross entropy weighted by the inverse effective number",
        reweighting: Reweighting::EffectiveNumber { beta: BETA, from_epoch: 0 },
        ..RECIPE_L
    },
    Method {
        name: "ce-rw-inverse",
        description: "cross entropy weighted by 1/n_k",
        reweighting: Reweighting::InverseFrequency { from_epoch: 0 },
        ..RECIPE_L
    },
    Method {
        name: "ce-drw",
        description: "cross entropy with deferred re-weighting",
        reweighting: DRW,
        ..RECIPE_L
    },
    CE_DRW_MIXUP,
    Method {
        name: "focal",
        description: "focal loss, gamma 1",
        loss: SupervisedLoss::Focal(Focal { gamma: 1.0 }),
        ..RECIPE_L
    },
    // The softmax form of Cui et al. 2019.
    Method {
        name: "cb-focal",
        description: "class-balanced focal loss: gamma 1, weighted by the inverse effective number",
        loss: SupervisedLoss::Focal(Focal { gamma: 1.0 }),
        reweighting: Reweighting::EffectiveNumber { beta: BETA, from_epoch: 0 },
        ..RECIPE_L
    },
    Method {
        name: "ldam-drw",
        description: "LDAM on a cosine classifier with deferred re-weighting",
        loss: SupervisedLoss::Ldam(Ldam { max_margin: 0.5 }),
        head: HeadConfig::Cosine { scale: 30.0 },
        reweighting: DRW,
        ..RECIPE_L
    },
    LOGIT_ADJUSTMENT,
    Method {
        name: "logit-adjustment-post-hoc",
        description: "cross entropy with post-hoc logit adjustment",
        mixup: false,
        parts: &[POST_HOC_ADJUSTMENT],
        ..RECIPE_M
    },
    Method {
        name: "balanced-softmax",
        description: "logit adjustment with mix-up: balanced softmax, or ARB-Loss with training counts",
        mixup: true,
        ..LOGIT_ADJUSTMENT
    },
    Method {
        name: "arb",
        description: "attraction-repulsion-balanced loss with batch counts and mix-up",
        loss: SupervisedLoss::LogitAdjustment(LogitAdjustment { tau: 1.0, counts: Counts::Batch }),
        ..RECIPE_M
    },
    ETF_DR,
    Method {
        name: "etf-dr-class-balanced",
        description: "dot regression on a fixed ETF, averaged per class of the batch, with mix-up",
        loss: SupervisedLoss::ClassBalancedDotRegression(ClassBalancedDotRegression {}),
        ..ETF_DR
    },
    Method {
        name: "mse",
        description: "squared error, mean over images and classes",
        loss: SupervisedLoss::MeanSquaredError(MeanSquaredError { halved_sum: false }),
        ..RECIPE_L
    },
    Method {
        name: "mse-paper",
        description: "squared error, half the sum over classes",
        loss: SupervisedLoss::MeanSquaredError(MeanSquaredError { halved_sum: true }),
        ..RECIPE_L
    },
    Method {
        name: "mislas",
        description: "cross entropy with mix-up, then MiSLAS's second phase",
        parts: &[MISLAS],
        ..RECIPE_M
    },
    NC_DRW,
    Method {
        name: "nc-drw-crt",
        description: "NC-DRW, then classifier retraining (the paper's NC-DRW-cRT)",
        parts: &[NC, CRT],
        ..NC_DRW
    },
];

const NC: Part = Part {
    name: "nc",
    description: "with L_W + L_B on learnable centres",
    sets: Sets::NeuralCollapse,
    add: |experiment, data| add_neural_collapse(experiment, data, |_| {}),
};

const CRT: Part = Part {
    name: "crt",
    description: "then a new classifier on the frozen backbone",
    sets: Sets::SecondPhase,
    add: |experiment, data| experiment.phases.push(second_phases::crt(data)),
};

const MISLAS: Part = Part {
    name: "mislas",
    description: "then MiSLAS's second phase: logit factors and label-aware smoothing",
    sets: Sets::SecondPhase,
    add: |experiment, data| experiment.phases.push(second_phases::mislas(data)),
};

const POST_HOC_ADJUSTMENT: Part = Part {
    name: "post-hoc-adjustment",
    description: "then post-hoc logit adjustment",
    sets: Sets::PostHoc,
    add: |experiment, _| {
        experiment.post_hoc = Some(PostHoc::LogitAdjustment(PostHocAdjustment { tau: 1.0 }));
    },
};

/// All parts.
pub(super) const PARTS: &[Part] = &[
    NC,
    Part {
        name: "nc-batch-means",
        description: "with L_W + L_B on the class means of the batch",
        sets: Sets::NeuralCollapse,
        add: |experiment, data| add_neural_collapse(experiment, data, |nc| nc.centers = Centers::BatchMeans),
    },
    Part {
        name: "nc-moving-average",
        description: "with L_W + L_B on moving averages of the class means",
        sets: Sets::NeuralCollapse,
        add: |experiment, data| {
            add_neural_collapse(experiment, data, |nc| {
                nc.centers = Centers::MovingAverage { momentum: 0.9, init: first_centers(data) };
            });
        },
    },
    Part {
        name: "within-class",
        description: "with L_W alone, on learnable centres",
        sets: Sets::NeuralCollapse,
        add: |experiment, data| add_neural_collapse(experiment, data, |nc| nc.between_weight = 0.0),
    },
    Part {
        name: "between-class",
        description: "with L_B alone, on the class means of the batch",
        sets: Sets::NeuralCollapse,
        add: |experiment, data| {
            add_neural_collapse(experiment, data, |nc| {
                nc.within_weight = 0.0;
                nc.centers = Centers::BatchMeans;
            });
        },
    },
    Part {
        name: "center-loss",
        description: "with centre loss",
        sets: Sets::NeuralCollapse,
        add: |experiment, data| {
            add_neural_collapse(experiment, data, |nc| {
                nc.within_form = WithinForm::BySample;
                nc.between_weight = 0.0;
            });
        },
    },
    Part {
        name: "center-loss-between-class",
        description: "with centre loss + L_B on learnable centres",
        sets: Sets::NeuralCollapse,
        add: |experiment, data| {
            add_neural_collapse(experiment, data, |nc| nc.within_form = WithinForm::BySample);
        },
    },
    CRT,
    Part {
        name: "lws",
        description: "then one factor per logit, on frozen backbone and classifier",
        sets: Sets::SecondPhase,
        add: |experiment, data| experiment.phases.push(second_phases::lws(data)),
    },
    MISLAS,
    Part {
        name: "tau-norm",
        description: "then tau-normalisation with tau 1: equal norms of class directions",
        sets: Sets::PostHoc,
        add: |experiment, _| {
            experiment.post_hoc = Some(PostHoc::TauNormalization(TauNormalization { tau: Some(1.0) }));
        },
    },
    Part {
        name: "ncm",
        description: "then the nearest-class-mean classifier",
        sets: Sets::PostHoc,
        add: |experiment, _| {
            experiment.post_hoc = Some(PostHoc::NearestClassMean(NearestClassMean {}));
        },
    },
    POST_HOC_ADJUSTMENT,
    // The weight decay in the paper's text is ten times that of its code.
    Part {
        name: "paper-text",
        description: "with the weight decay 5e-3 of the paper's text in the first phase",
        sets: Sets::Settings,
        add: |experiment, _| {
            if let Some(phase) = experiment.phases.first_mut() {
                phase.optimizer.weight_decay = 5e-3;
            }
        },
    },
    Part {
        name: "resnet18",
        description: "with ResNet-18 (64 to 512 channels) in place of the data set's backbone",
        sets: Sets::Network,
        add: |experiment, _| experiment.model.backbone = BackboneKind::ResNet18,
    },
];

fn add_neural_collapse(
    experiment: &mut Experiment,
    data: &DataSet,
    change: impl FnOnce(&mut NeuralCollapse),
) {
    let (within_weight, between_weight, start_epoch) = data.neural_collapse;
    let mut neural_collapse = NeuralCollapse {
        within_weight,
        within_form: WithinForm::ByClass,
        between_weight,
        between_form: BetweenForm::MeanMinAngle,
        start_epoch,
        centers: Centers::Learnable { learning_rate: 0.5, init: first_centers(data) },
    };
    change(&mut neural_collapse);
    if let Some(phase) = experiment.phases.first_mut() {
        phase.objective.neural_collapse = Some(neural_collapse);
    }
}

/// Class means only if the centres start after the first epoch, when the features are trained.
fn first_centers(data: &DataSet) -> CenterInit {
    let (_, _, start_epoch) = data.neural_collapse;
    if start_epoch > 0 { CenterInit::ClassMeans } else { CenterInit::Normal }
}
