//! What is done to the classifier after the last phase.

use candle_core::Tensor;

use crate::{
    Error, Result,
    evaluate::Outputs,
    methods::{Facts, PostHoc},
    run::Run,
};

impl Run<'_> {
    pub(crate) fn adjust_classifier(&self, post_hoc: &PostHoc) -> Result<()> {
        let head = self.model.head();
        let Some(bias) = head.bias()? else {
            return Err(Error::setting(
                "post_hoc",
                "changes a linear classifier, but this one has no biases",
            ));
        };
        let (weight, bias) = post_hoc.method().adjusted(&head.weight()?, &bias, self)?;
        Ok(self.model.set_classifier(&weight, &bias)?)
    }
}

impl Facts for Run<'_> {
    fn class_counts(&self) -> &[usize] {
        self.data.train.class_counts()
    }

    fn class_means(&self) -> Result<Tensor> {
        Self::class_means(self)
    }

    fn validation(&self) -> Result<Option<(Tensor, Vec<u32>)>> {
        let Some(validation) = &self.data.validation else { return Ok(None) };
        let Outputs { features, labels, dims, .. } = Outputs::of(&self.model, &self.sequential(validation)?)?;
        let features = Tensor::from_vec(features, (labels.len(), dims), &self.options.device)?;
        Ok(Some((features, labels)))
    }
}
