// SPDX-License-Identifier: GPL-2.0

//! The KUnit suites' interface to the machine, for device-bound resources.
//!
//! The functions announce expected reports, count DMA mappings and managed resources, send signals,
//! and make allocations fail.
//!
//! The suites also run on the host, which has its own version of this file.

// Not every suite uses all functions, and those of DRM are not always built.
#![cfg_attr(not(CONFIG_RUST_DRM_GEM_SHMEM_HELPER), allow(dead_code))]

use crate::{
    bindings,
    device::Device,
    prelude::*,
    types::NotThreadSafe, //
};
use core::{
    ffi::c_int,
    mem,
    ptr::{
        self,
        NonNull, //
    },
};

/// Runs `function`, during which the kernel has to print a report that contains `what`.
///
/// Prints a mark before and after `function`. The runner expects a report between the marks, and
/// fails if there is none. `what` contains no quotation marks.
pub(crate) fn expect_splat<R>(what: &str, function: impl FnOnce() -> R) -> R {
    pr_info!("# expect-splat: \"{what}\"\n");
    let result = function();
    pr_info!("# end-expect-splat: \"{what}\"\n");

    result
}

/// As [`expect_splat()`], for a `WARN()`, which prints nothing without `CONFIG_BUG`.
pub(crate) fn expect_warning<R>(what: &str, function: impl FnOnce() -> R) -> R {
    if cfg!(CONFIG_BUG) {
        expect_splat(what, function)
    } else {
        function()
    }
}

/// Returns the variable behind a file in debugfs, as `debugfs_create_bool()` and its like store it.
///
/// # Safety
///
/// The file is made from a variable of type `T` that is never freed.
#[cfg(CONFIG_DEBUG_FS)]
unsafe fn debugfs_variable<T>(dir: &CStr, file: &CStr) -> Option<NonNull<T>> {
    // SAFETY: The name is a string, and NULL stands for the root.
    let dir = unsafe { bindings::debugfs_lookup(dir.as_char_ptr(), core::ptr::null_mut()) };
    if dir.is_null() {
        return None;
    }

    // SAFETY: The name is a string, and `dir` is a dentry that we hold a reference to.
    let file = unsafe { bindings::debugfs_lookup(file.as_char_ptr(), dir) };
    // SAFETY: We hold a reference to `dir`, and do not use it any more.
    unsafe { bindings::dput(dir) };
    if file.is_null() {
        return None;
    }

    // SAFETY: We hold a reference to `file`, and a dentry that was looked up has an inode.
    let variable = unsafe { (*(*file).d_inode).i_private };
    // SAFETY: We hold a reference to `file`, and do not use it any more.
    unsafe { bindings::dput(file) };

    NonNull::new(variable.cast())
}

/// Returns the number of entries in the list of the device's managed resources.
pub(crate) fn devres_nodes(dev: &Device) -> usize {
    // SAFETY: `dev` is valid, and the tests call this when no other thread changes the list.
    let head = unsafe { &raw mut (*dev.as_raw()).devres_head };

    let mut len = 0;
    // SAFETY: The list is initialised with the device.
    let mut node = unsafe { (*head).next };
    while !ptr::eq(node, head) {
        len += 1;
        // SAFETY: `node` is an entry of the list.
        node = unsafe { (*node).next };
    }

    len
}

/// `__sighandler_t`.
type Handler = bindings::__sighandler_t;

/// Runs `function` with a signal pending. The thread ignores signals otherwise.
pub(crate) fn with_pending_signal<R>(function: impl FnOnce() -> R) -> R {
    /// `SIGUSR1`.
    const SIGNAL: c_int = 10;

    // SAFETY: C casts the same numbers to handlers, for `SIG_IGN` and `SIG_KTHREAD`.
    let [ignore, kthread] =
        [1_usize, 2].map(|handler| unsafe { mem::transmute::<usize, Handler>(handler) });
    // SAFETY: There is always a current task.
    let task = unsafe { bindings::get_current() };

    // SAFETY: The arguments are a signal, and a handler that it may have.
    unsafe { bindings::kernel_sigaction(SIGNAL, kthread) };
    // SAFETY: `task` is this thread. 1 stands for a signal that the kernel sends.
    unsafe { bindings::send_sig(SIGNAL, task, 1) };
    let result = function();
    // SAFETY: `task` is this thread.
    unsafe { bindings::flush_signals(task) };
    // SAFETY: The arguments are a signal, and a handler that it may have.
    unsafe { bindings::kernel_sigaction(SIGNAL, ignore) };

    result
}

