use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};
use safetensors::SafeTensors;

use crate::{Error, Result, random::initial_values};

/// The part of a network that a parameter belongs to; training phases select parameters by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Everything that computes features, including their normalisation.
    Backbone,
    /// The classifier heads.
    Head,
    /// Projection heads.
    Projection,
    /// Learnable logit factors, see [`ScaledHead`](crate::ScaledHead).
    LogitScale,
}

/// How a variable is updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// By an optimiser. Also the role of buffers that declare none, such as those of `candle_nn::BatchNorm`: without a
    /// gradient no optimiser moves them.
    Learned,
    /// By forward passes: running statistics.
    Statistic,
    /// Never, as the fixed directions of [`EtfHead`](crate::EtfHead).
    Fixed,
}

/// A variable of a [`ParamStore`].
#[derive(Clone, Debug)]
pub struct Param {
    /// Name, as in weight files.
    pub name: String,
    /// Value.
    pub var: Var,
    /// Part of the network it belongs to.
    pub group: Group,
    /// How it is updated.
    pub role: Role,
}

thread_local! {
    /// The role of variables created now. Candle's `VarBuilder` passes only shape, name and initial values to its
    /// backend.
    static ROLE: Cell<Role> = const { Cell::new(Role::Learned) };
}

/// Runs `create` and gives every variable that a [`ParamStore`] creates in it this `role`.
///
/// ```
/// use candle_core::Device;
/// use nc_models::{ParamStore, Role, with_role};
///
/// let params = ParamStore::new(0, &Device::Cpu);
/// let count = with_role(Role::Statistic, || params.builder().get(3, "count"))?;
/// assert_eq!(params.all()[0].role, Role::Statistic);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn with_role<T>(role: Role, create: impl FnOnce() -> T) -> T {
    /// Restores the role, even if `create` panics.
    struct Outer(Role);
    impl Drop for Outer {
        fn drop(&mut self) {
            ROLE.set(self.0);
        }
    }
    let _outer = Outer(ROLE.replace(role));
    create()
}

/// The named variables of a model: parameters, and buffers such as running statistics.
///
/// Unlike [`candle_nn::VarMap`] it is ordered by name, knows the [`Group`] and [`Role`] of each variable, and draws
/// initial values from ChaCha8 streams keyed by (seed, name): the same seed gives the same model on every device, in
/// any order of construction. Clones share their variables. All variables are `f32`.
#[derive(Clone)]
pub struct ParamStore {
    seed: u64,
    device: Device,
    /// Group of the variables created by builders of this clone.
    group: Group,
    vars: Arc<Mutex<BTreeMap<String, Entry>>>,
}

struct Entry {
    var: Var,
    group: Group,
    role: Role,
}

