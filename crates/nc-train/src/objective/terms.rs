use super::{neural_collapse::NeuralCollapseTerm, supervised::Supervised, term::Term};
use crate::config::Objective;

/// The terms of `objective` for a training set with `class_counts` images per class.
pub(crate) fn terms(objective: &Objective, class_counts: &[usize]) -> Vec<Box<dyn Term>> {
    let mut terms: Vec<Box<dyn Term>> =
        vec![Box::new(Supervised::new(objective.loss, objective.reweighting, class_counts))];
    if let Some(neural_collapse) = &objective.neural_collapse {
        terms.push(Box::new(NeuralCollapseTerm::new(neural_collapse, class_counts.len())));
    }
    terms
}
