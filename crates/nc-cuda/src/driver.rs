use crate::{Result, Source};

/// An argument of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Argument {
    /// Address on the device; 0 for a pointer that the kernel does not read.
    Pointer(u64),
    Int(i32),
    /// Bits of an f64, so that launches can be compared.
    Double(u64),
}

impl Argument {
    pub(crate) fn double(value: f64) -> Self {
        Self::Double(value.to_bits())
    }

    /// The value in native byte order, in the first bytes.
    pub(crate) fn bytes(self) -> [u8; 8] {
        match self {
            Self::Pointer(value) | Self::Double(value) => value.to_ne_bytes(),
            Self::Int(value) => {
                let mut bytes = [0; 8];
                bytes[..4].copy_from_slice(&value.to_ne_bytes());
                bytes
            }
        }
    }

    /// Bytes of the kernel's parameter.
    #[cfg(feature = "emulator")]
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Pointer(_) | Self::Double(_) => 8,
            Self::Int(_) => 4,
        }
    }
}

/// Dimensions of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Grid {
    /// Blocks.
    pub(crate) blocks: [usize; 3],
    /// Dynamic shared memory per block, in bytes.
    pub(crate) shared: usize,
}

impl Grid {
    /// Blocks along one axis, without shared memory.
    pub(crate) fn linear(blocks: usize) -> Self {
        Self { blocks: [blocks, 1, 1], shared: 0 }
    }
}

/// A queued kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Launch {
    /// Handle of [`Driver::compile`].
    pub(crate) kernel: usize,
    pub(crate) grid: Grid,
    pub(crate) arguments: Vec<Argument>,
}

/// A device that runs kernels in the order of their launches. Addresses are those of [`Driver::allocate`].
pub(crate) trait Driver: Send + Sync {
    fn allocate(&self, bytes: usize) -> Result<u64>;

    fn free(&self, address: u64);

    fn upload(&self, to: u64, from: &[u8]) -> Result<()>;

    /// Waits for the kernels launched before.
    fn download(&self, from: u64, to: &mut [u8]) -> Result<()>;

    /// Compiles and loads a kernel. Returns its handle.
    fn compile(&self, source: &Source) -> Result<usize>;

    /// Starts kernels. Drivers may expect the same sequence again.
    fn run(&self, launches: &[Launch]) -> Result<()>;

    /// Measures kernels from now on, one by one. Drivers without a clock do nothing.
    fn start_timing(&self) -> Result<()> {
        Ok(())
    }

    /// Stops measuring. Returns handle and milliseconds of each kernel since.
    fn take_times(&self) -> Result<Vec<(usize, f64)>> {
        Ok(vec![])
    }
}