impl ParamStore {
    /// An empty store on `device` that initialises parameters from `seed`.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self { seed, device: device.clone(), group: Group::Backbone, vars: Arc::default() }
    }

    /// A builder that creates backbone parameters in this store, for layers of this crate, of `candle-nn` and custom
    /// ones.
    pub fn builder(&self) -> VarBuilder<'static> {
        self.builder_in(Group::Backbone)
    }

    /// A builder that creates parameters of `group` in this store.
    pub fn builder_in(&self, group: Group) -> VarBuilder<'static> {
        let backend = Self { group, ..self.clone() };
        VarBuilder::from_backend(Box::new(backend), DType::F32, self.device.clone())
    }

    /// Device of the variables.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// All variables with group and role, ordered by name.
    pub fn all(&self) -> Vec<Param> {
        let param = |(name, entry): (&String, &Entry)| Param {
            name: name.clone(),
            var: entry.var.clone(),
            group: entry.group,
            role: entry.role,
        };
        self.lock().iter().map(param).collect()
    }

    /// All variables by name, ordered by name.
    pub fn vars(&self) -> Vec<(String, Var)> {
        self.lock().iter().map(|(name, entry)| (name.clone(), entry.var.clone())).collect()
    }

    /// Number of scalars in all variables except running statistics; fixed heads count.
    pub fn parameter_count(&self) -> usize {
        // `candle_nn::BatchNorm` declares no roles, but its buffers have PyTorch's names.
        let is_buffer = |name: &str, entry: &Entry| {
            entry.role == Role::Statistic || name.ends_with(".running_mean") || name.ends_with(".running_var")
        };
        let vars = self.lock();
        let counted = vars.iter().filter(|(name, entry)| !is_buffer(name, entry));
        counted.map(|(_, entry)| entry.var.elem_count()).sum()
    }

    /// Re-initialises the parameter `name` from `init`. The stream is also keyed by `purpose`, so that the values
    /// differ from the first initialisation.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownParameter`] if there is no such parameter.
    pub fn reinitialize(&self, name: &str, init: Init, purpose: &str) -> Result<()> {
        let vars = self.lock();
        let Entry { var, .. } = vars.get(name).ok_or_else(|| Error::UnknownParameter(name.to_owned()))?;
        let values = initial_values(init, var.dims(), self.seed, &format!("{name}#{purpose}"));
        var.set(&Tensor::from_vec(values, var.shape(), &self.device)?)?;
        Ok(())
    }

    /// Sets the parameter `name`.
    pub(crate) fn set(&self, name: &str, value: &Tensor) -> Result<()> {
        let vars = self.lock();
        let Entry { var, .. } = vars.get(name).ok_or_else(|| Error::UnknownParameter(name.to_owned()))?;
        // Copies, because the value may be the variable itself.
        var.set(&value.detach().copy()?)?;
        Ok(())
    }

    /// Checks that no parameter name starts with the component `prefix`; otherwise two layers would share a variable.
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`] with the first such name.
    pub fn ensure_free(&self, prefix: &str) -> Result<()> {
        let taken = self.lock().keys().find(|name| name.split('.').next() == Some(prefix)).cloned();
        taken.map_or(Ok(()), |name| Err(Error::NameTaken(name)))
    }

    /// True if there is a parameter `name`.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }

    /// Removes the parameter `name`, if any.
    pub(crate) fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Serialises each variable, mapped by `change`, in the safetensors format; `None` leaves it out.
    pub(crate) fn to_safetensors_with(
        &self,
        change: impl Fn(&str, &Tensor) -> Option<Tensor>,
    ) -> Result<Vec<u8>> {
        let vars = self.lock();
        let changed =
            vars.iter().filter_map(|(name, entry)| Some((name, change(name, entry.var.as_tensor())?)));
        Ok(safetensors::serialize(changed, None)?)
    }

    /// Loads all variables from safetensors `bytes`. Skips PyTorch's `num_batches_tracked` counters.
    ///
    /// # Errors
    ///
    /// [`Error::Weights`] for a missing, unknown or differently shaped variable; nothing is changed then.
    pub fn load_safetensors(&self, bytes: &[u8]) -> Result<()> {
        let file = SafeTensors::deserialize(bytes)?;
        let vars = self.lock();
        for name in file.names() {
            if !vars.contains_key(name) && !name.ends_with("num_batches_tracked") {
                return Err(Error::Weights(format!("the model has no parameter named {name:?}")));
            }
        }
        let mut loaded = Vec::with_capacity(vars.len());
        for (name, Entry { var, .. }) in vars.iter() {
            let view = file.tensor(name).map_err(|_| Error::Weights(format!("{name:?} is missing")))?;
            if view.shape() != var.dims() {
                let (expected, found) = (var.dims(), view.shape());
                return Err(Error::Weights(format!(
                    "expected {name:?} of shape {expected:?}, found {found:?}"
                )));
            }
            loaded.push((
                var,
                candle_core::safetensors::Load::load(&view, &self.device)?.to_dtype(DType::F32)?,
            ));
        }
        for (var, tensor) in loaded {
            var.set(&tensor)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        // A panic elsewhere cannot leave the map half changed.
        self.vars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimpleBackend for ParamStore {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        _: &Device,
    ) -> candle_core::Result<Tensor> {
        if dtype != DType::F32 {
            candle_core::bail!("parameter {name:?}: expected dtype F32, found {dtype:?}");
        }
        let mut vars = self.lock();
        if let Some(Entry { var, .. }) = vars.get(name) {
            if var.shape() != &shape {
                candle_core::bail!("parameter {name:?}: expected shape {:?}, found {shape:?}", var.shape());
            }
            return Ok(var.as_tensor().clone());
        }
        let values = initial_values(init, shape.dims(), self.seed, name);
        let var = Var::from_tensor(&Tensor::from_vec(values, shape, &self.device)?)?;
        let tensor = var.as_tensor().clone();
        vars.insert(name.to_owned(), Entry { var, group: self.group, role: ROLE.get() });
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        match self.lock().get(name) {
            Some(entry) => Ok(entry.var.as_tensor().clone()),
            None => candle_core::bail!("there is no parameter named {name:?}"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }
}
