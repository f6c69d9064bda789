//! Page-locked memory for copies.

use cudarc::driver::{result, sys};

use crate::Result;
use crate::cuda::check;

/// Two pieces of page-locked memory in turn, so that one is filled while the other is copied.
#[derive(Default)]
pub(crate) struct Pinned {
    pieces: [Option<Piece>; 2],
    /// The piece last used.
    current: usize,
}

struct Piece {
    memory: *mut u8,
    bytes: usize,
    /// Recorded after the copy from the piece.
    event: sys::CUevent,
}

impl Pinned {
    /// Copies `from` to a piece whose last copy has ended.
    pub(crate) fn stage(&mut self, from: &[u8]) -> Result<&[u8]> {
        let buffer = self.buffer(from.len())?;
        buffer.copy_from_slice(from);
        Ok(buffer)
    }

    /// A piece of `bytes` bytes whose last copy has ended.
    pub(crate) fn buffer(&mut self, bytes: usize) -> Result<&mut [u8]> {
        self.current = 1 - self.current;
        let place = &mut self.pieces[self.current];
        if place.as_ref().is_some_and(|piece| piece.bytes < bytes) {
            *place = None;
        }
        let piece = match place {
            Some(piece) => piece,
            None => place.insert(Piece::new(bytes)?),
        };
        // SAFETY: the event is valid. It has never been recorded, or after the piece's last copy.
        check("cuEventSynchronize", unsafe { result::event::synchronize(piece.event) })?;
        // SAFETY: the memory has at least as many bytes, initialised at the start, and the borrow of `self` excludes others.
        Ok(unsafe { std::slice::from_raw_parts_mut(piece.memory, bytes) })
    }

    /// Marks the end of the copies from the current piece.
    pub(crate) fn record(&mut self, stream: sys::CUstream) -> Result<()> {
        match &self.pieces[self.current] {
            // SAFETY: event and stream are valid.
            Some(piece) => check("cuEventRecord", unsafe { result::event::record(piece.event, stream) }),
            None => Ok(()),
        }
    }
}

impl Piece {
    fn new(bytes: usize) -> Result<Self> {
        let bytes = bytes.max(1).next_power_of_two();
        let flags = sys::CUevent_flags::CU_EVENT_DISABLE_TIMING;
        let event = check("cuEventCreate", result::event::create(flags))?;
        // SAFETY: the memory is initialised below before it is read.
        let memory = check("cuMemHostAlloc", unsafe { result::malloc_host(bytes, 0) });
        match memory {
            Ok(memory) => {
                let memory = memory.cast::<u8>();
                // SAFETY: the memory has `bytes` bytes.
                unsafe { memory.write_bytes(0, bytes) };
                Ok(Self { memory, bytes, event })
            }
            Err(error) => {
                // SAFETY: the event is destroyed once. A failure leaks it.
                let _ = unsafe { result::event::destroy(event) };
                Err(error)
            }
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // SAFETY: a copy may still read the memory, so that its event comes first; both are released once. Failures leak them.
        unsafe {
            let _ = result::event::synchronize(self.event);
            let _ = result::event::destroy(self.event);
            let _ = result::free_host(self.memory.cast());
        }
    }
}
