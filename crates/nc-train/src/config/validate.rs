//! Validation of well-formed configurations: contradictory settings, before anything is read or written.

use nc_data::Groups;
use nc_models::HeadConfig;
use serde::Serialize;
use toml::Value;

use super::{
    centers::Centers,
    contrast::Contrast,
    data::DataSource,
    experiment::Experiment,
    model::{Branches, ModelConfig},
    objective::{LossViews, Reweighting, Space},
    optimizer::OptimizerConfig,
    phase::Phase,
    schedule::Decay,
    trains::Trains,
};
use crate::{Error, Result, error::ensure, post_hoc::Context, schema};

/// Checks ranges and contradictions between settings.
pub(super) fn check(experiment: &Experiment) -> Result<()> {
    let data = &experiment.data;
    toml_seed("seed", experiment.seed)?;
    toml_seed("data.subset_seed", data.subset_seed)?;
    toml_seed("data.validation.seed", data.validation.map_or(0, |validation| validation.seed))?;
    schema::check(&Value::try_from(experiment)?)?;
    ensure(data.mean.len() == data.std.len(), "data.std", || {
        format!("expected {} values, as in data.mean, found {}", data.mean.len(), data.std.len())
    })?;
    let own_images = |is_set: bool, setting: &str, use_them: &str| {
        ensure(data.source.is_own_images() || !is_set, setting, || {
            let source = shown(data.source);
            format!("only image-folder and image-list {use_them}, but data.source is {source}; remove it")
        })
    };
    own_images(data.image_size.is_some(), "data.image_size", "resize images")?;
    own_images(data.streaming.is_some(), "data.streaming", "stream images")?;
    own_images(data.skip.is_some(), "data.skip", "skip images")?;
    if data.streaming.is_some() {
        ensure(data.image_size.is_some(), "data.image_size", || {
            "data.streaming requires it; set it, as in data.image_size=[224, 224]".into()
        })?;
        ensure(!data.mean.is_empty(), "data.mean", || {
            "data.streaming requires mean and std; set them, as to ImageNet's data.mean=[0.485, 0.456, 0.406] and \
             data.std=[0.229, 0.224, 0.225]"
                .into()
        })?;
    }
    if let Some(groups) = &data.groups {
        ensure(data.source.is_own_images(), "data.groups", || {
            let source = shown(data.source);
            format!("only image-folder and image-list have groups, but data.source is {source}; remove it")
        })?;
        let folder = data.source == DataSource::ImageFolder;
        ensure(!folder || *groups != Groups::Column, "data.groups", || {
            "image-folder has no columns; use directory or file-name, or data.source=image-list with a CSV list".into()
        })?;
        let is_empty = matches!(groups, Groups::FileName { until } if until.is_empty());
        ensure(!is_empty, "data.groups.until", || "expected a separator such as \"_\", found \"\"".into())?;
    }
    let all_have_views = experiment.phases.iter().all(|phase| !phase.views.is_empty());
    ensure(data.transforms.is_empty() || !all_have_views, "data.transforms", || {
        "every phase has views with transforms of their own; remove it, or set phases.NAME.views".into()
    })?;
    ensure(!experiment.phases.is_empty(), "phases", || "expected at least one phase, found none".into())?;
    for (index, phase) in experiment.phases.iter().enumerate() {
        let twin = experiment.phases[..index].iter().any(|other| other.name == phase.name);
        ensure(!twin, "phases", || format!("duplicate name {:?}; names must be unique", phase.name))?;
        check_phase(&experiment.model, phase)?;
    }
    check_branches(experiment)?;
    if let Some(post_hoc) = &experiment.post_hoc {
        ensure(experiment.model.head == HeadConfig::Linear, "post_hoc", || {
            format!("requires a linear classifier, but model.head is {}", shown(experiment.model.head))
        })?;
        let trained = Context {
            last_phase: experiment.phases.last(),
            has_validation: experiment.data.validation.is_some(),
        };
        post_hoc.as_adjustment().validate(&|name| format!("post_hoc.{name}"), &trained)?;
    }
    Ok(())
}

