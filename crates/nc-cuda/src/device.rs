use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cuda::Cuda;
use crate::driver::{Argument, Driver, Grid, Launch};
use crate::{Result, Source};

/// A GPU and its compiled kernels. Clones share it.
///
/// Work is queued in the order of the calls; [`Device::download`] waits for it. Memory is reused, and returned only when the device is out of memory.
#[derive(Clone)]
pub struct Device(Arc<Shared>);

struct Shared {
    driver: Box<dyn Driver>,
    kernels: Mutex<HashMap<Source, usize>>,
    /// Kernels not given to the driver yet: all since the last copy, so that it sees the same sequences in each step.
    queue: Mutex<Vec<Launch>>,
    /// Addresses of unused memory by size. The lowest is used first, so that each step uses the same.
    unused: Mutex<HashMap<usize, BTreeSet<u64>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No statement that could panic leaves a map half updated.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Device {
    /// The GPU `ordinal`.
    ///
    /// # Errors
    ///
    /// If the driver, NVRTC or the GPU is missing, or the GPU is older than compute capability 8.0.
    pub fn cuda(ordinal: usize) -> Result<Self> {
        Ok(Self::new(Box::new(Cuda::open(ordinal)?)))
    }

    pub(crate) fn new(driver: Box<dyn Driver>) -> Self {
        Self(Arc::new(Shared {
            driver,
            kernels: Mutex::default(),
            queue: Mutex::default(),
            unused: Mutex::default(),
        }))
    }

    /// True for the same GPU, opened once.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Memory of undefined contents.
    ///
    /// # Errors
    ///
    /// If the device is out of memory, even after unused memory was returned to it.
    pub fn buffer(&self, bytes: usize) -> Result<Buffer> {
        // Addresses on the device are at least 256-byte aligned.
        let bytes = bytes.max(1).next_multiple_of(256);
        let reused = lock(&self.0.unused).get_mut(&bytes).and_then(BTreeSet::pop_first);
        let address = match reused {
            Some(address) => address,
            None => self.0.driver.allocate(bytes).or_else(|_| {
                // Out of memory: buffers of other sizes may be unused.
                self.run_queue()?;
                self.0.free_unused();
                self.0.driver.allocate(bytes)
            })?,
        };
        Ok(Buffer { memory: Arc::new(Memory { address, bytes, device: self.0.clone() }), offset: 0 })
    }

    /// Copies `values` to the device.
    ///
    /// # Errors
    ///
    /// Those of the driver.
    pub fn upload(&self, values: &[f32]) -> Result<Buffer> {
        let buffer = self.buffer(values.len() * 4)?;
        // The memory may have been that of a queued kernel.
        self.run_queue()?;
        self.0.driver.upload(buffer.address(), bytes_of(values))?;
        Ok(buffer)
    }

    /// Copies `count` values of `buffer` to the host, after all queued work. Does nothing for no values.
    ///
    /// # Errors
    ///
    /// Those of the driver, and of the queued kernels.
    pub fn download(&self, buffer: &Buffer, count: usize) -> Result<Vec<f32>> {
        if count == 0 {
            return Ok(vec![]);
        }
        let mut bytes = vec![0; count * 4];
        self.run_queue()?;
        self.0.driver.download(buffer.address(), &mut bytes)?;
        Ok(bytes
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect())
    }

    /// Measures kernels from now on, between two events each. They run one by one instead of as graphs.
    ///
    /// # Errors
    ///
    /// Those of the queued kernels and of the driver.
    pub fn start_timing(&self) -> Result<()> {
        self.run_queue()?;
        self.0.driver.start_timing()
    }

    /// Stops measuring. Returns the kernels by name, the longest first; none of a device without a clock.
    ///
    /// # Errors
    ///
    /// Those of the queued kernels and of the driver.
    pub fn take_times(&self) -> Result<Vec<KernelTime>> {
        self.run_queue()?;
        let times = self.0.driver.take_times()?;
        let names: HashMap<usize, &'static str> =
            lock(&self.0.kernels).iter().map(|(source, &handle)| (handle, source.kernel)).collect();
        let mut by_name: BTreeMap<&'static str, KernelTime> = BTreeMap::new();
        for (handle, milliseconds) in times {
            let Some(&kernel) = names.get(&handle) else { continue };
            let time = by_name.entry(kernel).or_insert(KernelTime { kernel, launches: 0, milliseconds: 0.0 });
            time.launches += 1;
            time.milliseconds += milliseconds;
        }
        let mut times: Vec<KernelTime> = by_name.into_values().collect();
        times.sort_by(|a, b| b.milliseconds.total_cmp(&a.milliseconds));
        Ok(times)
    }

    /// Queues a kernel, which is compiled at its first launch.
    pub(crate) fn launch(&self, source: &Source, grid: Grid, arguments: &[Argument]) -> Result<()> {
        let known = lock(&self.0.kernels).get(source).copied();
        let handle = if let Some(handle) = known {
            handle
        } else {
            let handle = self.0.driver.compile(source)?;
            lock(&self.0.kernels).insert(source.clone(), handle);
            handle
        };
        lock(&self.0.queue).push(Launch { kernel: handle, grid, arguments: arguments.to_vec() });
        Ok(())
    }

    fn run_queue(&self) -> Result<()> {
        // Locked until the driver has them, so that no other thread's come between.
        let mut queue = lock(&self.0.queue);
        let launches = std::mem::take(&mut *queue);
        if launches.is_empty() { Ok(()) } else { self.0.driver.run(&launches) }
    }
}

fn bytes_of(values: &[f32]) -> &[u8] {
    // SAFETY: any f32 is four initialised bytes, and bytes need no alignment.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// Time that a device spent in a kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelTime {
    /// Name of the kernel.
    pub kernel: &'static str,
    /// Number of launches.
    pub launches: usize,
    /// Time of all launches.
    pub milliseconds: f64,
}

/// A part of a device's memory. Clones share it.
#[derive(Clone)]
pub struct Buffer {
    memory: Arc<Memory>,
    /// Bytes before the part.
    offset: usize,
}

struct Memory {
    address: u64,
    bytes: usize,
    device: Arc<Shared>,
}

impl Buffer {
    /// The part from the f32 value `index` on.
    ///
    /// # Panics
    ///
    /// If the buffer is smaller.
    #[must_use]
    pub fn from(&self, index: usize) -> Self {
        let offset = self.offset + index * 4;
        assert!(offset <= self.memory.bytes, "value {index} of a buffer of {} bytes", self.memory.bytes);
        Self { memory: self.memory.clone(), offset }
    }

