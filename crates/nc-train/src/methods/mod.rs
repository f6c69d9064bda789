//! The methods, each in a file of its own with its source: the loss it minimises or the change it makes, and the
//! presets that use it.
//!
//! A new method is a new file here and its lines in this one: its module, and an entry in whichever it adds to of
//! [`SupervisedLoss`], [`PostHoc`], [`METHODS`] and [`PARTS`].

mod arb;
mod class_balanced_dot_regression;
mod cross_entropy;
mod crt;
mod deferred_reweighting;
mod dot_regression;
mod focal;
mod ldam;
mod logit_adjustment;
mod loss;
mod lws;
mod mislas;
mod mse;
mod nearest_class_mean;
mod networks;
mod neural_collapse;
mod paper_text;
mod post_hoc;
mod preset;
mod progressive;
mod resampling;
mod reweighting;
mod tau_normalization;

pub use class_balanced_dot_regression::ClassBalancedDotRegression;
pub use cross_entropy::CrossEntropy;
pub use dot_regression::DotRegression;
pub use focal::Focal;
pub use ldam::Ldam;
pub use logit_adjustment::{Counts, LogitAdjustment, PostHocAdjustment};
pub use mislas::LabelAwareSmoothing;
pub use mse::MeanSquaredError;
pub use nearest_class_mean::NearestClassMean;
pub use tau_normalization::TauNormalization;

pub(crate) use loss::{Labelled, Loss};
pub(crate) use post_hoc::{Adjustment, Facts};
pub(crate) use preset::{Method, Part, Sets};

loss::supervised_losses! {
    /// Cross entropy.
    CrossEntropy(CrossEntropy),
    /// Squared distance of the logits from one-hot targets.
    MeanSquaredError(MeanSquaredError),
    /// Focal loss.
    Focal(Focal),
    /// Label-distribution-aware margins on a cosine head.
    Ldam(Ldam),
    /// Logit adjustment, balanced softmax and ARB.
    LogitAdjustment(LogitAdjustment),
    /// Label-aware smoothing, of the second phase of MiSLAS.
    LabelAwareSmoothing(LabelAwareSmoothing),
    /// Dot regression on a fixed ETF.
    DotRegression(DotRegression),
    /// Dot regression on a fixed ETF, each class of a batch counting the same.
    ClassBalancedDotRegression(ClassBalancedDotRegression),
}

post_hoc::post_hocs! {
    /// Logits adjusted by class size.
    LogitAdjustment(PostHocAdjustment),
    /// Class directions scaled towards equal norms.
    TauNormalization(TauNormalization),
    /// The nearest class mean.
    NearestClassMean(NearestClassMean),
}

/// What presets train first.
pub(crate) const METHODS: &[&[Method]] = &[
    cross_entropy::METHODS,
    resampling::METHODS,
    progressive::METHODS,
    reweighting::METHODS,
    deferred_reweighting::METHODS,
    focal::METHODS,
    ldam::METHODS,
    logit_adjustment::METHODS,
    arb::METHODS,
    dot_regression::METHODS,
    class_balanced_dot_regression::METHODS,
    mse::METHODS,
    mislas::METHODS,
    neural_collapse::METHODS,
];

/// What can be added to each of them.
pub(crate) const PARTS: &[&[Part]] = &[
    neural_collapse::PARTS,
    crt::PARTS,
    lws::PARTS,
    mislas::PARTS,
    tau_normalization::PARTS,
    nearest_class_mean::PARTS,
    logit_adjustment::PARTS,
    paper_text::PARTS,
    networks::PARTS,
];
