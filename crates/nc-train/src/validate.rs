//! Settings that are well formed but make no sense, refused before anything is read or written.

use crate::{
    Centers, Decay, Error, Experiment, Phase, Profile, Result, Reweighting, SamplerKind, Trains,
    experiment::{DataSource, HeadKind},
};

/// Of an image that others are scaled to: 4096x4096.
const MOST_PIXELS: usize = 1 << 24;

impl Experiment {
    /// Checks what can be checked without the data.
    pub fn validate(&self) -> Result<()> {
        let data = &self.data;
        ensure(data.mean.len() == data.std.len(), "data.std", || {
            format!("{} channels, but data.mean has {}", data.std.len(), data.mean.len())
        })?;
        ensure(data.mean.iter().all(|mean| mean.is_finite()), "data.mean", || {
            format!("is {:?}, should be of numbers", data.mean)
        })?;
        ensure(data.std.iter().all(|&std| std > 0.0 && std.is_finite()), "data.std", || {
            format!("is {:?}, should be above 0", data.std)
        })?;
        let reads_images = matches!(data.source, DataSource::ImageFolder | DataSource::ImageList);
        if let Some((height, width)) = data.image_size {
            ensure(reads_images, "data.image_size", || {
                "scales images of image-folder and image-list; those of data.source have one size".into()
            })?;
            ensure(height > 0 && width > 0, "data.image_size", || {
                format!("is [{height}, {width}], but images should have pixels")
            })?;
            ensure(height.saturating_mul(width) <= MOST_PIXELS, "data.image_size", || {
                format!("is [{height}, {width}], should be of at most {MOST_PIXELS} pixels")
            })?;
        }
        let between = |fraction: f64, key: &str| {
            ensure(fraction > 0.0 && fraction < 1.0, key, || {
                format!("is {fraction}, should be above 0 and below 1")
            })
        };
        if let Some(fraction) = data.test_fraction {
            between(fraction, "data.test_fraction")?;
        }
        if let Some(validation) = data.validation {
            between(validation.fraction, "data.validation.fraction")?;
        }
        if let Profile::Exponential { ratio, .. } | Profile::Step { ratio, .. } = data.profile {
            ensure(ratio >= 1.0 && ratio.is_finite(), "data.profile.ratio", || {
                format!("is {ratio}, but the imbalance ratio is largest over smallest class: at least 1")
            })?;
        }
        if let HeadKind::Cosine { scale } = self.model.head {
            positive(scale, "model.head.scale")?;
        }
        ensure(self.evaluation.every_epochs > 0, "evaluation.every_epochs", || {
            "should be at least 1".into()
        })?;
        ensure(!self.phases.is_empty(), "phases", || "there is nothing to do: give at least one".into())?;
        for (index, phase) in self.phases.iter().enumerate() {
            let twin = self.phases[..index].iter().any(|other| other.name == phase.name);
            ensure(!twin, "phases", || format!("two are named {:?}", phase.name))?;
            self.validate_phase(phase)?;
        }
        if let Some(post_hoc) = &self.post_hoc {
            ensure(self.model.head == HeadKind::Linear, "post_hoc", || {
                "changes a linear classifier, which model.head is not".into()
            })?;
            post_hoc.method().validate(&|name| format!("post_hoc.{name}"), self)?;
        }
        Ok(())
    }

