use candle_core::Tensor;

use crate::{Error, Result, check};

/// Per-sample losses of a batch, before reduction to the scalar that training minimises.
///
/// ```text
/// L = sum_i l_i / sum_i m_i
/// ```
///
/// Returned by functions such as [`cross_entropy_each`](crate::cross_entropy_each). [`weighted`](Self::weighted)
/// applies class weights; [`mean`](Self::mean), [`over`](Self::over) and [`by_class`](Self::by_class) reduce.
///
/// The mass m_i is separate from the loss because the two may carry different weights: with label smoothing, class
/// weights enter l_i through a sum over all classes, but m_i only as the weight of the label.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use nc_losses::{ClassCount, PerSample};
///
/// let labels = Tensor::new(&[0u32, 0, 2], &Device::Cpu)?;
/// let losses = PerSample::new(Tensor::new(&[1f32, 3.0, 5.0], &Device::Cpu)?);
/// assert_eq!(losses.mean()?.to_scalar::<f32>()?, 3.0);
/// assert_eq!(losses.over(6.0)?.to_scalar::<f32>()?, 1.5); // in a global batch of 6 samples
/// let present = losses.by_class(&labels, 4, ClassCount::Present)?;
/// assert_eq!(present.to_scalar::<f32>()?, 3.5); // (2 + 5) / 2
/// let all = losses.by_class(&labels, 4, ClassCount::All)?;
/// assert_eq!(all.to_scalar::<f32>()?, 1.75); // (2 + 0 + 5 + 0) / 4
///
/// let weights = Tensor::new(&[0.5f32, 1.0, 1.0, 1.5], &Device::Cpu)?;
/// let weighted = losses.weighted(&labels, &weights)?;
/// assert_eq!(weighted.mean()?.to_scalar::<f32>()?, 3.5); // (0.5 + 1.5 + 5) / (0.5 + 0.5 + 1)
/// # Ok::<(), nc_losses::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PerSample {
    /// The losses l, (B), of `f32` or `f64`.
    pub of_each: Tensor,
    /// The masses m, (B), non-negative, of the dtype of the losses; `None` if all are 1.
    pub mass: Option<Tensor>,
}

/// Divisor of [`PerSample::by_class`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassCount {
    /// All K classes; an absent class has mean 0.
    All,
    /// The classes with mass above 0 in the batch.
    Present,
}

impl PerSample {
    /// Losses (B), each with mass 1.
    pub fn new(of_each: Tensor) -> Self {
        Self { of_each, mass: None }
    }

    /// Multiplies loss and mass of each sample by the weight of its class.
    ///
    /// ```text
    /// l_i <- w_{y_i} l_i,   m_i <- w_{y_i} m_i
    /// ```
    ///
    /// The mean becomes the weighted mean, in which only the ratios of the weights matter. In a mean
    /// [by class](Self::by_class) the weights cancel.
    ///
    /// Shapes: `labels` y (B) of `u32`; `class_weights` w (K), non-negative, of the dtype of the losses.
    ///
    /// # Errors
    ///
    /// [`Error`] if shapes or dtypes disagree, or a label on the CPU is not below K.
    pub fn weighted(self, labels: &Tensor, class_weights: &Tensor) -> Result<Self> {
        check::shape("class_weights", class_weights, &[class_weights.elem_count()])?;
        check::dtype("class_weights", class_weights, self.of_each.dtype())?;
        check::labels(labels, self.of_each.elem_count(), class_weights.elem_count())?;
        let weights = class_weights.contiguous()?.index_select(labels, 0)?;
        let of_each = (self.of_each * &weights)?;
        let mass = match self.mass {
            None => weights,
            Some(mass) => (mass * weights)?,
        };
        Ok(Self { of_each, mass: Some(mass) })
    }

    /// Mean over samples, sum_i l_i / sum_i m_i: a scalar, 0 if all masses are 0.
    ///
    /// # Errors
    ///
    /// [`Error::Candle`] if losses and masses differ in dtype or device.
    pub fn mean(&self) -> Result<Tensor> {
        match &self.mass {
            None => Ok(self.of_each.mean_all()?),
            Some(mass) => ratio(&self.of_each.sum_all()?, &mass.sum_all()?),
        }
    }

    /// Sum of the losses divided by a given mass, sum_i l_i / `mass`: a scalar.
    ///
    /// For a part of a larger batch, as in data-parallel training or gradient accumulation: with the mass of the global
    /// batch, the results of the parts add up to its mean.
    ///
    /// # Errors
    ///
    /// [`Error::Range`] unless `mass` is finite and above 0.
    pub fn over(&self, mass: f64) -> Result<Tensor> {
        if !(mass > 0.0 && mass.is_finite()) {
            return Err(Error::Range { argument: "mass", expected: "a finite number above 0", found: mass });
        }
        Ok((self.of_each.sum_all()? / mass)?)
    }

    /// Mean over classes of the mean within each class: every class has equal weight, whatever its number of samples.
    ///
    /// ```text
    /// L = (1/C) sum_k ( sum_{i: y_i = k} l_i / sum_{i: y_i = k} m_i )
    /// ```
    ///
    /// over the classes k with mass above 0 in the batch. C is their number or that of all classes, see [`ClassCount`].
    /// If there are none, the result is 0.
    ///
    /// Shapes: `labels` y (B) of `u32`; `classes` K; returns a scalar.
    ///
    /// # Errors
    ///
    /// [`Error`] if the labels are not (B), not `u32`, or a label on the CPU is not below K.
    pub fn by_class(&self, labels: &Tensor, classes: usize, count: ClassCount) -> Result<Tensor> {
        let (samples, dtype, device) =
            (self.of_each.elem_count(), self.of_each.dtype(), self.of_each.device());
        check::labels(labels, samples, classes)?;
        let mass = match &self.mass {
            None => Tensor::ones(samples, dtype, device)?,
            Some(mass) => mass.contiguous()?,
        };
        // The sum stays on the labels' device, without a synchronisation.
        let of_classes = Tensor::zeros(classes, dtype, device)?.index_add(&labels.contiguous()?, &mass, 0)?;
        let sum_of_means = ratio(&self.of_each, &of_classes.index_select(labels, 0)?)?.sum_all()?;
        match count {
            ClassCount::All => Ok((sum_of_means / classes as f64)?),
            ClassCount::Present => ratio(&sum_of_means, &of_classes.gt(0.0)?.to_dtype(dtype)?.sum_all()?),
        }
    }
}

/// `sum / mass` elementwise; 0 with gradient 0 where the mass is 0.
fn ratio(sum: &Tensor, mass: &Tensor) -> Result<Tensor> {
    let nothing = mass.eq(0.0)?.to_dtype(mass.dtype())?;
    Ok(((sum * (1.0 - &nothing)?)? / (mass + nothing)?)?)
}
