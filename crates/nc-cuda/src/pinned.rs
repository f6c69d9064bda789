//! Page-locked memory for copies.

use std::ptr::null_mut;

use crate::Result;
use crate::api::{self, Api};

/// Two pieces of page-locked memory in turn, so that one is filled while the other is copied.
pub(crate) struct Pinned {
    api: &'static Api,
    pieces: [Option<Piece>; 2],
    /// The piece last used.
    current: usize,
}

struct Piece {
    api: &'static Api,
    memory: *mut u8,
    bytes: usize,
    /// Recorded after the copy from the piece.
    event: api::Event,
}

impl Pinned {
    pub(crate) fn new(api: &'static Api) -> Self {
        Self { api, pieces: [None, None], current: 0 }
    }

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
            None => place.insert(Piece::new(self.api, bytes)?),
        };
        // SAFETY: the event is valid. It has never been recorded, or after the piece's last copy.
        self.api.check("cuEventSynchronize", unsafe { (self.api.event_synchronize)(piece.event) })?;
        // SAFETY: the memory has at least as many bytes, initialised at the start, and the borrow of `self` excludes others.
        Ok(unsafe { std::slice::from_raw_parts_mut(piece.memory, bytes) })
    }

    /// Marks the end of the copies from the current piece.
    pub(crate) fn record(&mut self, stream: api::Stream) -> Result<()> {
        match &self.pieces[self.current] {
            Some(piece) => {
                // SAFETY: event and stream are valid.
                let code = unsafe { (self.api.event_record)(piece.event, stream) };
                self.api.check("cuEventRecord", code)
            }
            None => Ok(()),
        }
    }
}

impl Piece {
    fn new(api: &'static Api, bytes: usize) -> Result<Self> {
        let bytes = bytes.max(1).next_power_of_two();
        let (mut event, mut memory) = (null_mut(), null_mut());
        // SAFETY: the pointers are to variables of the expected types; the memory has `bytes` bytes.
        unsafe {
            api.check("cuEventCreate", (api.event_create)(&raw mut event, api::EVENT_DISABLE_TIMING))?;
            let allocated = (api.host_allocate)(&raw mut memory, bytes, 0);
            if let Err(error) = api.check("cuMemHostAlloc", allocated) {
                // A failure would leak the event.
                (api.event_destroy)(event);
                return Err(error);
            }
            memory.cast::<u8>().write_bytes(0, bytes);
        }
        Ok(Self { api, memory: memory.cast(), bytes, event })
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // SAFETY: a copy may still read the memory, so that its event comes first; both are released once. Failures leak them.
        unsafe {
            (self.api.event_synchronize)(self.event);
            (self.api.event_destroy)(self.event);
            (self.api.host_free)(self.memory.cast());
        }
    }
}
