// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Work queues.
//!
//! Stands for `rust/kernel/workqueue.rs`. C header: `include/linux/workqueue.h`.
//!
//! On the host each item has a thread of its own, as on an unbound queue whose workers all sleep.

use crate::{
    alloc::{AllocError, Flags},
    bindings,
    types::Opaque,
};
use std::thread;

/// A work queue: `struct workqueue_struct`.
#[repr(transparent)]
pub struct Queue(Opaque<bindings::workqueue_struct>);

// SAFETY: A queue may be used on any thread.
unsafe impl Send for Queue {}
// SAFETY: `queue_work()` may be called for one queue by several threads at once.
unsafe impl Sync for Queue {}

impl Queue {
    /// Wraps a C queue.
    ///
    /// # Safety
    ///
    /// `ptr` is a queue that is valid during `'a`.
    #[must_use]
    pub unsafe fn from_raw<'a>(ptr: *const bindings::workqueue_struct) -> &'a Queue {
        // CAST: `Queue` is a transparent wrapper.
        // SAFETY: The caller promises that it is valid.
        unsafe { &*ptr.cast() }
    }

    /// Runs a function on another thread, soon: `queue_work()`.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{prelude::*, sync::{Arc, Completion}, workqueue};
    ///
    /// let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
    /// let theirs = done.clone();
    /// workqueue::system_unbound().try_spawn(GFP_KERNEL, move || theirs.complete_all())?;
    /// done.wait_for_completion();
    /// # Ok::<(), Error>(())
    /// ```
    pub fn try_spawn<T: 'static + Send + FnOnce()>(
        &self,
        flags: Flags,
        func: T,
    ) -> Result<(), AllocError> {
        if bindings::may_not_allocate(flags.as_raw()) {
            return Err(AllocError);
        }
        thread::Builder::new()
            .spawn(func)
            .map_or(Err(AllocError), |_| Ok(()))
    }
}

/// Returns the queue for work that may run on any CPU: `system_unbound_wq`.
#[must_use]
pub fn system_unbound() -> &'static Queue {
    // SAFETY: It is never written to.
    let queue = unsafe { bindings::system_unbound_wq };
    // SAFETY: It is there for good.
    unsafe { Queue::from_raw(queue) }
}
