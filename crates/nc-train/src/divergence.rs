use std::{fmt, path::PathBuf};

use nc_record::EpochLosses;

/// A step that leads out of the finite numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Diverged {
    /// The phase's name.
    pub phase: String,
    /// Its epoch, from 0.
    pub epoch: usize,
    /// The step within the epoch, from 0.
    pub step: usize,
    /// The learning rate.
    pub learning_rate: f64,
    /// Loss and terms of the batch.
    pub losses: EpochLosses,
    /// What is not finite.
    pub cause: NotFinite,
    /// The last checkpoint, all of whose numbers are finite; absent if there is none yet.
    pub checkpoint: Option<PathBuf>,
}

/// What is not finite.
#[derive(Clone, Debug, PartialEq)]
pub enum NotFinite {
    /// The loss; no step was taken.
    Loss,
    /// The gradients of the parameters or of the centres, of this norm; no step was taken.
    Gradient(f64),
    /// A parameter, running statistic, momentum or centre after the step; it is in no checkpoint.
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
            " ({}), in phase {phase:?}, epoch {}, step {}, at learning rate {learning_rate}: lower it, lengthen the \
             warm-up, or limit the gradients with optimizer.clip_norm; ",
            terms.join(", "),
            epoch + 1,
            step + 1,
        )?;
        match checkpoint {
            Some(checkpoint) => write!(f, "the last good checkpoint is {}", checkpoint.display()),
            None => write!(f, "there is no checkpoint yet"),
        }
    }
}
