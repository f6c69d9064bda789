//! The CUDA driver's functions, loaded at run time.
//!
//! Not cudarc: its declarations are for one version of CUDA, chosen at build time, and Candle's build with CUDA chooses another.

use std::ffi::{CStr, c_char, c_float, c_int, c_uint, c_void};
use std::sync::OnceLock;

use libloading::Library;

use crate::{Error, Result};

pub(crate) type Context = *mut c_void;
pub(crate) type Stream = *mut c_void;
pub(crate) type Module = *mut c_void;
pub(crate) type Function = *mut c_void;
pub(crate) type Event = *mut c_void;
pub(crate) type Graph = *mut c_void;
pub(crate) type GraphInstance = *mut c_void;
pub(crate) type Device = c_int;

/// Constants of `cuda.h`.
pub(crate) const COMPUTE_CAPABILITY_MAJOR: c_int = 75;
pub(crate) const COMPUTE_CAPABILITY_MINOR: c_int = 76;
pub(crate) const MAX_DYNAMIC_SHARED_MEMORY: c_int = 8;
pub(crate) const STREAM_NON_BLOCKING: c_uint = 1;
pub(crate) const EVENT_DEFAULT: c_uint = 0;
pub(crate) const EVENT_DISABLE_TIMING: c_uint = 2;
pub(crate) const CAPTURE_THREAD_LOCAL: c_int = 1;

/// Names of the library on Linux and Windows.
const NAMES: [&str; 3] = ["libcuda.so.1", "libcuda.so", "nvcuda.dll"];

macro_rules! functions {
    ($($field:ident: $symbol:literal ($($argument:ty),*);)*) => {
        /// Functions of the driver, by their names in `cuda.h` without `cu`. Each returns 0 on success.
        pub(crate) struct Api {
            $(pub(crate) $field: unsafe extern "C" fn($($argument),*) -> c_int,)*
        }

        impl Api {
            /// # Safety
            ///
            /// The library must be NVIDIA's driver.
            unsafe fn load(library: &Library) -> std::result::Result<Self, libloading::Error> {
                // SAFETY: these functions have had these types since CUDA 11.4.
                unsafe { Ok(Self { $($field: *library.get($symbol)?,)* }) }
            }
        }
    };
}

functions! {
    init: b"cuInit" (c_uint);
    driver_version: b"cuDriverGetVersion" (*mut c_int);
    error_name: b"cuGetErrorName" (c_int, *mut *const c_char);
    error_string: b"cuGetErrorString" (c_int, *mut *const c_char);
    device_count: b"cuDeviceGetCount" (*mut c_int);
    device: b"cuDeviceGet" (*mut Device, c_int);
    device_name: b"cuDeviceGetName" (*mut c_char, c_int, Device);
    device_attribute: b"cuDeviceGetAttribute" (*mut c_int, c_int, Device);
    context_retain: b"cuDevicePrimaryCtxRetain" (*mut Context, Device);
    context_release: b"cuDevicePrimaryCtxRelease_v2" (Device);
    context_set: b"cuCtxSetCurrent" (Context);
    stream_create: b"cuStreamCreate" (*mut Stream, c_uint);
    stream_destroy: b"cuStreamDestroy_v2" (Stream);
    stream_synchronize: b"cuStreamSynchronize" (Stream);
    stream_begin_capture: b"cuStreamBeginCapture_v2" (Stream, c_int);
    stream_end_capture: b"cuStreamEndCapture" (Stream, *mut Graph);
    graph_instantiate: b"cuGraphInstantiateWithFlags" (*mut GraphInstance, Graph, u64);
    graph_destroy: b"cuGraphDestroy" (Graph);
    graph_launch: b"cuGraphLaunch" (GraphInstance, Stream);
    graph_instance_destroy: b"cuGraphExecDestroy" (GraphInstance);
    memory_allocate: b"cuMemAlloc_v2" (*mut u64, usize);
    memory_free: b"cuMemFree_v2" (u64);
    host_allocate: b"cuMemHostAlloc" (*mut *mut c_void, usize, c_uint);
    host_free: b"cuMemFreeHost" (*mut c_void);
    copy_to_device: b"cuMemcpyHtoDAsync_v2" (u64, *const c_void, usize, Stream);
    copy_to_host: b"cuMemcpyDtoHAsync_v2" (*mut c_void, u64, usize, Stream);
    event_create: b"cuEventCreate" (*mut Event, c_uint);
    event_elapsed: b"cuEventElapsedTime" (*mut c_float, Event, Event);
    event_record: b"cuEventRecord" (Event, Stream);
    event_synchronize: b"cuEventSynchronize" (Event);
    event_destroy: b"cuEventDestroy_v2" (Event);
    module_load: b"cuModuleLoadData" (*mut Module, *const c_void);
    module_function: b"cuModuleGetFunction" (*mut Function, Module, *const c_char);
    function_set: b"cuFuncSetAttribute" (Function, c_int, c_int);
    launch: b"cuLaunchKernel" (
        Function, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, Stream, *mut *mut c_void, *mut *mut c_void
    );
}

impl Api {
    /// The driver of this machine.
    pub(crate) fn get() -> Result<&'static Self> {
        static API: OnceLock<Result<Api>> = OnceLock::new();
        let api = API.get_or_init(|| {
            // SAFETY: the library's initialiser is NVIDIA's. The library is never unloaded.
            unsafe {
                let library =
                    NAMES.iter().find_map(|name| Library::new(*name).ok()).ok_or(Error::NoDriver)?;
                let api = Self::load(&library).map_err(|error| Error::OldDriver(error.to_string()))?;
                std::mem::forget(library);
                Ok(api)
            }
        });
        api.as_ref().map_err(Clone::clone)
    }

    /// An error if `code` is not 0, the result of `call`.
    pub(crate) fn check(&self, call: &'static str, code: c_int) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        let text = |of: unsafe extern "C" fn(c_int, *mut *const c_char) -> c_int| {
            let mut text = std::ptr::null();
            // SAFETY: the function stores a static string, or null for an unknown code.
            unsafe {
                of(code, &raw mut text);
                if text.is_null() {
                    String::new()
                } else {
                    CStr::from_ptr(text).to_string_lossy().into_owned()
                }
            }
        };
        let error = format!("{} ({code}): {}", text(self.error_name), text(self.error_string));
        Err(Error::Driver { call, error })
    }
}