/// Checks the combination of a network's branches with other settings.
fn check_branches(experiment: &Experiment) -> Result<()> {
    let model = &experiment.model;
    if let Some(branches) = model.branches {
        let (kind, fits, heads) = match branches {
            Branches::Bilateral => ("bilateral", model.head == HeadConfig::Linear, "a linear classifier"),
            Branches::Experts { .. } => {
                ("experts", model.head != HeadConfig::Etf, "linear or cosine classifiers")
            }
        };
        let (backbone, backbones) = match branches {
            Branches::Bilateral => (model.backbone.is_cifar(), "a CIFAR ResNet"),
            Branches::Experts { .. } => (true, "a built-in backbone"),
        };
        ensure(backbone && model.own_backbone.is_none(), "model.branches", || {
            let found = model.own_backbone.clone().unwrap_or_else(|| shown(model.backbone));
            format!("{kind} requires {backbones}, found {found}")
        })?;
        ensure(fits && !model.normalize_features, "model.branches", || {
            let (head, normalized) = (shown(model.head), model.normalize_features);
            format!(
                "{kind} requires {heads} on plain features, found {head}, normalize_features={normalized}"
            )
        })?;
    }
    for (index, phase) in experiment.phases.iter().enumerate() {
        check_experts(model, phase)?;
        check_views(model, phase)?;
        check_contrast(model, phase, index + 1 == experiment.phases.len())?;
    }
    for phase in experiment.phases.iter().filter(|phase| phase.second_sampler.is_some()) {
        let key = |key: &str| format!("phases.{}.{key}", phase.name);
        ensure(model.branches == Some(Branches::Bilateral), key("second_sampler"), || {
            "requires a network with two branches; set model.branches={kind=\"bilateral\"}, or remove it"
                .into()
        })?;
        ensure(phase.trains == Trains::Everything, key("second_sampler"), || {
            format!("trains both branches, but trains={} freezes them; remove it", shown(phase.trains))
        })?;
        ensure(phase.mixup_alpha == 0.0, key("mixup_alpha"), || {
            "mix-up would mix images within each view, which BBN does not; set it to 0 or remove second_sampler".into()
        })?;
        ensure(phase.objective.neural_collapse.is_none(), key("objective.neural_collapse"), || {
            "acts on the features of one classifier, but cumulative learning mixes those of two branches; remove it".into()
        })?;
    }
    Ok(())
}

/// Checks the settings of `phase` that concern experts.
fn check_experts(model: &ModelConfig, phase: &Phase) -> Result<()> {
    let key = |key: &str| format!("phases.{}.{key}", phase.name);
    let objective = &phase.objective;
    let experts = match model.branches {
        Some(Branches::Experts { count, .. }) => Some(count),
        _ => None,
    };
    let requires = || "requires a network of experts; set model.branches={kind=\"experts\", ...}".to_owned();
    ensure(objective.other_losses.is_empty() || experts.is_some(), key("objective.other_losses"), requires)?;
    ensure(objective.diversity.is_none() || experts.is_some(), key("objective.diversity"), requires)?;
    let Some(experts) = experts else { return Ok(()) };
    let others = objective.other_losses.len();
    ensure(others == 0 || others + 1 == experts, key("objective.other_losses"), || {
        format!("expected a loss for each expert after the first, {} in all, found {others}", experts - 1)
    })?;
    ensure(!phase.trains.scales_logits(), key("trains"), || {
        let trains = shown(phase.trains);
        format!("{trains} cannot scale the logits of experts; use trains=\"new-classifier\"")
    })?;
    match objective.diversity {
        Some(diversity) => within_phase(phase, diversity.from_epoch, key("objective.diversity.from_epoch")),
        None => Ok(()),
    }
}

/// Checks the views of a batch.
fn check_views(model: &ModelConfig, phase: &Phase) -> Result<()> {
    let key = |key: &str| format!("phases.{}.{key}", phase.name);
    let views = phase.views.len();
    ensure(views == 0 || phase.second_sampler.is_none(), key("views"), || {
        "second_sampler has a view of its own, with the transforms of data; remove one of them".into()
    })?;
    ensure(views < 2 || phase.mixup_alpha == 0.0, key("mixup_alpha"), || {
        format!("mix-up would mix other images in each of {views} views; set it to 0")
    })?;
    ensure(views < 2 || model.branches.is_none(), key("views"), || {
        format!("a network of several branches takes one view, found {views}; remove model.branches")
    })?;
    let all_views = phase.objective.loss_views == LossViews::All;
    ensure(!all_views || phase.second_sampler.is_none(), key("objective.loss_views"), || {
        "cumulative learning weights both views by alpha; remove it".into()
    })?;
    let seen = phase.network_views();
    ensure(!all_views || seen > 1, key("objective.loss_views"), || {
        format!("requires two or more views beside that of a queue, but {} gives {seen}", key("views"))
    })
}

