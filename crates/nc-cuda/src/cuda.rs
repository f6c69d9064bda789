//! The driver of a real GPU.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::api::{self, Api};
use crate::driver::{Driver, Launch};
use crate::graphs::Graphs;
use crate::pinned::Pinned;
use crate::timing::Timing;
use crate::{Error, Result, Source, nvrtc};

/// A GPU with a stream of its own.
pub(crate) struct Cuda {
    api: &'static Api,
    context: api::Context,
    stream: api::Stream,
    device: api::Device,
    /// Compute capability.
    major: i32,
    minor: i32,
    state: Mutex<State>,
}

struct State {
    kernels: Vec<Kernel>,
    graphs: Graphs,
    uploads: Pinned,
    downloads: Pinned,
    /// Set while kernels are measured.
    timing: Option<Timing>,
}

impl State {
    fn new(api: &'static Api) -> Self {
        Self {
            kernels: vec![],
            graphs: Graphs::new(api),
            uploads: Pinned::new(api),
            downloads: Pinned::new(api),
            timing: None,
        }
    }
}

#[derive(Clone, Copy)]
struct Kernel {
    function: api::Function,
    threads: u32,
}

// SAFETY: the driver's handles may be used from any thread that has made the context current, as every call here does.
unsafe impl Send for Cuda {}
// SAFETY: as above; `state` is behind a mutex.
unsafe impl Sync for Cuda {}

impl Cuda {
    pub(crate) fn open(ordinal: usize) -> Result<Self> {
        let api = Api::get()?;
        // SAFETY: pointers are to variables of the expected types; the device exists once its ordinal is checked.
        unsafe {
            api.check("cuInit", (api.init)(0))?;
            let mut count = 0;
            api.check("cuDeviceGetCount", (api.device_count)(&raw mut count))?;
            let count = usize::try_from(count).unwrap_or(0);
            if ordinal >= count {
                return Err(Error::NoDevice { ordinal, count });
            }
            let mut device = 0;
            api.check("cuDeviceGet", (api.device)(&raw mut device, ordinal as c_int))?;
            let attribute = |attribute| {
                let mut value = 0;
                let code = (api.device_attribute)(&raw mut value, attribute, device);
                api.check("cuDeviceGetAttribute", code).map(|()| value)
            };
            let major = attribute(api::COMPUTE_CAPABILITY_MAJOR)?;
            let minor = attribute(api::COMPUTE_CAPABILITY_MINOR)?;
            if major < 8 {
                return Err(Error::TooOld { name: name(api, device)?, major, minor });
            }
            let mut version = 0;
            api.check("cuDriverGetVersion", (api.driver_version)(&raw mut version))?;
            nvrtc::find(version / 1000)?;
            let (mut context, mut stream) = (null_mut(), null_mut());
            api.check("cuDevicePrimaryCtxRetain", (api.context_retain)(&raw mut context, device))?;
            let current = api.check("cuCtxSetCurrent", (api.context_set)(context)).and_then(|()| {
                let code = (api.stream_create)(&raw mut stream, api::STREAM_NON_BLOCKING);
                api.check("cuStreamCreate", code)
            });
            if let Err(error) = current {
                // A failure would leak the context.
                (api.context_release)(device);
                return Err(error);
            }
            Ok(Self { api, context, stream, device, major, minor, state: Mutex::new(State::new(api)) })
        }
    }

    /// Makes the context current for the calling thread.
    fn enter(&self) -> Result<MutexGuard<'_, State>> {
        // SAFETY: the context is valid until drop.
        self.api.check("cuCtxSetCurrent", unsafe { (self.api.context_set)(self.context) })?;
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn launch(&self, kernels: &[Kernel], launch: &Launch) -> Result<()> {
        let Kernel { function, threads } = kernels[launch.kernel];
        // Aligned for any argument.
        let bytes = launch.arguments.iter().map(|argument| argument.bytes());
        let mut values: Vec<u64> = bytes.map(u64::from_ne_bytes).collect();
        let mut pointers: Vec<*mut c_void> =
            values.iter_mut().map(|value| (&raw mut *value).cast()).collect();
        let [x, y, z] = launch.grid.blocks.map(|blocks| blocks as u32);
        // SAFETY: the arguments match the kernel's parameters (the emulator checks every call against the signature), and
        // their memory is not freed while the device lives.
        self.api.check("cuLaunchKernel", unsafe {
            (self.api.launch)(
                function,
                x,
                y,
                z,
                threads,
                1,
                1,
                launch.grid.shared as u32,
                self.stream,
                pointers.as_mut_ptr(),
                null_mut(),
            )
        })
    }
}

