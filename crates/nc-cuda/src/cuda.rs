//! The driver of a real GPU.

use std::ffi::{CString, c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cudarc::driver::sys::{CUdevice_attribute, CUfunction_attribute};
use cudarc::driver::{DriverError, result, sys};

use crate::driver::{Driver, Launch};
use crate::graphs::Graphs;
use crate::pinned::Pinned;
use crate::{Error, Result, Source, nvrtc};

/// A GPU with a stream of its own.
pub(crate) struct Cuda {
    context: sys::CUcontext,
    stream: sys::CUstream,
    device: sys::CUdevice,
    /// Compute capability.
    major: i32,
    minor: i32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kernels: Vec<Kernel>,
    graphs: Graphs,
    uploads: Pinned,
    downloads: Pinned,
}

#[derive(Clone, Copy)]
struct Kernel {
    function: sys::CUfunction,
    threads: u32,
}

// SAFETY: the driver's handles may be used from any thread that has made the context current, as every call here does.
unsafe impl Send for Cuda {}
// SAFETY: as above; `state` is behind a mutex.
unsafe impl Sync for Cuda {}

/// Names the failed call.
pub(crate) fn check<T>(call: &'static str, result: std::result::Result<T, DriverError>) -> Result<T> {
    result.map_err(|error| Error::Driver { call, error: error.to_string() })
}

impl Cuda {
    pub(crate) fn open(ordinal: usize) -> Result<Self> {
        // SAFETY: loads the library, whose initialiser is NVIDIA's.
        if !unsafe { sys::is_culib_present() } {
            return Err(Error::NoDriver);
        }
        check("cuInit", result::init())?;
        let count = check("cuDeviceGetCount", result::device::get_count())? as usize;
        if ordinal >= count {
            return Err(Error::NoDevice { ordinal, count });
        }
        let device = check("cuDeviceGet", result::device::get(ordinal as c_int))?;
        let attribute = |attribute| {
            // SAFETY: the device exists.
            check("cuDeviceGetAttribute", unsafe { result::device::get_attribute(device, attribute) })
        };
        let major = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        if major < 8 {
            let name = check("cuDeviceGetName", result::device::get_name(device))?;
            return Err(Error::TooOld { name, major, minor });
        }
        nvrtc::find()?;
        // SAFETY: the device exists; the context is released on drop.
        let context = check("cuDevicePrimaryCtxRetain", unsafe { result::primary_ctx::retain(device) })?;
        // SAFETY: the context is valid.
        check("cuCtxSetCurrent", unsafe { result::ctx::set_current(context) })?;
        let stream =
            check("cuStreamCreate", result::stream::create(result::stream::StreamKind::NonBlocking))?;
        Ok(Self { context, stream, device, major, minor, state: Mutex::default() })
    }

    /// Makes the context current for the calling thread.
    fn enter(&self) -> Result<MutexGuard<'_, State>> {
        // SAFETY: the context is valid until drop.
        check("cuCtxSetCurrent", unsafe { result::ctx::set_current(self.context) })?;
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn launch(&self, kernels: &[Kernel], launch: &Launch) -> Result<()> {
        let Kernel { function, threads } = kernels[launch.kernel];
        let mut values: Vec<[u8; 8]> = launch.arguments.iter().map(|argument| argument.bytes()).collect();
        let mut pointers: Vec<*mut c_void> =
            values.iter_mut().map(|value| value.as_mut_ptr().cast()).collect();
        let [x, y, z] = launch.grid.blocks.map(|blocks| blocks as u32);
        // SAFETY: the arguments match the kernel's parameters (the emulator checks every call against the signature), and
        // their memory is not freed while the device lives.
        check("cuLaunchKernel", unsafe {
            result::launch_kernel(
                function,
                (x, y, z),
                (threads, 1, 1),
                launch.grid.shared as u32,
                self.stream,
                &mut pointers,
            )
        })
    }
}

impl Driver for Cuda {
    fn allocate(&self, bytes: usize) -> Result<u64> {
        let _state = self.enter()?;
        // SAFETY: the memory is written before it is read: kernels and copies fill it.
        check("cuMemAlloc", unsafe { result::malloc_sync(bytes) })
    }

    fn free(&self, address: u64) {
        if let Ok(_state) = self.enter() {
            // SAFETY: `allocate` returned the address. The driver waits for kernels that use it. A failure leaks it.
            let _ = unsafe { result::free_sync(address) };
        }
    }

    fn upload(&self, to: u64, from: &[u8]) -> Result<()> {
        let mut state = self.enter()?;
        let staged = state.uploads.stage(from)?;
        // SAFETY: the destination has at least as many bytes, and the staged ones stay until the copy's event.
        check("cuMemcpyHtoDAsync", unsafe { result::memcpy_htod_async(to, staged, self.stream) })?;
        state.uploads.record(self.stream)
    }

    fn download(&self, from: u64, to: &mut [u8]) -> Result<()> {
        let mut state = self.enter()?;
        let staging = state.downloads.buffer(to.len())?;
        // SAFETY: the source has at least as many bytes, and the staging memory lives until the stream is synchronised.
        check("cuMemcpyDtoHAsync", unsafe { result::memcpy_dtoh_async(staging, from, self.stream) })?;
        // SAFETY: the stream is valid until drop.
        check("cuStreamSynchronize", unsafe { result::stream::synchronize(self.stream) })?;
        to.copy_from_slice(staging);
        Ok(())
    }

    fn compile(&self, source: &Source) -> Result<usize> {
        let code = nvrtc::cubin(source, self.major, self.minor)?;
        let mut state = self.enter()?;
        let name = CString::new(source.kernel)
            .map_err(|error| Error::Compile { kernel: source.kernel, log: error.to_string() })?;
        // SAFETY: the image is a cubin for this GPU; the module stays loaded.
        let module = check("cuModuleLoadData", unsafe { result::module::load_data(code.as_ptr().cast()) })?;
        // SAFETY: the module is loaded.
        let function = check("cuModuleGetFunction", unsafe { result::module::get_function(module, name) })?;
        // SAFETY: the function is loaded. The limit holds on every GPU since compute capability 8.0.
        check("cuFuncSetAttribute", unsafe {
            result::function::set_function_attribute(
                function,
                CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                crate::tile::SHARED_LIMIT as c_int,
            )
        })?;
        state.kernels.push(Kernel { function, threads: source.threads as u32 });
        Ok(state.kernels.len() - 1)
    }

    fn run(&self, launches: &[Launch]) -> Result<()> {
        let mut state = self.enter()?;
        let State { kernels, graphs, .. } = &mut *state;
        graphs.run(self.stream, launches, || {
            launches.iter().try_for_each(|launch| self.launch(kernels, launch))
        })
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        if let Ok(mut state) = self.enter() {
            // Graphs and pinned memory go before the context.
            *state = State::default();
            // SAFETY: nothing uses stream and context afterwards. Failures leak them.
            unsafe {
                let _ = result::stream::destroy(self.stream);
                let _ = result::primary_ctx::release(self.device);
            }
        }
    }
}