/// Returns the number of DMA mappings in the system. [`None`] if the kernel does not count them.
pub(crate) fn dma_mappings() -> Option<u32> {
    #[cfg(all(CONFIG_DMA_API_DEBUG, CONFIG_DEBUG_FS))]
    {
        // SAFETY: The file is made from a static variable of this type.
        let disabled = unsafe { debugfs_variable::<bool>(c"dma-api", c"disabled") }?;
        // SAFETY: The file is made from a static variable of this type.
        let total = unsafe { debugfs_variable::<u32>(c"dma-api", c"nr_total_entries") }?;
        // SAFETY: The file is made from a static variable of this type.
        let free = unsafe { debugfs_variable::<u32>(c"dma-api", c"num_free_entries") }?;

        // SAFETY: The pointer is valid. Only users of DMA change the variable, and no test uses DMA
        // now.
        let is_disabled = unsafe { disabled.read_volatile() };
        // SAFETY: The pointer is valid, and no test uses DMA now.
        let total = unsafe { total.read_volatile() };
        // SAFETY: The pointer is valid, and no test uses DMA now.
        let free = unsafe { free.read_volatile() };

        (!is_disabled).then(|| total - free)
    }

    #[cfg(not(all(CONFIG_DMA_API_DEBUG, CONFIG_DEBUG_FS)))]
    None
}

/// Pauses `CONFIG_DMA_API_DEBUG`, which turns itself off for good when one of its own allocations
/// fails.
///
/// A mapping that is made during the pause has to be unmapped during the pause.
pub(crate) struct DmaDebugPause(Option<NonNull<bool>>);

impl DmaDebugPause {
    /// Begins a pause, which ends when the result is dropped.
    pub(crate) fn new() -> Self {
        #[cfg(all(CONFIG_DMA_API_DEBUG, CONFIG_DEBUG_FS))]
        // SAFETY: The file is made from a static variable of type `bool`.
        let disabled = unsafe { debugfs_variable::<bool>(c"dma-api", c"disabled") };
        #[cfg(not(all(CONFIG_DMA_API_DEBUG, CONFIG_DEBUG_FS)))]
        let disabled: Option<NonNull<bool>> = None;

        Self(disabled.filter(|disabled| {
            // SAFETY: The pointer is valid. A concurrent reader of the variable sees one value or
            // the other.
            let was_disabled = unsafe { disabled.replace(true) };
            !was_disabled
        }))
    }
}

impl Drop for DmaDebugPause {
    fn drop(&mut self) {
        if let Some(disabled) = self.0 {
            // SAFETY: The pointer is valid. A concurrent reader of the variable sees one value or
            // the other.
            unsafe { disabled.write_volatile(false) };
        }
    }
}

/// Makes one allocation of the current thread fail, until this is dropped.
pub(crate) struct FailNth {
    /// Whether failslab spared allocations that may sleep before.
    #[cfg(all(CONFIG_FAILSLAB, CONFIG_FAULT_INJECTION_DEBUG_FS))]
    did_spare: bool,
    _thread: NotThreadSafe,
}

#[cfg(all(CONFIG_FAILSLAB, CONFIG_FAULT_INJECTION_DEBUG_FS))]
impl FailNth {
    /// Whether this kernel has fault injection.
    pub(crate) const AVAILABLE: bool = true;

    /// Makes the `nth` allocation from here on fail, counting from 1.
    pub(crate) fn new(nth: u32) -> Result<Self> {
        let did_spare = Self::spare_allocations_that_may_sleep(false)?;
        Self::set(nth);

        Ok(Self {
            did_spare,
            _thread: NotThreadSafe,
        })
    }

    /// Returns whether an allocation has failed.
    pub(crate) fn tripped(&self) -> bool {
        // SAFETY: `current` is valid, and only this thread accesses its `fail_nth`.
        unsafe { (*crate::task::Task::current_raw()).fail_nth == 0 }
    }

    fn end(&self) {
        Self::set(0);

        // The file was found when `self` was created.
        let _ = Self::spare_allocations_that_may_sleep(self.did_spare);
    }

    fn set(nth: u32) {
        // SAFETY: `current` is valid, and only this thread accesses its `fail_nth`.
        unsafe { (*crate::task::Task::current_raw()).fail_nth = nth };
    }

    /// Sets whether failslab spares allocations that may sleep, and returns whether it did. By
    /// default it does, and the tests are about them.
    fn spare_allocations_that_may_sleep(spare: bool) -> Result<bool> {
        // SAFETY: The file is made from a static variable of type `bool`.
        let variable = unsafe { debugfs_variable::<bool>(c"failslab", c"ignore-gfp-wait") };

        // SAFETY: The pointer is valid. A concurrent reader sees one value or the other, and a task
        // without a planned fault ignores it.
        Ok(unsafe { variable.ok_or(ENODEV)?.replace(spare) })
    }
}

#[cfg(not(all(CONFIG_FAILSLAB, CONFIG_FAULT_INJECTION_DEBUG_FS)))]
impl FailNth {
    /// Whether this kernel has fault injection.
    pub(crate) const AVAILABLE: bool = false;

    /// Fails, as there is no fault injection in this kernel.
    pub(crate) fn new(_nth: u32) -> Result<Self> {
        Err(EOPNOTSUPP)
    }

    /// Returns whether an allocation has failed.
    pub(crate) fn tripped(&self) -> bool {
        false
    }
    fn end(&self) {}
}

impl Drop for FailNth {
    fn drop(&mut self) {
        self.end();
    }
}
