use super::{
    balanced::BalancedContrast, class_means::ClassMeanContrast, probabilistic::ProbabilisticContrast,
    supervised::SupervisedContrast,
};
use crate::{
    config::{Contrast, Phase},
    objective::term::Term,
};

/// The contrastive term of `phase` for a training set with `class_counts` images per class.
pub(in crate::objective) fn term(contrast: Contrast, phase: &Phase, class_counts: &[usize]) -> Box<dyn Term> {
    let views = phase.contrast_views();
    match contrast {
        Contrast::Supervised { weight, temperature, positives, targets, queue } => {
            let term = SupervisedContrast::new(weight, temperature, views.start);
            Box::new(term.with(positives, targets, queue))
        }
        Contrast::Balanced { weight, temperature } => {
            Box::new(BalancedContrast { weight, temperature, first_view: views.start })
        }
        Contrast::Probabilistic { weight, temperature } => {
            Box::new(ProbabilisticContrast::new(weight, temperature, views, class_counts))
        }
        Contrast::ClassMeans { weight, temperature, momentum } => {
            Box::new(ClassMeanContrast::new(weight, temperature, momentum, views, class_counts))
        }
    }
}
