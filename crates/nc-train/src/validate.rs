//! Settings that are well formed but make no sense, refused before anything is read or written.

use serde::Serialize;
use toml::Value;

use crate::{
    Centers, DataSource, Decay, Error, Experiment, HeadKind, Phase, Result, Reweighting, Trains, schema,
};

impl Experiment {
    /// Checks what can be checked without the data: that every number is in its range, and that settings go together.
    ///
    /// # Errors
    ///
    /// [`Error`] names the setting, its value and its range, or what it contradicts.
    pub fn validate(&self) -> Result<()> {
        let data = &self.data;
        toml_seed("seed", self.seed)?;
        toml_seed("data.subset_seed", data.subset_seed)?;
        toml_seed("data.validation.seed", data.validation.map_or(0, |validation| validation.seed))?;
        schema::check(&Value::try_from(self)?)?;
        ensure(data.mean.len() == data.std.len(), "data.std", || {
            format!(
                "has {} values, but data.mean has {}: should have as many",
                data.std.len(),
                data.mean.len()
            )
        })?;
        let reads_images = matches!(data.source, DataSource::ImageFolder | DataSource::ImageList);
        ensure(reads_images || data.image_size.is_none(), "data.image_size", || {
            let source = shown(data.source);
            format!(
                "is set, but data.source is {source}: only image-folder and image-list scale their images"
            )
        })?;
        ensure(!self.phases.is_empty(), "phases", || "is [], should have at least one phase".into())?;
        for (index, phase) in self.phases.iter().enumerate() {
            let twin = self.phases[..index].iter().any(|other| other.name == phase.name);
            ensure(!twin, "phases", || {
                format!("has two of the name {:?}, should have names that differ", phase.name)
            })?;
            self.validate_phase(phase)?;
        }
        if let Some(post_hoc) = &self.post_hoc {
            ensure(self.model.head == HeadKind::Linear, "post_hoc", || {
                format!("changes a linear classifier, but model.head is {}", shown(self.model.head))
            })?;
            post_hoc.method().validate(&|name| format!("post_hoc.{name}"), self)?;
        }
        Ok(())
    }

    fn validate_phase(&self, phase: &Phase) -> Result<()> {
        let key = |key: &str| format!("phases.{}.{key}", phase.name);
        let alpha = phase.mixup_alpha;
        ensure(alpha == 0.0 || (1e-3..=1e6).contains(&alpha), key("mixup_alpha"), || {
            format!("is {alpha}, should be 0 for none or from 0.001 to 1000000")
        })?;
        ensure(
            !phase.optimizer.nesterov || phase.optimizer.momentum > 0.0,
            key("optimizer.nesterov"),
            || "is true, which looks ahead along the momentum, but momentum is 0".into(),
        )?;
        within_phase(phase, phase.schedule.warmup_epochs, key("schedule.warmup_epochs"))?;
        if let Decay::MultiStep { milestones, .. } = &phase.schedule.decay {
            let key = || key("schedule.decay.milestones");
            ensure(milestones.is_sorted(), key(), || format!("is {milestones:?}, should be in order"))?;
            if let Some(&last) = milestones.last() {
                within_phase(phase, last, key())?;
            }
        }
        if phase.trains != Trains::Everything {
            ensure(self.model.head != HeadKind::Etf, key("trains"), || {
                format!(
                    "is {}, but the classifier of model.head={{kind=\"etf\"}} is fixed",
                    shown(phase.trains)
                )
            })?;
            ensure(
                self.model.head == HeadKind::Linear || !phase.trains.scales_logits(),
                key("trains"),
                || {
                    let (trains, head) = (shown(phase.trains), shown(self.model.head));
                    format!(
                        "is {trains}, which scales the logits of a linear classifier, but model.head is {head}"
                    )
                },
            )?;
            ensure(phase.objective.neural_collapse.is_none(), key("objective.neural_collapse"), || {
                format!(
                    "acts on features, but this phase trains {} and not the backbone",
                    shown(phase.trains)
                )
            })?;
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
            let (weights, loss) = (shown(objective.reweighting), shown(objective.loss));
            format!("is {weights}, but loss is {loss}, which takes no class weights")
        })?;
        if let Some(from_epoch) = objective.reweighting.first_epoch() {
            within_phase(phase, from_epoch, key("reweighting.from_epoch"))?;
        }
        let Some(nc) = &objective.neural_collapse else { return Ok(()) };
        within_phase(phase, nc.start_epoch, key("neural_collapse.start_epoch"))?;
        if matches!(nc.centers, Centers::Learnable { .. }) {
            ensure(nc.within_weight > 0.0, key("neural_collapse.within_weight"), || {
                format!(
                    "is 0, but learnable centres step along grad(lambda1 L_W + lambda2 L_B) / lambda1 and L_B reaches \
                     the features through L_W alone: set {}={{kind=\"batch-means\"}} to use L_B by itself",
                    key("neural_collapse.centers")
                )
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

/// A seed as TOML has it, which has no larger numbers.
pub(crate) fn toml_seed(setting: &str, seed: u64) -> Result<i64> {
    i64::try_from(seed).map_err(|_| {
        Error::setting(setting, format!("is {seed}, should be a whole number from 0 to {}", i64::MAX))
    })
}

/// A setting as it stands in a configuration.
fn shown(setting: impl Serialize) -> String {
    Value::try_from(setting).map_or_else(|error| error.to_string(), |value| value.to_string())
}

fn within_phase(phase: &Phase, epoch: usize, setting: impl Into<String>) -> Result<()> {
    // Equal is let pass: scaled to very few epochs, a late switch may round to the end.
    ensure(epoch <= phase.epochs, setting, || {
        let last = phase.epochs;
        format!("is {epoch}, but the phase has only {last} epochs: should be from 0 to {last}")
    })
}
