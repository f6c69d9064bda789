use std::{fmt, path::PathBuf};

use nc_record::EpochLosses;

/// Divergence of a run: a step with a non-finite loss, gradient or value.
#[derive(Clone, Debug, PartialEq)]
pub struct Diverged {
    /// Name of the phase.
    pub phase: String,
    /// Epoch of the phase, from 0.
    pub epoch: usize,
    /// The step within the epoch, from 0.
    pub step: usize,
    /// The learning rate.
    pub learning_rate: f64,
    /// Total loss of the batch and its terms.
    pub losses: EpochLosses,
    /// The non-finite quantity.
    pub cause: NotFinite,
    /// The last checkpoint, which holds finite values only; absent if none was written.
    pub checkpoint: Option<PathBuf>,
}

/// The non-finite quantity of a diverged step.
#[derive(Clone, Debug, PartialEq)]
pub enum NotFinite {
    /// The loss; no step was taken.
    Loss,
    /// The gradients of parameters or centres, with their norm; no step was taken.
    Gradient(f64),
    /// A parameter, running statistic, momentum or centre after the step, by name; no checkpoint contains it.
    Value(String),
}

impl fmt::Display for Diverged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, epoch, step, learning_rate, losses, cause, checkpoint } = self;
        match cause {
            NotFinite::Loss => write!(f, "the loss became {}", losses.total)?,
            NotFinite::Gradient(norm) => {
                write!(f, "the gradients reached norm {norm} at loss {}", losses.total)?;
            }
            NotFinite::Value(name) => write!(f, "{name} is no longer finite after loss {}", losses.total)?,
        }
        let symbol = |name: &str| match name {
            "within_class" => "L_W".to_owned(),
            "between_class" => "L_B".to_owned(),
            other => other.to_owned(),
        };
        let terms = losses.terms.iter().map(|(name, value)| format!("{} {value}", symbol(name)));
        let terms: Vec<String> = terms.collect();
        write!(
            f,
            " ({}) in phase {phase:?}, epoch {}, step {}, at learning rate {learning_rate}: lower it, lengthen the \
             warm-up, or clip the gradients with optimizer.clip_norm; ",
            terms.join(", "),
            epoch + 1,
            step + 1,
        )?;
        match checkpoint {
            Some(checkpoint) => write!(f, "the last checkpoint is {}", checkpoint.display()),
            None => write!(f, "there is no checkpoint yet"),
        }
    }
}
