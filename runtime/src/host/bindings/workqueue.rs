// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The queues that are there from boot on: `include/linux/workqueue.h`. They have no state here: each
//! item of work gets a thread.

/// A queue: `struct workqueue_struct`.
#[repr(C)]
pub struct workqueue_struct {
    /// So that each has an address of its own.
    _private: u8,
}

static mut DFL: workqueue_struct = workqueue_struct { _private: 0 };
static mut UNBOUND: workqueue_struct = workqueue_struct { _private: 0 };

/// For work that may run on any CPU. It is never written to.
pub static mut system_dfl_wq: *mut workqueue_struct = &raw mut DFL;

/// The same, by the name that it had before. It is never written to.
pub static mut system_unbound_wq: *mut workqueue_struct = &raw mut UNBOUND;
