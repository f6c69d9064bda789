//! The attraction-repulsion-balanced loss (Xie et al., "Neural Collapse Inspired Attraction-Repulsion-Balanced Loss for
//! Imbalanced Learning", Neurocomputing 2023).
//!
//! -log(e^{z_y} / sum_k (n_k / n_y) e^{z_k}), n_k the counts of the batch: multiplied through by n_y, it is the cross
//! entropy of z_k + log n_k, where a class that is absent from the batch has no part in the sum. The authors clamp logits
//! to [-30, 30] before they take powers of e; here the sum is taken relative to its largest term, which cannot overflow
//! and cuts no gradient off.

use super::{Counts, LogitAdjustment, Method, SupervisedLoss, preset::RECIPE_M};

pub(super) const METHODS: &[Method] = &[Method {
    name: "arb",
    description: "attraction-repulsion-balanced loss with the batch's counts, with mix-up",
    loss: SupervisedLoss::LogitAdjustment(LogitAdjustment { tau: 1.0, counts: Counts::Batch }),
    ..RECIPE_M
}];
