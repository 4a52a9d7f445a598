// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The test that a thread runs: `include/kunit/test.h`.

use core::{cell::Cell, ffi::CStr, ptr};
use std::{
    cell::RefCell,
    sync::{atomic::AtomicU32, Arc},
};

/// How a test has ended: `enum kunit_status`.
pub type kunit_status = u32;

/// The test has passed, so far.
pub const kunit_status_KUNIT_SUCCESS: kunit_status = 0;
/// The test has failed.
pub const kunit_status_KUNIT_FAILURE: kunit_status = 1;
/// The test cannot run here.
pub const kunit_status_KUNIT_SKIPPED: kunit_status = 2;

/// A test that runs: `struct kunit`.
#[repr(C)]
pub struct kunit {
    /// How it ends.
    pub status: kunit_status,
    /// Why, up to a NUL: of `KUNIT_STATUS_COMMENT_SIZE` bytes.
    pub status_comment: [u8; 256],
}

std::thread_local! {
    static CURRENT: Cell<*mut kunit> = const { Cell::new(ptr::null_mut()) };
    /// The number of DMA mappings of the devices that the test has made.
    static MAPPINGS: RefCell<Option<Arc<AtomicU32>>> = const { RefCell::new(None) };
}

/// Returns the test that this thread runs, or null.
///
/// # Safety
///
/// There are no requirements.
#[must_use]
pub unsafe fn kunit_get_current_test() -> *mut kunit {
    CURRENT.get()
}

impl kunit {
    /// Runs a test on this thread. Returns why it says that it is skipped, if it does.
    pub(crate) fn with<R>(test: impl FnOnce() -> R) -> (R, Option<String>) {
        let mut this = Self {
            status: kunit_status_KUNIT_SUCCESS,
            status_comment: [0; 256],
        };
        let this = &raw mut this;

        /// Takes the test away, also when it panics.
        struct Ended;

        impl Drop for Ended {
            fn drop(&mut self) {
                CURRENT.set(ptr::null_mut());
                MAPPINGS.take();
            }
        }

        CURRENT.set(this);
        MAPPINGS.set(Some(Arc::default()));
        let ended = Ended;
        let result = test();
        drop(ended);

        // SAFETY: It is a local variable, which nobody else has a pointer to any more.
        let this = unsafe { &*this };
        let why = CStr::from_bytes_until_nul(&this.status_comment).unwrap_or_default();
        let is_skipped = this.status == kunit_status_KUNIT_SKIPPED;
        let why = is_skipped.then(|| why.to_string_lossy().into_owned());
        (result, why)
    }

    /// Returns what counts the DMA mappings of a device that is made now.
    pub(super) fn mappings() -> Arc<AtomicU32> {
        MAPPINGS.with_borrow(|mappings| mappings.clone().unwrap_or_default())
    }

    /// Returns how many DMA mappings there are of the devices that this thread's test has made.
    /// [`None`] if it runs no test.
    #[cfg(test)]
    pub(crate) fn dma_mappings() -> Option<u32> {
        MAPPINGS.with_borrow(|mappings| {
            mappings
                .as_ref()
                .map(|count| count.load(std::sync::atomic::Ordering::Relaxed))
        })
    }
}
