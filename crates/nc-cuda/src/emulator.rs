//! A device on the host, for tests: the kernels' source compiled by the host's C++ compiler.

use std::collections::HashMap;
use std::ffi::{c_int, c_uint, c_void};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use libloading::Library;

use crate::driver::{Driver, Launch};
use crate::source::{Source, digest};
use crate::{Device, Error, Result};

/// Order in which the threads of a block run between barriers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The first thread first.
    Ascending,
    /// The last thread first.
    Descending,
}

/// A launch that the emulator ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launched {
    /// Name of the kernel.
    pub kernel: &'static str,
    /// Grid and arguments.
    launch: Launch,
}

/// Emulates a device: runs every thread as a fiber, and checks each launch against its kernel's signature and memory.
#[derive(Clone)]
pub struct Emulator(Arc<State>);

struct State {
    order: Order,
    /// Replaces text of the kernels, for tests that break them.
    edit: Option<Edit>,
    memory: Mutex<HashMap<u64, Memory>>,
    kernels: Mutex<Vec<Kernel>>,
    log: Mutex<Log>,
}

type Edit = Box<dyn Fn(&str) -> String + Send + Sync>;

#[derive(Default)]
struct Log {
    launches: Vec<Launched>,
    allocations: usize,
    uploads: usize,
    downloads: usize,
    copied: usize,
}

/// Memory of the device between two guards.
struct Memory {
    words: Vec<u64>,
    bytes: usize,
}

/// Words on each side of a piece of memory, and their value.
const GUARD: usize = 8;
const GUARD_WORD: u64 = 0xa5a5_5a5a_a5a5_5a5a;

#[derive(Clone, Copy)]
struct Kernel {
    sizes: unsafe extern "C" fn(*mut c_int) -> c_int,
    name: &'static str,
    threads: c_uint,
    run: unsafe extern "C" fn(*const c_uint, c_uint, usize, c_int, *mut *mut c_void) -> c_int,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Emulator {
    /// An emulator.
    pub fn new(order: Order) -> Self {
        Self::build(order, None)
    }

    /// An emulator whose kernels are edited before they are compiled.
    pub fn edited(order: Order, edit: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::build(order, Some(Box::new(edit)))
    }

    fn build(order: Order, edit: Option<Edit>) -> Self {
        Self(Arc::new(State {
            order,
            edit,
            memory: Mutex::default(),
            kernels: Mutex::default(),
            log: Mutex::default(),
        }))
    }

    /// The device.
    pub fn device(&self) -> Device {
        Device::new(Box::new(self.clone()))
    }

    /// Takes the launches since the last call.
    pub fn take_launches(&self) -> Vec<Launched> {
        std::mem::take(&mut lock(&self.0.log).launches)
    }

    /// Allocations of memory so far.
    pub fn allocations(&self) -> usize {
        lock(&self.0.log).allocations
    }

    /// Copies to the device and from it so far.
    pub fn copies(&self) -> (usize, usize) {
        let log = lock(&self.0.log);
        (log.uploads, log.downloads)
    }

    /// Bytes copied to the device and from it so far.
    pub fn copied_bytes(&self) -> usize {
        lock(&self.0.log).copied
    }

    /// Kernels compiled so far.
    pub fn kernels(&self) -> usize {
        lock(&self.0.kernels).len()
    }

    /// Calls `f` with the memory that contains `address` and the offset in it.
    fn at<T>(&self, address: u64, f: impl FnOnce(&mut [u8]) -> T) -> T {
        let mut memory = lock(&self.0.memory);
        let found = memory
            .iter_mut()
            .find(|(start, memory)| (**start..**start + memory.bytes as u64).contains(&address));
        let (start, memory) = found.expect("an address of the device");
        let offset = (address - start) as usize;
        // SAFETY: the words are initialised, and bytes need no alignment.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(memory.words[GUARD..].as_mut_ptr().cast::<u8>(), memory.bytes)
        };
        f(&mut bytes[offset..])
    }