/// Name of a GPU.
///
/// # Safety
///
/// The device must exist.
unsafe fn name(api: &Api, device: api::Device) -> Result<String> {
    let mut name: [c_char; 256] = [0; 256];
    // SAFETY: the driver writes at most 256 bytes, the last of them NUL.
    unsafe {
        api.check("cuDeviceGetName", (api.device_name)(name.as_mut_ptr(), 256, device))?;
        Ok(CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned())
    }
}

impl Driver for Cuda {
    fn allocate(&self, bytes: usize) -> Result<u64> {
        let _state = self.enter()?;
        let mut address = 0;
        // SAFETY: kernels and copies fill the memory before others read it.
        let code = unsafe { (self.api.memory_allocate)(&raw mut address, bytes) };
        self.api.check("cuMemAlloc", code).map(|()| address)
    }

    fn free(&self, address: u64) {
        if let Ok(_state) = self.enter() {
            // SAFETY: `allocate` returned the address. The driver waits for kernels that use it. A failure leaks it.
            unsafe { (self.api.memory_free)(address) };
        }
    }

    fn upload(&self, to: u64, from: &[u8]) -> Result<()> {
        let mut state = self.enter()?;
        let staged = state.uploads.stage(from)?;
        // SAFETY: the destination has at least as many bytes, and the staged ones stay until the copy's event.
        let code =
            unsafe { (self.api.copy_to_device)(to, staged.as_ptr().cast(), staged.len(), self.stream) };
        self.api.check("cuMemcpyHtoDAsync", code)?;
        state.uploads.record(self.stream)
    }

    fn download(&self, from: u64, to: &mut [u8]) -> Result<()> {
        let mut state = self.enter()?;
        let staging = state.downloads.buffer(to.len())?;
        // SAFETY: the source has at least as many bytes, and the staging memory lives until the stream is synchronised.
        unsafe {
            let code = (self.api.copy_to_host)(staging.as_mut_ptr().cast(), from, staging.len(), self.stream);
            self.api.check("cuMemcpyDtoHAsync", code)?;
            self.api.check("cuStreamSynchronize", (self.api.stream_synchronize)(self.stream))?;
        }
        to.copy_from_slice(staging);
        Ok(())
    }

    fn compile(&self, source: &Source) -> Result<usize> {
        let mut state = self.enter()?;
        let name = CString::new(source.kernel)
            .map_err(|error| Error::Compile { kernel: source.kernel, log: error.to_string() })?;
        let (mut module, mut function) = (null_mut(), null_mut());
        // SAFETY: the image is a cubin for this GPU; the module stays loaded. The limit of shared memory holds on every GPU
        // since compute capability 8.0.
        unsafe {
            let api = self.api;
            let mut load = |cached| {
                let code = nvrtc::cubin(source, self.major, self.minor, cached)?;
                api.check("cuModuleLoadData", (api.module_load)(&raw mut module, code.as_ptr().cast()))
            };
            // A damaged file in the cache is compiled again.
            load(true).or_else(|_| load(false))?;
            let code = (api.module_function)(&raw mut function, module, name.as_ptr());
            api.check("cuModuleGetFunction", code)?;
            let limit = crate::tile::SHARED_LIMIT as c_int;
            let code = (api.function_set)(function, api::MAX_DYNAMIC_SHARED_MEMORY, limit);
            api.check("cuFuncSetAttribute", code)?;
        }
        state.kernels.push(Kernel { function, threads: source.threads as u32 });
        Ok(state.kernels.len() - 1)
    }

    fn run(&self, launches: &[Launch]) -> Result<()> {
        let mut state = self.enter()?;
        let State { kernels, graphs, timing, .. } = &mut *state;
        if let Some(timing) = timing {
            return launches
                .iter()
                .try_for_each(|launch| timing.around(launch.kernel, || self.launch(kernels, launch)));
        }
        graphs.run(self.stream, launches, || {
            launches.iter().try_for_each(|launch| self.launch(kernels, launch))
        })
    }

    fn start_timing(&self) -> Result<()> {
        self.enter()?.timing = Some(Timing::new(self.api, self.stream));
        Ok(())
    }

    fn take_times(&self) -> Result<Vec<(usize, f64)>> {
        self.enter()?.timing.take().map_or_else(|| Ok(vec![]), |timing| timing.milliseconds())
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        if let Ok(mut state) = self.enter() {
            // Graphs and page-locked memory go before the context.
            *state = State::new(self.api);
            // SAFETY: nothing uses stream and context afterwards. Failures leak them.
            unsafe {
                (self.api.stream_destroy)(self.stream);
                (self.api.context_release)(self.device);
            }
        }
    }
}
