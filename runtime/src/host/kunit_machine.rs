// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Functions by which the KUnit suites inspect and change the host. Stands for a file of the same
//! name that is added to the kernel.

use crate::{
    bindings,
    device::Device,
    fault,
    prelude::*,
    testing::{collect_warnings, fail_nth, Task},
};

/// Runs `function`, which has to raise a warning that contains `what`.
#[track_caller]
pub(crate) fn expect_warning<R>(what: &str, function: impl FnOnce() -> R) -> R {
    let (result, warnings) = collect_warnings(function);
    assert!(
        warnings.iter().any(|warning| warning.contains(what)),
        "no warning has {what:?} in it: {warnings:?}"
    );
    result
}

/// As [`expect_warning()`]: the host does not tell reports and warnings apart.
#[track_caller]
pub(crate) fn expect_splat<R>(what: &str, function: impl FnOnce() -> R) -> R {
    expect_warning(what, function)
}

/// Returns the number of entries in the list of the device's managed resources.
pub(crate) fn devres_nodes(dev: &Device) -> usize {
    // SAFETY: `dev` is valid.
    unsafe { &*dev.as_raw() }.devres_nodes()
}

/// Runs `function` with a signal pending.
pub(crate) fn with_pending_signal<R>(function: impl FnOnce() -> R) -> R {
    Task::current().send_signal();
    let result = function();
    Task::flush_signals();

    result
}

/// Returns the number of DMA mappings of the devices that the running test has made.
pub(crate) fn dma_mappings() -> Option<u32> {
    bindings::kunit::dma_mappings()
}

/// Nothing here counts mappings in a way that a failed allocation ends.
pub(crate) struct DmaDebugPause;

impl DmaDebugPause {
    pub(crate) fn new() -> Self {
        Self
    }
}

/// Makes one allocation of the current thread fail, until this is dropped.
pub(crate) struct FailNth(fault::FailNth);

impl FailNth {
    /// Allocations can be made to fail here.
    pub(crate) const AVAILABLE: bool = true;

    /// Makes the `nth` allocation from here on fail, counting from 1.
    pub(crate) fn new(nth: u32) -> Result<Self> {
        Ok(Self(fail_nth(nth.into())))
    }

    /// Returns whether an allocation has failed.
    pub(crate) fn tripped(&self) -> bool {
        self.0.tripped()
    }
}