    /// Compiles `text` to a library, unless an earlier process has. `arguments`: of the compiler.
    fn library(text: &str, arguments: &[&str]) -> std::result::Result<PathBuf, String> {
        let directory = std::env::temp_dir().join("nc-cuda-emulator");
        std::fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
        let name = digest(&[&[text, &compiler], arguments].concat());
        let library = directory.join(format!("{name}.so"));
        if library.exists() {
            return Ok(library);
        }
        // Other threads and processes may build the same library.
        let unique = format!("{name}.{}.{:?}", std::process::id(), std::thread::current().id());
        let (code, built) = (directory.join(format!("{unique}.cpp")), directory.join(format!("{unique}.so")));
        std::fs::write(&code, text).map_err(|error| error.to_string())?;
        // Fibers jump between stacks, which fortified longjmp refuses.
        let flags = ["-std=c++17", "-shared", "-fPIC", "-w", "-U_FORTIFY_SOURCE", "-ffp-contract=off", "-o"];
        let output = Command::new(&compiler).args(flags).arg(&built).arg(&code).args(arguments).output();
        let output = output.map_err(|error| format!("{compiler}: {error}; set CXX to a C++ compiler"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        std::fs::rename(&built, &library).map_err(|error| error.to_string())?;
        // Of use only to read after an error.
        let _ = std::fs::remove_file(&code);
        Ok(library)
    }

    /// The library of a kernel, which loads that of the emulator itself.
    fn kernel_library(&self, source: &Source) -> std::result::Result<PathBuf, String> {
        const HEADER: &str = include_str!("kernels/emulator.h");
        let emulator = Self::library(&format!("{HEADER}{}", include_str!("kernels/emulator.cpp")), &["-O3"])?;
        let mut text = source.text(HEADER);
        if let Some(edit) = &self.0.edit {
            text = edit(&text);
        }
        Self::library(&format!("{text}\nEMULATE({})\n", source.kernel), &["-O1", &emulator.to_string_lossy()])
    }
}

impl Driver for Emulator {
    fn allocate(&self, bytes: usize) -> Result<u64> {
        // Of NaN, in any precision.
        let mut words = vec![u64::MAX; bytes.div_ceil(8) + 2 * GUARD];
        let last = words.len() - GUARD;
        words[..GUARD].fill(GUARD_WORD);
        words[last..].fill(GUARD_WORD);
        let address = words[GUARD..].as_ptr() as u64;
        lock(&self.0.log).allocations += 1;
        lock(&self.0.memory).insert(address, Memory { words, bytes });
        Ok(address)
    }

    fn free(&self, address: u64) {
        lock(&self.0.memory).remove(&address);
    }

    fn upload(&self, to: u64, from: &[u8]) -> Result<()> {
        let mut log = lock(&self.0.log);
        log.uploads += 1;
        log.copied += from.len();
        self.at(to, |bytes| bytes[..from.len()].copy_from_slice(from));
        Ok(())
    }

    fn download(&self, from: u64, to: &mut [u8]) -> Result<()> {
        let mut log = lock(&self.0.log);
        log.downloads += 1;
        log.copied += to.len();
        self.at(from, |bytes| to.copy_from_slice(&bytes[..to.len()]));
        Ok(())
    }

    fn compile(&self, source: &Source) -> Result<usize> {
        let failed = |log: String| Error::Compile { kernel: source.kernel, log };
        let path = self.kernel_library(source).map_err(failed)?;
        let failed = |error: libloading::Error| failed(error.to_string());
        // SAFETY: the library was compiled from our source and has no initialiser but for empty containers. It stays loaded,
        // so the functions stay valid; they have these types by the macro EMULATE.
        let kernel = unsafe {
            let library = Library::new(path).map_err(failed)?;
            let kernel = Kernel {
                name: source.kernel,
                threads: source.threads as c_uint,
                sizes: *library.get(b"kernel_sizes").map_err(failed)?,
                run: *library.get(b"kernel_run").map_err(failed)?,
            };
            std::mem::forget(library);
            kernel
        };
        let mut kernels = lock(&self.0.kernels);
        kernels.push(kernel);
        Ok(kernels.len() - 1)
    }

    fn run(&self, launches: &[Launch]) -> Result<()> {
        launches.iter().try_for_each(|launch| self.launch(launch))
    }
}

impl Emulator {
    fn launch(&self, launch: &Launch) -> Result<()> {
        let Launch { kernel, grid, arguments } = launch;
        let kernel = lock(&self.0.kernels)[*kernel];
        let failed = |reason: String| Error::Launch { kernel: kernel.name, reason };
        let mut expected = [0; 16];
        // SAFETY: no kernel has more than 16 parameters.
        let count = unsafe { (kernel.sizes)(expected.as_mut_ptr()) } as usize;
        let sizes: Vec<_> = arguments.iter().map(|argument| argument.size()).collect();
        let expected: Vec<_> = expected[..count].iter().map(|&size| size as usize).collect();
        if sizes != expected {
            return Err(failed(format!("arguments of {sizes:?} bytes, expected {expected:?}")));
        }
        lock(&self.0.log).launches.push(Launched { kernel: kernel.name, launch: launch.clone() });
        let mut values: Vec<[u8; 8]> = arguments.iter().map(|argument| argument.bytes()).collect();
        let mut pointers: Vec<*mut c_void> =
            values.iter_mut().map(|value| value.as_mut_ptr().cast()).collect();
        let blocks = grid.blocks.map(|blocks| blocks as c_uint);
        // SAFETY: the arguments have the parameters' number and sizes. Pointers among them are to memory of this device, which
        // nothing else accesses during the launch; writes beyond it are undefined behaviour, as on a GPU, of which the guards
        // find the nearest.
        let code = unsafe {
            let descending = c_int::from(self.0.order == Order::Descending);
            (kernel.run)(blocks.as_ptr(), kernel.threads, grid.shared, descending, pointers.as_mut_ptr())
        };
        match code {
            0 => {}
            1 => return Err(failed("the threads wait for each other".into())),
            _ => return Err(failed("a write beyond the shared memory".into())),
        }
        let intact = lock(&self.0.memory).values().all(|Memory { words, .. }| {
            let guards = words[..GUARD].iter().chain(&words[words.len() - GUARD..]);
            guards.copied().all(|word| word == GUARD_WORD)
        });
        if intact { Ok(()) } else { Err(failed("a write beyond a buffer".into())) }
    }
}