    fn address(&self) -> u64 {
        self.memory.address + self.offset as u64
    }

    pub(crate) fn argument(&self) -> Argument {
        Argument::Pointer(self.address())
    }
}

/// Address of an optional buffer that the kernel does not read if it is missing.
pub(crate) fn optional(buffer: Option<&Buffer>) -> Argument {
    buffer.map_or(Argument::Pointer(0), Buffer::argument)
}

impl Drop for Memory {
    fn drop(&mut self) {
        // Kernels queued from now on run after those that use the memory.
        lock(&self.device.unused).entry(self.bytes).or_default().insert(self.address);
    }
}

impl Shared {
    fn free_unused(&self) {
        for address in lock(&self.unused).drain().flat_map(|(_, addresses)| addresses) {
            self.driver.free(address);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.free_unused();
    }
}

/// Values gathered for one copy to the device.
#[derive(Default)]
pub struct Uploads(Vec<f32>);

impl Uploads {
    /// Adds values. Returns the index of the first in the uploaded buffer.
    pub fn add(&mut self, values: &[f32]) -> usize {
        let index = self.0.len();
        self.0.extend_from_slice(values);
        index
    }

    /// Copies the values to the device.
    ///
    /// # Errors
    ///
    /// Those of the driver.
    pub fn send(&self, device: &Device) -> Result<Buffer> {
        device.upload(&self.0)
    }
}
