//! The strongest published recipes for a single network, and their ingredients.

use nc_losses::DifficultSamples;
use nc_models::HeadConfig;

use super::{
    base::{LOGIT_ADJUSTMENT, RECIPE_L},
    data_sets::RECIPE_EPOCHS,
    ddc::{Ddc, ddc},
    part::{Part, Sets},
    parts::{AUTO_AUGMENT, WEIGHT_AVERAGE},
    recipe::Method,
    second_phases,
};
use crate::{
    config::{DataSource, Decay},
    losses::{DifficultyMargin, SupervisedLoss, VectorScaling},
};

// The authors' code of DBM (quotation2520/dbm_ltr), whose cosine schedule begins after the warm-up.
pub(super) const BS_AUTO_AUGMENT: Method = Method {
    name: "bs-auto-augment",
    description: "balanced softmax with AutoAugment and Cutout, half batches and a cosine schedule",
    milestones: None,
    loss: LOGIT_ADJUSTMENT.loss,
    parts: &[AUTO_AUGMENT, HALF_BATCHES],
    ..RECIPE_L
};

const HALF_BATCHES: Part = Part::new(
    "half-batches",
    "with half the images per batch",
    Sets::Settings(|phase, _| phase.batch_size /= 2),
);

pub(super) const DBM_BS: Method = Method {
    name: "dbm-bs",
    description: "bs-auto-augment with difficulty-aware balancing margins on a cosine classifier",
    loss: SupervisedLoss::DifficultyMargin(DifficultyMargin {
        max_margin: 0.1,
        difficult: DifficultSamples::Wrong,
        tau: 1.0,
    }),
    head: HeadConfig::Cosine { scale: 32.0 },
    ..BS_AUTO_AUGMENT
};

pub(super) const DBM_BS_400: Method = Method {
    name: "dbm-bs-400",
    description: "dbm-bs for 400 epochs, with a moving average of the weights",
    epochs: 2 * RECIPE_EPOCHS,
    parts: &[AUTO_AUGMENT, HALF_BATCHES, WEIGHT_AVERAGE],
    ..DBM_BS
};

// The constants of Kini et al. 2021.
pub(super) const VS: Method = Method {
    name: "vs",
    description: "VS loss: logits divided and shifted by class size",
    parts: &[Part::new(
        "vs-loss",
        "with the VS loss",
        Sets::Settings(|phase, data| {
            let (gamma, tau) =
                if data.constants() == DataSource::Cifar100 { (0.05, 0.75) } else { (0.15, 1.25) };
            phase.objective.loss = SupervisedLoss::VectorScaling(VectorScaling { gamma, tau });
        }),
    )],
    ..RECIPE_L
};

/// The authors' code warms up to twice the learning rate in ten epochs; here the warm-up ends at the learning rate.
pub(super) const VS_SAM: Method = Method {
    name: "vs-sam",
    description: "VS loss with sharpness-aware minimisation, AutoAugment and Cutout for 400 epochs",
    epochs: 2 * RECIPE_EPOCHS,
    milestones: Some([320, 360]),
    warmup_epochs: 10,
    parts: &[AUTO_AUGMENT, DDC],
    ..RECIPE_L
};

const DDC: Part = Part::new(
    "sam",
    "with VS loss, sharpness-aware minimisation and the weight decay of DDC",
    Sets::Settings(|phase, data| {
        let Ddc { gamma, tau, weight_decay, rho, .. } = ddc(data);
        phase.objective.loss = SupervisedLoss::VectorScaling(VectorScaling { gamma, tau });
        phase.sam_rho = rho;
        *phase.optimizer.weight_decay_mut() = weight_decay;
    }),
);

pub(super) const VS_SAM_ADRW: Method = Method {
    name: "vs-sam-adrw",
    description: "the first 320 epochs of vs-sam, then 80 with logit adjustment and aligned class weights (ADRW)",
    epochs: 320,
    parts: &[
        AUTO_AUGMENT,
        DDC,
        Part::new(
            "first-phase",
            "at a constant learning rate",
            Sets::Settings(|phase, data| {
                phase.schedule.decay = Decay::Constant;
                phase.sam_rho = ddc(data).adrw.rho[0];
            }),
        ),
        Part::new(
            "adrw",
            "then with aligned deferred re-weighting at a low learning rate",
            Sets::SecondPhase(second_phases::adrw),
        ),
    ],
    ..VS_SAM
};
