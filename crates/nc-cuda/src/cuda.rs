//! The driver of a real GPU.

use std::ffi::{CString, c_int, c_void};
use std::sync::{Mutex, PoisonError};

use cudarc::driver::sys::{CUdevice_attribute, CUfunction_attribute};
use cudarc::driver::{DriverError, result, sys};

use crate::driver::{Argument, Driver, Grid};
use crate::{Error, Result, Source, nvrtc};

/// A GPU with a stream of its own.
pub(crate) struct Cuda {
    context: sys::CUcontext,
    stream: sys::CUstream,
    device: sys::CUdevice,
    major: i32,
    minor: i32,
    functions: Mutex<Vec<Function>>,
}

#[derive(Clone, Copy)]
struct Function(sys::CUfunction);

// SAFETY: the driver's handles may be used from any thread that has made the context current, as every call here does.
unsafe impl Send for Cuda {}
// SAFETY: as above; the driver synchronises its own state.
unsafe impl Sync for Cuda {}
// SAFETY: as above.
unsafe impl Send for Function {}

/// Names the failed call.
fn check<T>(call: &'static str, result: std::result::Result<T, DriverError>) -> Result<T> {
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
        Ok(Self { context, stream, device, major, minor, functions: Mutex::default() })
    }

    /// Makes the context current for the calling thread.
    fn enter(&self) -> Result<()> {
        // SAFETY: the context is valid until drop.
        check("cuCtxSetCurrent", unsafe { result::ctx::set_current(self.context) })
    }
}

impl Driver for Cuda {
    fn allocate(&self, bytes: usize) -> Result<u64> {
        self.enter()?;
        // SAFETY: the memory is written before it is read: kernels and copies fill it.
        check("cuMemAlloc", unsafe { result::malloc_sync(bytes) })
    }

    fn free(&self, address: u64) {
        if self.enter().is_ok() {
            // SAFETY: `allocate` returned the address. The driver waits for kernels that use it. A failure leaks it.
            let _ = unsafe { result::free_sync(address) };
        }
    }

    fn upload(&self, to: u64, from: &[u8]) -> Result<()> {
        self.enter()?;
        // SAFETY: the destination has at least as many bytes. From pageable memory, the copy has left `from` on return.
        check("cuMemcpyHtoDAsync", unsafe { result::memcpy_htod_async(to, from, self.stream) })
    }

    fn download(&self, from: u64, to: &mut [u8]) -> Result<()> {
        self.enter()?;
        // SAFETY: the source has at least as many bytes, and `to` lives until the stream is synchronised.
        check("cuMemcpyDtoHAsync", unsafe { result::memcpy_dtoh_async(to, from, self.stream) })?;
        // SAFETY: the stream is valid until drop.
        check("cuStreamSynchronize", unsafe { result::stream::synchronize(self.stream) })
    }

    fn compile(&self, source: &Source) -> Result<usize> {
        let code = nvrtc::cubin(source, self.major, self.minor)?;
        self.enter()?;
        // SAFETY: the image is a cubin for this GPU; the module stays loaded.
        let module = check("cuModuleLoadData", unsafe { result::module::load_data(code.as_ptr().cast()) })?;
        let name = CString::new(source.kernel).expect("a kernel's name");
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
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        functions.push(Function(function));
        Ok(functions.len() - 1)
    }

    fn launch(&self, source: &Source, handle: usize, grid: Grid, arguments: &[Argument]) -> Result<()> {
        self.enter()?;
        let function = self.functions.lock().unwrap_or_else(PoisonError::into_inner)[handle];
        let mut values = arguments.to_vec();
        let mut pointers: Vec<*mut c_void> = values
            .iter_mut()
            .map(|argument| match argument {
                Argument::Pointer(value) => (&raw mut *value).cast(),
                Argument::Int(value) => (&raw mut *value).cast(),
                Argument::Double(value) => (&raw mut *value).cast(),
            })
            .collect();
        let [x, y, z] = grid.blocks.map(|blocks| blocks as u32);
        // SAFETY: the arguments match the kernel's parameters (the emulator checks every call against the signature), and
        // their memory is alive until the kernels queued so far have run: the pool reuses it in stream order.
        check("cuLaunchKernel", unsafe {
            result::launch_kernel(
                function.0,
                (x, y, z),
                (source.threads as u32, 1, 1),
                grid.shared as u32,
                self.stream,
                &mut pointers,
            )
        })
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        if self.enter().is_ok() {
            // SAFETY: nothing uses stream and context afterwards. Failures leak them.
            unsafe {
                let _ = result::stream::destroy(self.stream);
                let _ = result::primary_ctx::release(self.device);
            }
        }
    }
}
