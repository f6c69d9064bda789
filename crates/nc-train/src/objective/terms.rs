use super::{
    contrast, cumulative_learning::CumulativeLearning, diversity::DiversityTerm,
    neural_collapse::NeuralCollapseTerm, supervised::Supervised, term::Term, uniformity::UniformityTerm,
};
use crate::config::Phase;

/// The terms of a phase's objective for a training set with `class_counts` images per class.
pub(crate) fn terms(phase: &Phase, class_counts: &[usize]) -> Vec<Box<dyn Term>> {
    let objective = &phase.objective;
    let supervised = Supervised::new(objective, class_counts);
    let mut terms: Vec<Box<dyn Term>> = vec![];
    if phase.trains_classifier() {
        terms.push(match phase.second_sampler {
            None => Box::new(supervised),
            Some(_) => Box::new(CumulativeLearning::new(supervised, phase.epochs)),
        });
    }
    if let Some(neural_collapse) = &objective.neural_collapse {
        let first_view = phase.contrast_views().start;
        terms.push(Box::new(NeuralCollapseTerm::new(neural_collapse, class_counts.len(), first_view)));
    }
    if let Some(contrast) = objective.contrast {
        terms.push(contrast::term(contrast, phase, class_counts));
    }
    if let Some(diversity) = objective.diversity {
        terms.push(Box::new(DiversityTerm::new(diversity, class_counts)));
    }
    if let Some(uniformity) = objective.uniformity {
        terms.push(Box::new(UniformityTerm(uniformity)));
    }
    terms
}
