// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The length of the stress of `stress_kunit`, and its measurement of memory. Stands for a file of
//! the same name that is added to the kernel.

use crate::{alloc::allocator::BYTES, error::Result};
use std::sync::{atomic::Ordering::Relaxed, Mutex, PoisonError};

/// Returns how often the device is bound and unbound. The kernel does so more often, in a boot of
/// its own; `cargo xtask stress` has the long run on the host.
#[expect(clippy::unnecessary_wraps, reason = "the kernel's reads a parameter")]
pub(crate) fn bindings() -> Result<i64> {
    Ok(300)
}

/// Runs `function`, during which no other stress uses memory. Other tests may.
pub(crate) fn alone<R>(function: impl FnOnce() -> R) -> R {
    static RUNNING: Mutex<()> = Mutex::new(());

    let _running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    function()
}

/// The number of bytes that are allocated, as `kmalloc()` and its like do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    bytes: i64,
}

impl Usage {
    /// How many more bytes may be in use for each binding: less than an object takes.
    const SLACK: i64 = 64;

    /// Measures the usage.
    pub(crate) fn now() -> Self {
        Self {
            bytes: BYTES.load(Relaxed),
        }
    }

    /// Returns whether no more bytes are in use than before so many bindings.
    pub(crate) fn is_back_to(self, before: Self, bindings: i64) -> bool {
        self.bytes <= before.bytes + Self::SLACK * bindings
    }
}
