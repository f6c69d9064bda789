use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::{Init, VarBuilder, var_builder::SimpleBackend};
use safetensors::SafeTensors;

use crate::{Error, Result, random::initial_values};

/// The named variables of a model: parameters, and buffers such as running statistics.
///
/// Unlike [`candle_nn::VarMap`] it is ordered by name, and each initial value is drawn from a ChaCha8
/// stream keyed by (seed, name): the same seed gives the same model on every device, in whatever order
/// its layers are built. Clones share their variables. All variables are `f32`.
#[derive(Clone)]
pub struct ParamStore {
    seed: u64,
    device: Device,
    vars: Arc<Mutex<BTreeMap<String, Var>>>,
}

impl ParamStore {
    /// An empty store whose parameters will be drawn from `seed` and live on `device`.
    pub fn new(seed: u64, device: &Device) -> Self {
        Self { seed, device: device.clone(), vars: Arc::default() }
    }

    /// A builder that creates parameters in this store, for use by layers of this crate, of `candle-nn`
    /// and of your own.
    pub fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, self.device.clone())
    }

    /// All variables, ordered by name.
    pub fn vars(&self) -> Vec<(String, Var)> {
        self.lock().iter().map(|(name, var)| (name.clone(), var.clone())).collect()
    }

    /// Number of scalars in all variables but running statistics; those of a head that is fixed count as well.
    pub fn parameter_count(&self) -> usize {
        let is_buffer = |name: &str| name.ends_with(".running_mean") || name.ends_with(".running_var");
        self.lock().iter().filter(|(name, _)| !is_buffer(name)).map(|(_, var)| var.elem_count()).sum()
    }

    /// Draws the parameter `name` anew from `init`. The stream is keyed by `purpose` as well, so that the
    /// values differ from those of the first initialisation.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownParameter`].
    pub fn reinitialize(&self, name: &str, init: Init, purpose: &str) -> Result<()> {
        let vars = self.lock();
        let var = vars.get(name).ok_or_else(|| Error::UnknownParameter(name.to_owned()))?;
        let values = initial_values(init, var.dims(), self.seed, &format!("{name}#{purpose}"));
        var.set(&Tensor::from_vec(values, var.shape(), &self.device)?)?;
        Ok(())
    }

    /// Sets the parameter `name`.
    pub(crate) fn set(&self, name: &str, value: &Tensor) -> Result<()> {
        let vars = self.lock();
        let var = vars.get(name).ok_or_else(|| Error::UnknownParameter(name.to_owned()))?;
        // A copy, since the value may be the variable itself.
        var.set(&value.detach().copy()?)?;
        Ok(())
    }

    /// Sees to it that no parameter stands under `prefix`: whoever asks for a name that is there shares its variable.
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`] with the first that does.
    pub fn ensure_free(&self, prefix: &str) -> Result<()> {
        let taken = self.lock().keys().find(|name| name.split('.').next() == Some(prefix)).cloned();
        taken.map_or(Ok(()), |name| Err(Error::NameTaken(name)))
    }

    /// Whether there is a parameter `name`.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }

    /// Forgets the parameter `name`, if it is there.
    pub(crate) fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    /// In the safetensors format, under their names, what `change` makes of each variable; none to leave it out.
    pub(crate) fn to_safetensors_with(
        &self,
        change: impl Fn(&str, &Tensor) -> Option<Tensor>,
    ) -> Result<Vec<u8>> {
        let vars = self.lock();
        let changed = vars.iter().filter_map(|(name, var)| Some((name, change(name, var.as_tensor())?)));
        Ok(safetensors::serialize(changed, None)?)
    }

    /// Sets all variables from safetensors `bytes`. PyTorch's `num_batches_tracked` counters are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::Weights`] where a variable is missing, has another shape or is not known; then nothing is changed.
    pub fn load_safetensors(&self, bytes: &[u8]) -> Result<()> {
        let file = SafeTensors::deserialize(bytes)?;
        let vars = self.lock();
        for name in file.names() {
            if !vars.contains_key(name) && !name.ends_with("num_batches_tracked") {
                return Err(Error::Weights(format!("the model has no parameter named {name:?}")));
            }
        }
        let mut loaded = Vec::with_capacity(vars.len());
        for (name, var) in vars.iter() {
            let view = file.tensor(name).map_err(|_| Error::Weights(format!("{name:?} is missing")))?;
            if view.shape() != var.dims() {
                let (expected, found) = (var.dims(), view.shape());
                return Err(Error::Weights(format!(
                    "{name:?} should have shape {expected:?}, not {found:?}"
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

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Var>> {
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
            candle_core::bail!("parameter {name:?}: this store holds f32, not {dtype:?}");
        }
        let mut vars = self.lock();
        if let Some(var) = vars.get(name) {
            if var.shape() != &shape {
                candle_core::bail!("parameter {name:?} has shape {:?}, asked for {shape:?}", var.shape());
            }
            return Ok(var.as_tensor().clone());
        }
        let values = initial_values(init, shape.dims(), self.seed, name);
        let var = Var::from_tensor(&Tensor::from_vec(values, shape, &self.device)?)?;
        let tensor = var.as_tensor().clone();
        vars.insert(name.to_owned(), var);
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        match self.lock().get(name) {
            Some(var) => Ok(var.as_tensor().clone()),
            None => candle_core::bail!("there is no parameter named {name:?}"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }
}
