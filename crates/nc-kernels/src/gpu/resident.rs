//! Parameters that stay on the GPU between training steps.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Error, Result, Tensor, Var};
use nc_cuda::{AdamW, Buffer, Device, Factors, Parameters, Sgd};

use super::process;

/// Parameters on the GPU of [`start`](super::start). While this exists, layers on the GPU read them there instead of the
/// variables, and leave their gradients there instead of in Candle's [`GradStore`](candle_core::backprop::GradStore).
/// Variables that no such layer reads are left to the host.
///
/// The variables are out of date until [`Resident::sync`].
pub struct Resident {
    vars: Vec<Var>,
    shared: Arc<Shared>,
}

/// Values of the shape of all parameters: an optimiser's state, or averages.
pub struct Vector(Buffer);

struct Shared {
    parameters: Parameters,
    gradients: Buffer,
    state: Mutex<State>,
}

struct State {
    /// What layers read.
    values: Buffer,
    uses: Vec<Use>,
}

/// What layers on the GPU did with a parameter.
#[derive(Clone, Copy, Default)]
struct Use {
    read: bool,
    has_gradient: bool,
}

/// Resident parameters by the address of their variables' storage, which detached tensors share.
static ALL: LazyLock<Mutex<HashMap<usize, Place>>> = LazyLock::new(Mutex::default);

