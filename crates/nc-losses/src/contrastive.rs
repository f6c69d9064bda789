use candle_core::{DType, Tensor};

use crate::{PerSample, Result, check};

/// Per-sample contrastive loss with given weights of positives and denominators: the common form of supervised
/// contrastive losses.
///
/// ```text
/// l_i = -sum_j p_ij (s_ij - log sum_m d_im exp(s_im)) / sum_j p_ij
/// ```
///
/// The similarities s_ij compare anchor i with sample j and are already divided by the temperature. The weights p of the
/// positives and d of the denominator are non-negative (not checked) and receive no gradient; d_im = 0 excludes column m
/// from the denominator. The losses of the literature differ in their columns and weights:
///
/// | loss | columns | p_ij | d_im |
/// |---|---|---|---|
/// | SupCon (Khosla et al. 2020) | all views of the batch | 1 at the others of the class | 1, but 0 at the anchor |
/// | FCL (Kang et al. 2021, k = all) | other view, queue | 1 at the other view and the class in the queue | 1 |
/// | KCL (Kang et al. 2021) | other view, queue | 1 at the other view and k of the class in the queue | 1 |
/// | TSC (Li et al. 2022) | those of KCL, K targets | 1/(k + 1) at those of KCL, lambda at the target of the class; the loss times 1 + lambda | 1 |
/// | BCL (Zhu et al. 2022) | all views, K prototypes | 1 at the others of the class | 1 / size of the column's class, but 0 at the anchor |
/// | PaCo (Cui et al. 2021) | K adjusted logits, all views, queue | 1 at the logit of the class, alpha at the others of the class | 1, but 0 at the anchor |
///
/// The authors' code of TSC divides by the number of positives with the target, not by the sum of the weights.
///
/// SupCon and BCL have functions of their own: [`supervised_contrastive_each`] and
/// [`balanced_contrastive_each`](crate::balanced_contrastive_each).
///
/// Shapes: `similarities` s (B, M), finite; `positives` p and `denominators` d (B, M) of the dtype of the similarities;
/// returns (B). An anchor without positives, or without columns in its denominator, has loss 0 with gradient 0 and
/// mass 0; all others have mass 1.
///
/// # Errors
///
/// [`Error`](crate::Error) if B or M is zero, shapes or dtypes disagree, or the similarities are neither `f32` nor
/// `f64`.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let similarities = Tensor::new(&[[1f64, 0.0, 9.0], [1.0, 0.0, 9.0]], &Device::Cpu)?;
/// let positives = Tensor::new(&[[1f64, 0.0, 0.0], [0.0, 0.0, 0.0]], &Device::Cpu)?;
/// let denominators = Tensor::new(&[[1f64, 1.0, 0.0], [1.0, 1.0, 1.0]], &Device::Cpu)?;
/// let losses = nc_losses::contrastive_each(&similarities, &positives, &denominators)?;
/// let of_each = losses.of_each.to_vec1::<f64>()?;
/// assert!((of_each[0] - 0.313_262).abs() < 1e-6); // ln(1 + e^-1)
/// assert_eq!(of_each[1], 0.0); // no positives
/// assert!((losses.mean()?.to_scalar::<f64>()? - 0.313_262).abs() < 1e-6);
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020; Kang et al., "Exploring Balanced Feature Spaces for
/// Representation Learning", ICLR 2021; Li et al., "Targeted Supervised Contrastive Learning for Long-Tailed
/// Recognition", CVPR 2022; Zhu et al., "Balanced Contrastive Learning for Long-Tailed Visual Recognition", CVPR 2022;
/// Cui et al., "Parametric Contrastive Learning", ICCV 2021.
pub fn contrastive_each(
    similarities: &Tensor,
    positives: &Tensor,
    denominators: &Tensor,
) -> Result<PerSample> {
    /// Stands for an excluded column in the maximum of a row.
    const LOWEST: f64 = -1e30;
    let (anchors, columns) = check::matrix("similarities", similarities)?;
    for (argument, weights) in [("positives", positives), ("denominators", denominators)] {
        check::shape(argument, weights, &[anchors, columns])?;
        check::dtype(argument, weights, similarities.dtype())?;
    }
    let (positives, denominators) = (positives.detach(), denominators.detach());
    let dtype = similarities.dtype();
    let present = |weights: &Tensor| weights.gt(0.0)?.to_dtype(dtype)?.max_keepdim(1);

    let in_denominator = denominators.gt(0.0)?;
    let lowest = (similarities.ones_like()?.detach() * LOWEST)?;
    let largest = in_denominator.where_cond(&similarities.detach(), &lowest)?.max_keepdim(1)?;
    let shifted = similarities.broadcast_sub(&largest)?;
    // Excluded columns are not shifted below 0, and their exponential could overflow.
    let bounded = in_denominator.where_cond(&shifted, &shifted.zeros_like()?.detach())?;
    let sum = (bounded.exp()? * &denominators)?.sum_keepdim(1)?;

    let used = (present(&positives)? * present(&denominators)?)?;
    let unused = (1.0 - &used)?;
    let total = (positives.sum_keepdim(1)? + &unused)?;
    let attraction = (shifted.broadcast_mul(&used)? * positives.broadcast_div(&total)?)?.sum_keepdim(1)?;
    let normaliser = ((sum * &used)? + unused)?.log()?;
    Ok(PerSample { of_each: (normaliser - attraction)?.squeeze(1)?, mass: Some(used.squeeze(1)?) })
}

