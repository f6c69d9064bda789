//! Training of long-tailed classifiers in phases, with neural-collapse regularisation (Liu et al., AISTATS 2023).
//!
//! An [`Experiment`] is everything that determines a result, as TOML: data, model and a list of [`Phase`]s. A
//! phase says which parameters learn, on which images, what is minimised, and how. The paper's NC-DRW-cRT is two
//! phases: representation learning with L_W, L_B and deferred re-weighting, then a new classifier on the frozen
//! backbone. [`presets`] holds ready experiments, [`Settings`] merges them with a file and single keys, [`train`]
//! runs one.
//!
//! ```no_run
//! use nc_train::{RunOptions, Settings, train};
//!
//! # fn main() -> nc_train::Result<()> {
//! let experiment = Settings { preset: Some("fashion-mnist-lt/nc-drw"), epochs: Some(10), ..Default::default() };
//! let finished = train(&experiment.resolve()?, &RunOptions::default(), &mut ())?;
//! println!("{:.1} %", 100.0 * finished.result.accuracy.top1);
//! # Ok(())
//! # }
//! ```

mod criterion;
mod data;
mod error;
mod evaluate;
mod experiment;
mod objective;
mod observer;
mod optimizer;
mod phase;
pub mod presets;
mod run;
mod schedule;
mod settings;
mod suggest;
mod validate;

pub use error::{Error, Result};
pub use evaluate::Geometry;
pub use experiment::{
    BackboneKind, DataConfig, DataSource, EvaluationConfig, Experiment, HeadKind, ModelConfig, Phase,
    Profile, SamplerKind, Trains,
};
pub use objective::{
    BetweenForm, CenterInit, Centers, NeuralCollapse, Objective, Reweighting, SupervisedLoss,
};
pub use observer::{Observer, Step};
pub use optimizer::{Sgd, SgdConfig};
pub use run::{Finished, RunOptions, RunResult, train};
pub use schedule::{Decay, Schedule};
pub use settings::Settings;