/// A parameter among those that entered together.
type Place = (Arc<Shared>, usize);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No statement that could panic leaves the state half updated.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn address(tensor: &Tensor) -> usize {
    std::ptr::from_ref(&*tensor.storage_and_layout().0).addr()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// The resident parameter that `tensor` is, possibly detached. Parts and other views of one are not.
fn find(tensor: &Tensor, device: &Device) -> Option<Place> {
    let (shared, parameter) = lock(&ALL).get(&address(tensor))?.clone();
    let whole = tensor.is_contiguous() && tensor.elem_count() == shared.parameters.count(parameter);
    let own = tensor.is_variable() || !tensor.track_op();
    (whole && own && shared.parameters.device().is_same(device)).then_some((shared, parameter))
}

/// The values of a parameter if it is resident.
pub(super) fn values(tensor: &Tensor, device: &Device) -> Option<Buffer> {
    let (shared, parameter) = find(tensor, device)?;
    let mut state = shared.state();
    state.uses[parameter].read = true;
    Some(shared.parameters.part(&state.values, parameter))
}

/// Whether a parameter is resident and has a gradient in this pass.
pub(super) fn learns(tensor: &Tensor, device: &Device) -> bool {
    tensor.track_op() && find(tensor, device).is_some()
}

/// Forgets the gradient of a parameter, of which a failed pass computed only a part.
pub(super) fn forget_gradient(tensor: &Tensor, device: &Device) {
    if let Some((shared, parameter)) = find(tensor, device) {
        shared.state().uses[parameter].has_gradient = false;
    }
}

/// Destination of a resident parameter's gradient.
pub(super) struct GradientSlot {
    shared: Arc<Shared>,
    parameter: usize,
    count: usize,
    to: Buffer,
    /// Whether `to` is to be added to an earlier gradient of the pass.
    add: bool,
}

impl GradientSlot {
    /// That of `tensor`; `None` unless it [`learns`].
    pub(super) fn of(tensor: &Tensor, device: &Device) -> nc_cuda::Result<Option<Self>> {
        let Some((shared, parameter)) = find(tensor, device).filter(|_| tensor.track_op()) else {
            return Ok(None);
        };
        let (add, count) = (shared.state().uses[parameter].has_gradient, tensor.elem_count());
        let own = shared.parameters.part(&shared.gradients, parameter);
        let to = if add { device.buffer(count * 4)? } else { own };
        Ok(Some(Self { shared, parameter, count, to, add }))
    }

    /// Where to write the gradient.
    pub(super) fn target(&self) -> &Buffer {
        &self.to
    }

    /// Takes the gradient, now written.
    pub(super) fn take(&self, device: &Device) -> nc_cuda::Result<()> {
        if self.add {
            let sum = self.shared.parameters.part(&self.shared.gradients, self.parameter);
            sum.add_values(device, &self.to, self.count)?;
        }
        self.shared.state().uses[self.parameter].has_gradient = true;
        Ok(())
    }
}

impl Resident {
    /// Copies variables to the process's GPU; `None` without one, without variables, or if one is no f32 tensor on the CPU.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn new(vars: &[Var]) -> Result<Option<Self>> {
        let on_cpu = |var: &Var| var.device().is_cpu() && var.dtype() == DType::F32;
        match process::device() {
            Some(device) if !vars.is_empty() && vars.iter().all(on_cpu) => {
                Self::on_device(vars, device).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// [`Resident::new`] on a given device.
    pub(crate) fn on_device(vars: &[Var], device: &Device) -> Result<Self> {
        let counts: Vec<usize> = vars.iter().map(|var| var.elem_count()).collect();
        let parameters = Parameters::new(device, &counts).map_err(Error::wrap)?;
        let tensors: Vec<_> = vars.iter().map(|var| Some(var.as_detached_tensor())).collect();
        let values = upload(&parameters, &tensors)?;
        let gradients = upload(&parameters, &[])?;
        let state = Mutex::new(State { values, uses: vec![Use::default(); vars.len()] });
        let shared = Arc::new(Shared { parameters, gradients, state });
        let entry = |(parameter, var): (usize, &Var)| (address(var.as_tensor()), (shared.clone(), parameter));
        lock(&ALL).extend(vars.iter().enumerate().map(entry));
        Ok(Self { vars: vars.to_vec(), shared })
    }

    /// Forgets the gradients. Backward passes add to those that were computed since.
    pub fn clear_gradients(&self) {
        self.shared.state().uses.iter_mut().for_each(|one| one.has_gradient = false);
    }

    /// Whether each parameter is read by layers on the GPU.
    pub fn reads(&self) -> Vec<bool> {
        self.shared.state().uses.iter().map(|one| one.read).collect()
    }

    /// Whether each parameter has a gradient on the GPU.
    pub fn have_gradients(&self) -> Vec<bool> {
        self.shared.state().uses.iter().map(|one| one.has_gradient).collect()
    }

    /// The squared norm of each gradient on the GPU.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn squared_norms(&self) -> Result<Vec<f64>> {
        if !self.have_gradients().contains(&true) {
            return Ok(vec![]);
        }
        let squares = self.shared.parameters.squares(&self.shared.gradients).map_err(Error::wrap)?;
        let with_gradient = squares.into_iter().zip(self.have_gradients()).filter(|(_, has)| *has);
        Ok(with_gradient.map(|(square, _)| f64::from(square)).collect())
    }

    /// Copies a tensor for each parameter, or zeros, to the GPU.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn vector(&self, tensors: &[Option<Tensor>]) -> Result<Vector> {
        upload(&self.shared.parameters, tensors).map(Vector)
    }

    /// Copies the part of each parameter that the GPU reads from it.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn tensors(&self, vector: &Vector) -> Result<Vec<Option<Tensor>>> {
        self.download(&vector.0)
    }

    fn download(&self, vector: &Buffer) -> Result<Vec<Option<Tensor>>> {
        let all = self.shared.parameters.download(vector).map_err(Error::wrap)?;
        let tensor = |((values, var), read): ((Vec<f32>, &Var), bool)| {
            read.then(|| Tensor::from_vec(values, var.shape(), var.device())).transpose()
        };
        all.into_iter().zip(&self.vars).zip(self.reads()).map(tensor).collect()
    }

    /// Sets the variables to their values on the GPU.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn sync(&self) -> Result<()> {
        for (var, tensor) in self.vars.iter().zip(self.download(&self.values())?) {
            if let Some(tensor) = tensor {
                var.set(&tensor)?;
            }
        }
        Ok(())
    }

    /// A step of SGD on the parameters that have a gradient and `factors`.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn sgd(&self, by: Sgd, factors: &[Factors], momenta: &Vector) -> Result<()> {
        let Shared { parameters, gradients, .. } = self.shared.as_ref();
        let vectors = [&self.values(), gradients, &momenta.0];
        parameters.sgd(by, &self.with_gradient(factors), vectors).map_err(Error::wrap)
    }

    /// A step of AdamW, as [`Resident::sgd`].
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn adamw(&self, by: AdamW, factors: &[Factors], first: &Vector, second: &Vector) -> Result<()> {
        let Shared { parameters, gradients, .. } = self.shared.as_ref();
        let vectors = [&self.values(), gradients, &first.0, &second.0];
        parameters.adamw(by, &self.with_gradient(factors), vectors).map_err(Error::wrap)
    }

    /// Moves averages towards the parameters: averages <- averages + rate (parameters - averages).
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn average(&self, averages: &Vector, rate: f64) -> Result<()> {
        let factors = vec![Some(Factors::rate(rate)); self.vars.len()];
        self.shared.parameters.average(&averages.0, &self.values(), &factors).map_err(Error::wrap)
    }

    /// The parameters plus `rate` times their gradients.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn moved(&self, rate: f64) -> Result<Vector> {
        let Shared { parameters, gradients, .. } = self.shared.as_ref();
        let factors = self.with_gradient(&vec![Factors::rate(rate); self.vars.len()]);
        let moved = parameters.moved(&self.values(), gradients, &factors);
        moved.map(Vector).map_err(Error::wrap)
    }

    /// The result of `of` while layers on the GPU read `vector` instead.
    pub fn with<T>(&self, vector: &Vector, of: impl FnOnce() -> T) -> T {
        /// Also after a panic.
        struct Restore<'a>(&'a Shared, Option<Buffer>);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                if let Some(own) = self.1.take() {
                    self.0.state().values = own;
                }
            }
        }
        let own = std::mem::replace(&mut self.shared.state().values, vector.0.clone());
        let _restore = Restore(&self.shared, Some(own));
        of()
    }

    fn values(&self) -> Buffer {
        self.shared.state().values.clone()
    }

    fn with_gradient(&self, factors: &[Factors]) -> Vec<Option<Factors>> {
        let has = self.have_gradients().into_iter().zip(factors);
        has.map(|(has, factors)| has.then_some(*factors)).collect()
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        let mut all = lock(&ALL);
        for var in &self.vars {
            all.remove(&address(var.as_tensor()));
        }
    }
}

fn upload(parameters: &Parameters, tensors: &[Option<Tensor>]) -> Result<Buffer> {
    let values = tensors.iter().map(|tensor| tensor.as_ref().map(|tensor| tensor.flatten_all()?.to_vec1()));
    let values: Vec<Option<Vec<f32>>> = values.map(Option::transpose).collect::<Result<_>>()?;
    parameters.upload(values.iter().map(Option::as_deref)).map_err(Error::wrap)
}