    fn validate_phase(&self, phase: &Phase) -> Result<()> {
        let key = |key: &str| format!("phases.{}.{key}", phase.name);
        ensure(phase.epochs > 0, key("epochs"), || "should be at least 1".into())?;
        ensure(phase.batch_size > 0, key("batch_size"), || "should be at least 1".into())?;
        let alpha = phase.mixup_alpha;
        ensure(alpha == 0.0 || (1e-3..=1e6).contains(&alpha), key("mixup_alpha"), || {
            format!("is {alpha}, should be 0 for none or from 0.001 to 1000000")
        })?;
        positive(phase.optimizer.learning_rate, key("optimizer.learning_rate"))?;
        not_negative(phase.optimizer.weight_decay, key("optimizer.weight_decay"))?;
        let momentum = phase.optimizer.momentum;
        ensure((0.0..1.0).contains(&momentum), key("optimizer.momentum"), || {
            format!("is {momentum}, should be from 0 to below 1")
        })?;
        ensure(!phase.optimizer.nesterov || momentum > 0.0, key("optimizer.nesterov"), || {
            "looks ahead along the momentum, which is 0".into()
        })?;
        if let Some(limit) = phase.optimizer.clip_norm {
            positive(limit, key("optimizer.clip_norm"))?;
        }
        ensure(phase.schedule.warmup_epochs <= phase.epochs, key("schedule.warmup_epochs"), || {
            format!("is {}, but the phase has {} epochs", phase.schedule.warmup_epochs, phase.epochs)
        })?;
        if let Decay::MultiStep { milestones, gamma } = &phase.schedule.decay {
            positive(*gamma, key("schedule.decay.gamma"))?;
            ensure(milestones.is_sorted(), key("schedule.decay.milestones"), || "should be in order".into())?;
        }
        if let SamplerKind::EffectiveNumber { beta } = phase.sampler {
            unit_interval(beta, key("sampler.beta"))?;
        }
        if phase.trains != Trains::Everything {
            ensure(self.model.head != HeadKind::Etf, key("trains"), || {
                "is the classifier, but model.head is a fixed ETF".into()
            })?;
            ensure(
                self.model.head == HeadKind::Linear || !phase.trains.scales_logits(),
                key("trains"),
                || "is a factor on each logit, which needs model.head={kind=\"linear\"}".into(),
            )?;
            ensure(phase.objective.neural_collapse.is_none(), key("objective.neural_collapse"), || {
                "acts on features, but this phase freezes the backbone".into()
            })?;
        }
        if let Trains::ScaledClassifier { classifier_rate, .. } = phase.trains {
            not_negative(classifier_rate, key("trains.scaled-classifier.classifier_rate"))?;
        }
        self.validate_objective(phase)
    }

    fn validate_objective(&self, phase: &Phase) -> Result<()> {
        let key = |key: &str| format!("phases.{}.objective.{key}", phase.name);
        let objective = &phase.objective;
        let loss = objective.loss.method();
        loss.validate(&|name| key(&format!("loss.{name}")), &self.model)?;
        let weighted = objective.reweighting != Reweighting::None;
        ensure(!weighted || loss.takes_class_weights(), key("reweighting"), || {
            "is not defined for this loss, only for cross entropy, ldam and logit-adjustment".into()
        })?;
        match objective.reweighting {
            Reweighting::None => {}
            Reweighting::EffectiveNumber { beta, from_epoch } => {
                unit_interval(beta, key("reweighting.beta"))?;
                within_phase(phase, from_epoch, key("reweighting.from_epoch"))?;
            }
            Reweighting::InverseFrequency { from_epoch } => {
                within_phase(phase, from_epoch, key("reweighting.from_epoch"))?;
            }
        }
        let Some(nc) = &objective.neural_collapse else { return Ok(()) };
        not_negative(nc.within_weight, key("neural_collapse.within_weight"))?;
        not_negative(nc.between_weight, key("neural_collapse.between_weight"))?;
        within_phase(phase, nc.start_epoch, key("neural_collapse.start_epoch"))?;
        if let Centers::MovingAverage { momentum, .. } = nc.centers {
            unit_interval(momentum, key("neural_collapse.centers.momentum"))?;
        }
        if let Centers::Learnable { learning_rate, .. } = nc.centers {
            positive(learning_rate, key("neural_collapse.centers.learning_rate"))?;
            ensure(nc.within_weight > 0.0, key("neural_collapse.within_weight"), || {
                "is 0, but learnable centres step along grad(lambda1 L_W + lambda2 L_B) / lambda1 and L_B reaches the \
                 features through L_W alone: set neural_collapse.centers={kind=\"batch-means\"} to use L_B by itself"
                    .into()
            })?;
        }
        Ok(())
    }
}

pub(crate) fn ensure(
    condition: bool,
    setting: impl Into<String>,
    message: impl FnOnce() -> String,
) -> Result<()> {
    if condition { Ok(()) } else { Err(Error::setting(setting, message())) }
}

fn positive(value: f64, setting: impl Into<String>) -> Result<()> {
    ensure(value > 0.0 && value.is_finite(), setting, || format!("is {value}, should be above 0"))
}

pub(crate) fn not_negative(value: f64, setting: impl Into<String>) -> Result<()> {
    ensure(value >= 0.0 && value.is_finite(), setting, || format!("is {value}, should be 0 or above"))
}

pub(crate) fn unit_interval(value: f64, setting: impl Into<String>) -> Result<()> {
    ensure((0.0..1.0).contains(&value), setting, || format!("is {value}, should be from 0 to below 1"))
}

fn within_phase(phase: &Phase, epoch: usize, setting: impl Into<String>) -> Result<()> {
    // Equal is let pass: scaled to very few epochs, a late switch may round to the end.
    ensure(epoch <= phase.epochs, setting, || {
        format!("is {epoch}, but the phase has only {} epochs", phase.epochs)
    })
}