/// Per-sample supervised contrastive loss (SupCon): pulls together all samples of a class in the batch.
///
/// ```text
/// l_i = -(1/|P_i|) sum_{j in P_i} log( exp(z_i . z_j / T) / sum_{m != i} exp(z_i . z_m / T) )
/// P_i = { j != i: y_j = y_i }
/// ```
///
/// Concatenate the embeddings of all views, and repeat the labels accordingly: every embedding is an anchor. This is
/// L_out of the paper; the authors' code multiplies it by T / 0.07. The embeddings are usually of norm 1; they are not
/// normalised here.
///
/// Shapes: `embeddings` z (N, D); `labels` y (N) of `u32`, any numbers; `temperature` T; returns (N). An anchor without
/// positives has loss 0 and mass 0, as in [`contrastive_each`].
///
/// # Errors
///
/// [`Error`](crate::Error) if N or D is zero, the embeddings are neither `f32` nor `f64`, the labels are not (N) of
/// `u32`, or the temperature is not a finite number above 0.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let embeddings = Tensor::new(&[[1f64, 0.0], [1.0, 0.0], [0.0, 1.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[4u32, 4, 7], &Device::Cpu)?;
/// let losses = nc_losses::supervised_contrastive_each(&embeddings, &labels, 0.5)?;
/// let of_each = losses.of_each.to_vec1::<f64>()?;
/// assert!((of_each[0] - 0.126_928).abs() < 1e-6); // ln(1 + e^-2)
/// assert_eq!(of_each[2], 0.0); // alone in its class
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, eq. 2.
pub fn supervised_contrastive_each(
    embeddings: &Tensor,
    labels: &Tensor,
    temperature: f64,
) -> Result<PerSample> {
    let (samples, _) = check::matrix("embeddings", embeddings)?;
    check::shape("labels", labels, &[samples])?;
    check::dtype("labels", labels, DType::U32)?;
    check::temperature(temperature)?;
    let others = others(samples, samples, embeddings)?;
    let positives = (same_class(labels, labels, embeddings.dtype())? * &others)?;
    let embeddings = embeddings.contiguous()?;
    let similarities = (embeddings.matmul(&embeddings.t()?)? / temperature)?;
    contrastive_each(&similarities, &positives, &others)
}

/// 1 where the class of the row is that of the column, else 0: (B, M).
pub(crate) fn same_class(rows: &Tensor, columns: &Tensor, dtype: DType) -> Result<Tensor> {
    Ok(rows.unsqueeze(1)?.broadcast_eq(&columns.unsqueeze(0)?)?.to_dtype(dtype)?)
}

/// 0 on the diagonal, where an anchor meets itself, and 1 elsewhere: (`anchors`, `columns`), like `like`.
pub(crate) fn others(anchors: usize, columns: usize, like: &Tensor) -> Result<Tensor> {
    let range = |end: usize| Tensor::arange(0, end as u32, like.device());
    Ok((1.0 - same_class(&range(anchors)?, &range(columns)?, like.dtype())?)?)
}
