use candle_core::Tensor;

use super::{
    targets::{Labels, Targets},
    term::StepContext,
};
use crate::{Error, Result};

/// Embeddings of some views of a batch, view after view.
pub(super) struct Embeddings {
    /// (V B, D), unit rows.
    pub(super) tensor: Tensor,
    /// (V B).
    pub(super) targets: Targets,
    /// B.
    pub(super) images: usize,
}

impl Embeddings {
    /// Embeddings of the network's views from number `first`.
    pub(super) fn of(step: &StepContext<'_>, first: usize) -> Result<Self> {
        let views = step.branches.get(first..).unwrap_or_default();
        let all: Option<Vec<Tensor>> = views.iter().map(|branch| branch.embedding.clone()).collect();
        let all = all.filter(|all| !all.is_empty()).ok_or(Error::NoProjection)?;
        let labels = step.targets.iter().skip(first).take(all.len());
        let labels: Vec<u32> = labels.flat_map(|targets| targets.labels().host.iter().copied()).collect();
        let tensor = Tensor::cat(&all, 0)?;
        let targets = Targets::plain(Labels::new(&labels, step.classes, tensor.device())?);
        Ok(Self { images: labels.len() / all.len(), tensor, targets })
    }

    /// Embeddings and labels of view `view` alone.
    pub(super) fn of_view<'a>(step: &StepContext<'a>, view: usize) -> Result<(&'a Tensor, &'a Labels)> {
        let embedding = step.branches.get(view).and_then(|branch| branch.embedding.as_ref());
        let targets = step.targets.get(view);
        embedding.zip(targets.map(Targets::labels)).ok_or(Error::NoProjection)
    }

    pub(super) fn labels(&self) -> &Labels {
        self.targets.labels()
    }
}
