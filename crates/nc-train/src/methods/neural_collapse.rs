//! The paper's method: L_W and L_B, with the weights and the start epoch of its Table 1, and the parts of its ablation.

use super::{Method, Part, Sets, crt::CRT, deferred_reweighting::CE_DRW_MIXUP};
use crate::{BetweenForm, CenterInit, Centers, Experiment, NeuralCollapse, WithinForm, presets::Data};

fn add(experiment: &mut Experiment, data: &Data, change: impl FnOnce(&mut NeuralCollapse)) {
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

/// Features that have learnt something have class means to start from.
fn first_centers(data: &Data) -> CenterInit {
    let (_, _, start_epoch) = data.neural_collapse;
    if start_epoch > 0 { CenterInit::ClassMeans } else { CenterInit::Normal }
}

const NC: Part = Part {
    name: "nc",
    description: "with L_W + L_B on learnable centres",
    sets: Sets::NeuralCollapse,
    add: |experiment, data| add(experiment, data, |_| {}),
};

pub(super) const PARTS: &[Part] = &[
    NC,
    Part {
        name: "nc-batch-means",
        description: "with L_W + L_B on the class means of the batch",
        sets: Sets::NeuralCollapse,
        add: |experiment, data| add(experiment, data, |nc| nc.centers = Centers::BatchMeans),
    },
    Part {
        name: "nc-moving-average",
        description: "with L_W + L_B on moving averages of the class means",
        sets: Sets::NeuralCollapse,
        add: |experiment, data| {
            add(experiment, data, |nc| {
                nc.centers = Centers::MovingAverage { momentum: 0.9, init: first_centers(data) };
            });
        },
    },
    Part {
        name: "within-class",
        description: "with L_W alone, on learnable centres",
        sets: Sets::NeuralCollapse,
        add: |experiment, data| add(experiment, data, |nc| nc.between_weight = 0.0),
    },
    Part {
        name: "between-class",
        description: "with L_B alone, on the class means of the batch",
        sets: Sets::NeuralCollapse,
        add: |experiment, data| {
            add(experiment, data, |nc| {
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
            add(experiment, data, |nc| {
                nc.within_form = WithinForm::BySample;
                nc.between_weight = 0.0;
            });
        },
    },
    Part {
        name: "center-loss-between-class",
        description: "with centre loss + L_B on learnable centres",
        sets: Sets::NeuralCollapse,
        add: |experiment, data| add(experiment, data, |nc| nc.within_form = WithinForm::BySample),
    },
];

const NC_DRW: Method = Method {
    name: "nc-drw",
    description: "L_W + L_B with deferred re-weighting and mix-up (the paper's NC-DRW)",
    parts: &[NC],
    ..CE_DRW_MIXUP
};

pub(super) const METHODS: &[Method] = &[
    NC_DRW,
    Method {
        name: "nc-drw-crt",
        description: "NC-DRW, then the classifier retrained (the paper's NC-DRW-cRT)",
        parts: &[NC, CRT],
        ..NC_DRW
    },
];
