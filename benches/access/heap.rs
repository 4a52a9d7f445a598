// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An allocator that counts what the thread has allocated and not freed.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ops::Sub,
    thread_local,
};

/// Allocated bytes. A difference can be negative, as memory may be freed on another thread.
#[derive(Clone, Copy)]
pub(crate) struct Live {
    /// Bytes that were asked for.
    pub(crate) bytes: isize,
    /// Allocations.
    pub(crate) blocks: isize,
}

impl Sub for Live {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            bytes: self.bytes - other.bytes,
            blocks: self.blocks - other.blocks,
        }
    }
}

thread_local! {
    /// Needs neither memory nor a destructor, so that an allocator may use it at any time.
    static LIVE: Cell<Live> = const { Cell::new(Live { bytes: 0, blocks: 0 }) };
}

/// Memory that this thread has allocated and not freed.
pub(crate) fn live() -> Live {
    LIVE.get()
}

/// Counts, unless the memory is null.
fn count(memory: *mut u8, bytes: isize, blocks: isize) -> *mut u8 {
    if !memory.is_null() {
        let live = LIVE.get();
        LIVE.set(Live {
            bytes: live.bytes + bytes,
            blocks: live.blocks + blocks,
        });
    }

    memory
}

/// A size, which is never more than `isize::MAX`, as a number to add.
fn signed(bytes: usize) -> isize {
    bytes as isize
}

/// The system's allocator, counted.
pub(crate) struct Heap;

// SAFETY: All is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: By the caller's promise.
        count(unsafe { System.alloc(layout) }, signed(layout.size()), 1)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: By the caller's promise.
        count(
            unsafe { System.alloc_zeroed(layout) },
            signed(layout.size()),
            1,
        )
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        // SAFETY: By the caller's promise.
        let new_memory = unsafe { System.realloc(memory, layout, new) };

        count(new_memory, signed(new) - signed(layout.size()), 0)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(memory, -signed(layout.size()), -1);

        // SAFETY: By the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}