/// Checks the settings of contrastive losses; `last` for the last phase.
fn check_contrast(model: &ModelConfig, phase: &Phase, last: bool) -> Result<()> {
    let key = |key: &str| format!("phases.{}.{key}", phase.name);
    let objective = &phase.objective;
    ensure(model.projection.is_none() || model.branches.is_none(), "model.projection", || {
        "a network of several branches has no projection head; remove model.branches".into()
    })?;
    let projects = model.projection.is_some();
    let requires = || {
        "requires a projection head; set model.projection={hidden=512, batch_norm=true, dims=128}".to_owned()
    };
    if let Some(projection) = model.projection {
        ensure(projection.hidden > 0 || !projection.batch_norm, "model.projection.batch_norm", || {
            "normalises the hidden layer, but hidden=0 has none; remove it".into()
        })?;
    }
    let on_embeddings = objective.neural_collapse.as_ref().is_some_and(|nc| nc.space == Space::Embeddings);
    ensure(projects || !on_embeddings, key("objective.neural_collapse.space"), requires)?;
    ensure(projects || objective.contrast.is_none(), key("objective.contrast"), requires)?;
    let uses_embeddings = on_embeddings || objective.contrast.is_some();
    ensure(phase.mixup_alpha == 0.0 || !uses_embeddings, key("mixup_alpha"), || {
        "losses on embeddings do not mix labels; set it to 0".into()
    })?;
    if !phase.trains_classifier() {
        ensure(phase.trains == Trains::Everything, key("objective.loss_weight"), || {
            format!("0 leaves nothing to minimise with trains={}; set a weight above 0", shown(phase.trains))
        })?;
        ensure(!last, key("objective.loss_weight"), || {
            "0 trains no classifier, so a later phase has to; add one with trains=\"new-classifier\"".into()
        })?;
        ensure(
            objective.contrast.is_some_and(|contrast| contrast.weight() > 0.0),
            key("objective.loss_weight"),
            || {
                "0 leaves no loss to minimise; set objective.contrast with a weight above 0, or a loss_weight above 0".into()
            },
        )?;
    }
    let Some(contrast) = objective.contrast else { return Ok(()) };
    ensure(phase.trains == Trains::Everything, key("objective.contrast"), || {
        format!("acts on features, but trains={} freezes the backbone; remove it", shown(phase.trains))
    })?;
    if let Contrast::Supervised { targets, queue, .. } = contrast {
        let (views, compared) = (phase.views.len(), phase.contrast_views().len());
        match queue {
            Some(_) => ensure(views > 1 && compared == 1, key("objective.contrast.queue"), || {
                let expected = 2 + phase.contrast_views().start;
                format!(
                    "compares one view with the queue of the last one; {} needs {expected}, found {views}",
                    key("views")
                )
            }),
            None => ensure(compared > 1, key("objective.contrast"), || {
                let least = 2 + usize::from(phase.trains_classifier());
                format!(
                    "attracts the views of an image; {} needs {least} or more, found {views}",
                    key("views")
                )
            }),
        }?;
        if let Some(targets) = targets {
            within_phase(phase, targets.from_epoch, key("objective.contrast.targets.from_epoch"))?;
        }
    }
    let prototypes = model.projection.is_some_and(|projection| projection.class_prototypes);
    ensure(prototypes || !matches!(contrast, Contrast::Balanced { .. }), key("objective.contrast"), || {
        "balanced contrast requires class prototypes; set model.projection.class_prototypes=true".into()
    })
}

