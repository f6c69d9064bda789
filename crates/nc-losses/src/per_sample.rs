use candle_core::Tensor;

use crate::{Error, Result, check};

/// The loss of each sample of a batch, before it is reduced to the scalar that training minimises.
///
/// ```text
/// L = sum_i l_i / sum_i m_i
/// ```
///
/// Functions such as [`cross_entropy_each`](crate::cross_entropy_each) return it. [`weighted`](Self::weighted) applies
/// class weights to any of them; [`mean`](Self::mean), [`over`](Self::over) and [`by_class`](Self::by_class) reduce.
///
/// The mass m_i is separate from the loss because the two do not always carry the same weight: with label smoothing,
/// class weights enter l_i in a sum over all classes, and m_i only as the weight of the label.
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
    /// The masses m, (B), not negative, of the dtype of the losses; `None` if each is 1.
    pub mass: Option<Tensor>,
}

/// The number of classes by which [`PerSample::by_class`] divides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassCount {
    /// All K classes: an absent class has the mean 0.
    All,
    /// The classes that occur in the batch with a mass above 0.
    Present,
}

impl PerSample {
    /// Losses (B) of which each has the mass 1.
    pub fn new(of_each: Tensor) -> Self {
        Self { of_each, mass: None }
    }

    /// Multiplies loss and mass of each sample by the weight of its class.
    ///
    /// ```text
    /// l_i <- w_{y_i} l_i,   m_i <- w_{y_i} m_i
    /// ```
    ///
    /// The mean is then the weighted mean, in which only the ratios of the weights matter. In a mean
    /// [by class](Self::by_class) the weights cancel.
    ///
    /// Shapes: `labels` y (B) of `u32`; `class_weights` w (K), not negative, of the dtype of the losses.
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

    /// The mean over samples, sum_i l_i / sum_i m_i: a scalar. It is 0 if all masses are 0.
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

    /// The sum of the losses over a given mass, sum_i l_i / `mass`: a scalar.
    ///
    /// For a batch that is part of a larger one, as in data-parallel training or gradient accumulation: with the mass
    /// of the global batch, the results of the parts add up to its mean.
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

    /// The mean over classes of the mean within each class: every class counts the same, however many samples it has.
    ///
    /// ```text
    /// L = (1/C) sum_k ( sum_{i: y_i = k} l_i / sum_{i: y_i = k} m_i )
    /// ```
    ///
    /// over the classes k whose samples in the batch have a mass above 0. C is their number or that of all classes,
    /// see [`ClassCount`]. If there are none, the result is 0.
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
        // Summed on the labels' device: nothing waits for it.
        let of_classes = Tensor::zeros(classes, dtype, device)?.index_add(&labels.contiguous()?, &mass, 0)?;
        let sum_of_means = ratio(&self.of_each, &of_classes.index_select(labels, 0)?)?.sum_all()?;
        match count {
            ClassCount::All => Ok((sum_of_means / classes as f64)?),
            ClassCount::Present => ratio(&sum_of_means, &of_classes.gt(0.0)?.to_dtype(dtype)?.sum_all()?),
        }
    }
}

/// `sum / mass` elementwise; 0, with gradient 0, where the mass is 0.
fn ratio(sum: &Tensor, mass: &Tensor) -> Result<Tensor> {
    let nothing = mass.eq(0.0)?.to_dtype(mass.dtype())?;
    Ok(((sum * (1.0 - &nothing)?)? / (mass + nothing)?)?)
}
