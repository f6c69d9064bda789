//! Pooled memory for activations and gradients, reused from step to step.
//!
//! Fresh memory costs a page fault every 4 KiB, more than the convolution that fills it, so dropped buffers return to
//! a pool. When memory in use plus idle exceeds 5/4 of the peak in use, the pool frees the blocks that have been idle
//! longest. The slack is needed because the required sizes change within a step: without it, every step would free
//! blocks that the next one needs.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::element::Element;

/// Cache line size, and the width of the widest vector.
const ALIGNMENT: usize = 64;

/// Memory from the allocator, aligned to cache lines. The capacity is in f32 values.
struct Block {
    start: NonNull<f32>,
    capacity: usize,
}

// SAFETY: a block owns its memory, which holds plain numbers.
unsafe impl Send for Block {}
// SAFETY: as above; a shared block only hands out shared slices.
unsafe impl Sync for Block {}

impl Block {
    fn layout(capacity: usize) -> Layout {
        Layout::array::<f32>(capacity)
            .and_then(|layout| layout.align_to(ALIGNMENT))
            .unwrap_or_else(|_| panic!("a buffer of {capacity} values exceeds the address space"))
    }

    fn new(capacity: usize) -> Self {
        let layout = Self::layout(capacity);
        #[allow(clippy::cast_ptr_alignment)] // the layout is aligned to a cache line
        // SAFETY: `Buffer::take` asks for at least one value, so the layout is not zero-sized.
        let start = unsafe { alloc_zeroed(layout) }.cast::<f32>();
        let start = NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout));
        Self { start, capacity }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.capacity)) }
    }
}

/// Values with unspecified contents until written.
pub(crate) struct Buffer<E = f32> {
    /// `Some` until dropped.
    block: Option<Block>,
    len: usize,
    values: PhantomData<E>,
}

impl<E: Element> Buffer<E> {
    /// A buffer of `len` values, reused from the pool if it has a block of similar size.
    pub(crate) fn take(len: usize) -> Self {
        let capacity = (len * size_of::<E>()).div_ceil(size_of::<f32>()).max(1);
        Self { block: Some(pool().take(capacity)), len, values: PhantomData }
    }

    /// A buffer of zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        let mut buffer = Self::take(len);
        buffer.fill(E::ZERO);
        buffer
    }
}

impl<E: Element> Deref for Buffer<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        match &self.block {
            // SAFETY: the block holds at least `len` values, initialised with zeros by the allocator and later only
            // overwritten, with any bits.
            Some(block) => unsafe { std::slice::from_raw_parts(block.start.as_ptr().cast(), self.len) },
            None => &[],
        }
    }
}

impl<E: Element> DerefMut for Buffer<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        match &self.block {
            // SAFETY: as above, and the buffer is borrowed uniquely.
            Some(block) => unsafe { std::slice::from_raw_parts_mut(block.start.as_ptr().cast(), self.len) },
            None => &mut [],
        }
    }
}

impl<E> Drop for Buffer<E> {
    fn drop(&mut self) {
        if let Some(block) = self.block.take() {
            pool().give(block);
        }
    }
}

/// Idle blocks, longest idle first. Sizes are in f32 values.
struct Pool {
    idle: VecDeque<Block>,
    idle_total: usize,
    in_use: usize,
    most_in_use: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool::new());

fn pool() -> MutexGuard<'static, Pool> {
    // No statement that could panic leaves the pool inconsistent.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    const fn new() -> Self {
        Self { idle: VecDeque::new(), idle_total: 0, in_use: 0, most_in_use: 0 }
    }

    fn take(&mut self, len: usize) -> Block {
        // The most recently used block is most likely in the cache.
        let fits = |block: &Block| block.capacity >= len && block.capacity <= len + len / 4;
        let found = self.idle.iter().rposition(fits).and_then(|at| self.idle.remove(at));
        let block = match found {
            Some(block) => {
                self.idle_total -= block.capacity;
                block
            }
            None => Block::new(len),
        };
        self.in_use += block.capacity;
        self.most_in_use = self.most_in_use.max(self.in_use);
        self.shrink();
        block
    }

    fn give(&mut self, block: Block) {
        self.in_use -= block.capacity;
        self.idle_total += block.capacity;
        self.idle.push_back(block);
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.in_use + self.idle_total > self.most_in_use + self.most_in_use / 4 {
            match self.idle.pop_front() {
                Some(block) => self.idle_total -= block.capacity,
                None => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_reused_within_five_quarters_of_peak_use() {
        let mut pool = Pool::new();
        let first = pool.take(1000);
        let start = first.start;
        pool.give(first);
        let again = pool.take(900);
        assert_eq!(again.start, start, "a block of 1000 values fits a request for 900");
        let other = pool.take(100);
        assert_ne!(other.start, start);
        pool.give(again);
        pool.give(other);
        assert_eq!((pool.in_use, pool.idle_total), (0, 1100));
        let large = pool.take(1350);
        assert_eq!(pool.idle_total, 100, "1350 + 100 is within 5/4 of 1350; adding 1000 is not");
        pool.give(large);
    }

    #[test]
    fn buffers_are_aligned_and_zeroed_on_request() {
        for len in [0, 1, 15, 4096] {
            let mut buffer = Buffer::<f32>::take(len);
            buffer.fill(1.0);
            assert_eq!(buffer.len(), len);
            assert_eq!(buffer.as_ptr().align_offset(ALIGNMENT), 0);
            drop(buffer);
            assert!(Buffer::<f32>::zeros(len).iter().all(|&x| x == 0.0));
        }
    }
}