fn check_phase(model: &ModelConfig, phase: &Phase) -> Result<()> {
    let key = |key: &str| format!("phases.{}.{key}", phase.name);
    let alpha = phase.mixup_alpha;
    ensure(alpha == 0.0 || (1e-3..=1e6).contains(&alpha), key("mixup_alpha"), || {
        format!("expected 0 or a number from 0.001 to 1000000, found {alpha}")
    })?;
    if let OptimizerConfig::Sgd(sgd) = phase.optimizer {
        ensure(!sgd.nesterov || sgd.momentum > 0.0, key("optimizer.nesterov"), || {
            "requires momentum, but momentum is 0".into()
        })?;
    }
    ensure(phase.weight_average.is_none() || phase.trains_classifier(), key("weight_average"), || {
        "is evaluated with the classifier, which objective.loss_weight=0 does not train; remove it".into()
    })?;
    within_phase(phase, phase.schedule.warmup_epochs, key("schedule.warmup_epochs"))?;
    if let Decay::MultiStep { milestones, .. } = &phase.schedule.decay {
        let key = || key("schedule.decay.milestones");
        ensure(milestones.is_sorted(), key(), || format!("expected ascending epochs, found {milestones:?}"))?;
        if let Some(&last) = milestones.last() {
            within_phase(phase, last, key())?;
        }
    }
    let shifts = matches!(phase.trains, Trains::ScaledClassifier { shift_batch_norm: true, .. });
    ensure(
        phase.batch_norm.is_running() || !(shifts || phase.trains == Trains::Everything),
        key("batch_norm"),
        || format!("trains={} already uses the statistics of each batch; remove it", shown(phase.trains)),
    )?;
    if phase.trains != Trains::Everything {
        ensure(model.head != HeadConfig::Etf, key("trains"), || {
            format!("{} trains the classifier, but model.head={{kind=\"etf\"}} is fixed", shown(phase.trains))
        })?;
        ensure(model.head == HeadConfig::Linear || !phase.trains.scales_logits(), key("trains"), || {
            let (trains, head) = (shown(phase.trains), shown(model.head));
            format!("{trains} requires a linear classifier, but model.head is {head}")
        })?;
        ensure(phase.objective.neural_collapse.is_none(), key("objective.neural_collapse"), || {
            format!("acts on features, but trains={} freezes the backbone; remove it", shown(phase.trains))
        })?;
    }
    check_objective(model, phase)
}

fn check_objective(model: &ModelConfig, phase: &Phase) -> Result<()> {
    let key = |key: &str| format!("phases.{}.objective.{key}", phase.name);
    let objective = &phase.objective;
    objective.loss.as_loss().validate(&|name| key(&format!("loss.{name}")), model)?;
    for (index, loss) in objective.other_losses.iter().enumerate() {
        loss.as_loss().validate(&|name| key(&format!("other_losses.{index}.{name}")), model)?;
    }
    if let Some(from_epoch) = objective.reweighting.first_epoch() {
        within_phase(phase, from_epoch, key("reweighting.from_epoch"))?;
    }
    let trains_classifier = phase.trains_classifier();
    ensure(trains_classifier || objective.reweighting == Reweighting::None, key("reweighting"), || {
        "weights the supervised loss, which loss_weight=0 removes; set it to {kind=\"none\"}".into()
    })?;
    if objective.uniformity.is_some() {
        let fixed = match (model.head, phase.trains) {
            (HeadConfig::Etf, _) => Some("model.head={kind=\"etf\"} fixes"),
            (_, Trains::LogitScale) => Some("trains=\"logit-scale\" freezes"),
            _ if trains_classifier => None,
            _ => Some("loss_weight=0 does not train"),
        };
        ensure(fixed.is_none(), key("uniformity"), || {
            format!("spreads class directions, which {}; remove it", fixed.unwrap_or_default())
        })?;
    }
    let Some(nc) = &objective.neural_collapse else { return Ok(()) };
    within_phase(phase, nc.start_epoch, key("neural_collapse.start_epoch"))?;
    if matches!(nc.centers, Centers::Learnable { .. }) {
        ensure(nc.within_weight > 0.0, key("neural_collapse.within_weight"), || {
            format!(
                "must be > 0 with learnable centres: their update divides by lambda1, and L_B only reaches features \
                 through L_W. For L_B alone, set {}={{kind=\"batch-means\"}}",
                key("neural_collapse.centers")
            )
        })?;
    }
    Ok(())
}

/// `seed` as a TOML integer, which is limited to `i64`.
pub(crate) fn toml_seed(setting: &str, seed: u64) -> Result<i64> {
    i64::try_from(seed).map_err(|_| {
        Error::setting(setting, format!("expected a whole number from 0 to {}, found {seed}", i64::MAX))
    })
}

/// A setting in TOML notation.
fn shown(setting: impl Serialize) -> String {
    Value::try_from(setting).map_or_else(|error| error.to_string(), |value| value.to_string())
}

fn within_phase(phase: &Phase, epoch: usize, setting: impl Into<String>) -> Result<()> {
    // Equality is allowed: in a short run a milestone, or a start epoch in earlier versions, may round to the end.
    ensure(epoch <= phase.epochs, setting, || {
        let last = phase.epochs;
        format!("expected an epoch from 0 to {last}, the phase's length, found {epoch}")
    })
}
