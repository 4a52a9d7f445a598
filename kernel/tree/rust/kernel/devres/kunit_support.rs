// SPDX-License-Identifier: GPL-2.0

//! What the KUnit suites of device-bound resources share.
//!
//! A device whose driver can be unbound and bound again, threads that are joined, allocations that
//! fail, and errors in place of assertions.

// Not every suite needs all of it, and that of DRM is not always there.
#![cfg_attr(not(CONFIG_RUST_DRM_GEM_SHMEM_HELPER), allow(dead_code))]

use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    faux,
    new_mutex,
    prelude::*,
    processor::cpu_relax,
    str::CString,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            AtomicFlag,
            Full,
            Relaxed,
            Release, //
        },
        Arc,
        Completion,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    },
    types::NotThreadSafe,
    workqueue::Queue, //
};
use core::ptr::NonNull;

/// Fails the running test, and prints why.
///
/// A failed KUnit assertion ends the thread without running destructors, which would leave the
/// device of the test registered. An error is passed up instead.
macro_rules! fail {
    ($($why:tt)+) => {{
        $crate::kunit::err($crate::prelude::fmt!(
            "    # {}:{}: {}\n",
            ::core::module_path!(),
            ::core::line!(),
            $crate::prelude::fmt!($($why)+),
        ));
        return ::core::result::Result::Err($crate::error::code::EINVAL);
    }};
}
pub(crate) use fail;

/// Fails the running test unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($why:tt)+) => {
        if !$condition {
            $crate::devres::kunit_support::fail!($($why)+);
        }
    };
}
pub(crate) use ensure;

/// Returns what is in an `Ok`, and fails the running test if there is an error.
macro_rules! ensure_ok {
    ($result:expr, $what:literal) => {
        match $result {
            ::core::result::Result::Ok(value) => value,
            ::core::result::Result::Err(error) => {
                $crate::devres::kunit_support::fail!("{}: {:?}", $what, error)
            }
        }
    };
}
pub(crate) use ensure_ok;

/// Marks the running test as skipped, which then returns what this returns.
pub(crate) fn skip(why: &CStr) -> Result {
    // SAFETY: There are no requirements.
    let test = unsafe { bindings::kunit_get_current_test() };
    let test = NonNull::new(test).ok_or(EINVAL)?.as_ptr();

    // SAFETY: `test` is the test that this thread runs, and while it runs nobody else sets its
    // status.
    unsafe { (*test).status = bindings::kunit_status_KUNIT_SKIPPED };

    // SAFETY: As above, and the borrow ends with this function.
    let comment = unsafe { &mut (*test).status_comment };
    let len = comment.len() - 1;
    for (to, from) in comment[..len].iter_mut().zip(why.to_bytes_with_nul()) {
        *to = *from;
    }

    Ok(())
}

/// Runs `function`, in which the kernel reports something that contains `what`, as it should.
///
/// Whoever reads the log finds out from the marks that this report is no failure, and that there
/// has to be one. Both say all of it, as a busy console may lose a part of either. `what` has no
/// quotation marks in it.
pub(crate) fn expect_splat<R>(what: &str, function: impl FnOnce() -> R) -> R {
    pr_info!("# expect-splat: \"{what}\"\n");
    let result = function();
    pr_info!("# end-expect-splat: \"{what}\"\n");

    result
}

/// As [`expect_splat()`], for a `WARN()`, which needs `CONFIG_BUG` to be heard.
pub(crate) fn expect_warning<R>(what: &str, function: impl FnOnce() -> R) -> R {
    if cfg!(CONFIG_BUG) {
        expect_splat(what, function)
    } else {
        function()
    }
}

/// A device that is bound to its driver, and can be unbound and bound again.
pub(crate) struct TestDevice {
    reg: faux::Registration,
    is_bound: bool,
}

impl TestDevice {
    /// Registers a device, and binds it.
    pub(crate) fn new() -> Result<Self> {
        // A name of its own, so that a test that oopses does not take the next ones with it.
        static COUNT: Atomic<u32> = Atomic::new(0);
        let name = CString::try_from_fmt(fmt!("lazy-kunit.{}", COUNT.fetch_add(1, Relaxed)))?;

        Ok(Self {
            reg: faux::Registration::new(&name, None)?,
            is_bound: true,
        })
    }

    /// The device, which stays bound while it is borrowed. `ENODEV` if it is not bound.
    pub(crate) fn bound(&self) -> Result<&faux::Device<Bound>> {
        if self.is_bound {
            Ok(self.reg.as_ref())
        } else {
            Err(ENODEV)
        }
    }

    fn as_raw(&self) -> *mut bindings::device {
        let dev: &Device<Bound> = self.reg.as_ref().as_ref();
        dev.as_raw()
    }

    /// Unbinds the driver. Nobody borrows the bound device, since `self` is exclusively borrowed.
    pub(crate) fn unbind(&mut self) {
        self.is_bound = false;

        // SAFETY: The device is registered, and nobody holds its lock here.
        unsafe { bindings::device_release_driver(self.as_raw()) };
    }

    /// Binds the same `struct device` again.
    pub(crate) fn rebind(&mut self) -> Result {
        // SAFETY: The device is registered, and nobody holds its lock here.
        let attached = unsafe { bindings::device_attach(self.as_raw()) };

        // 1 says that there is a driver now.
        if attached != 1 {
            return Err(ENODEV);
        }
        self.is_bound = true;

        Ok(())
    }
}

/// What a thread and the test that created it share.
#[pin_data]
struct Shared<R> {
    #[pin]
    may_start: Completion,
    #[pin]
    value: Mutex<Option<R>>,
    has_returned: AtomicFlag,
    #[pin]
    returned: Completion,
}

/// A thread of a test, created before it is needed, so that no allocation can fail half-way.
///
/// Dropping it lets it run, if it has not been started, and waits until it has returned. It is an
/// item on an unbound workqueue, which adds workers as needed while others sleep.
pub(crate) struct Thread<R>(Arc<Shared<R>>);

impl<R: Send + Unpin + 'static> Thread<R> {
    /// Creates a thread that runs `function` once it is started.
    pub(crate) fn new(function: impl FnOnce() -> R + Send + 'static) -> Result<Self> {
        let shared = Arc::pin_init(
            pin_init!(Shared {
                may_start <- Completion::new(),
                value <- new_mutex!(None),
                has_returned: AtomicFlag::new(false),
                returned <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;

        // SAFETY: `system_dfl_wq` is made early at boot, and there for good.
        let queue = unsafe { Queue::from_raw(bindings::system_dfl_wq) };

        let theirs = shared.clone();
        queue.try_spawn(GFP_KERNEL, move || {
            theirs.may_start.wait_for_completion();
            let value = function();

            *theirs.value.lock() = Some(value);
            theirs.has_returned.store(true, Release);
            theirs.returned.complete_all();
        })?;

        Ok(Self(shared))
    }

    /// Waits until the thread has returned, and returns what it did.
    pub(crate) fn join(self) -> Result<R> {
        self.wait();
        self.0.value.lock().take().ok_or(EINVAL)
    }
}

impl<R> Thread<R> {
    /// Lets the thread run.
    pub(crate) fn start(&self) {
        self.0.may_start.complete_all();
    }

    /// Has the thread returned?
    pub(crate) fn has_returned(&self) -> bool {
        self.0.has_returned.load(Acquire)
    }

    fn wait(&self) {
        self.start();
        self.0.returned.wait_for_completion();
    }
}

impl<R> Drop for Thread<R> {
    fn drop(&mut self) {
        self.wait();
    }
}

/// Creates a completion that threads share.
pub(crate) fn completion() -> Result<Arc<Completion>> {
    Arc::pin_init(Completion::new(), GFP_KERNEL)
}

/// How long something that must not happen is given to happen.
pub(crate) const GRACE: Delta = Delta::from_millis(50);

/// Waits for `condition`, for as long as `limit`. Did it come true?
pub(crate) fn comes_true(limit: Delta, condition: impl FnMut() -> bool) -> bool {
    comes_true_with(limit, || fsleep(Delta::from_millis(1)), condition)
}

/// As [`comes_true()`], with `pause` between one look and the next.
pub(crate) fn comes_true_with(
    limit: Delta,
    pause: impl Fn(),
    mut condition: impl FnMut() -> bool,
) -> bool {
    let begin = Instant::<Monotonic>::now();

    while begin.elapsed() < limit {
        if condition() {
            return true;
        }
        pause();
    }

    condition()
}

/// Lets `n` threads go on at the same time.
pub(crate) fn meet(arrived: &Atomic<i32>, n: i32) {
    arrived.fetch_add(1, Full);
    while arrived.load(Acquire) < n {
        cpu_relax();
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

    // SAFETY: We hold a reference to `file`, and what is looked up has an inode.
    let variable = unsafe { (*(*file).d_inode).i_private };
    // SAFETY: We hold a reference to `file`, and do not use it any more.
    unsafe { bindings::dput(file) };

    NonNull::new(variable.cast())
}

/// How many DMA mappings there are in the system. [`None`] if nobody counts them.
pub(crate) fn dma_mappings() -> Option<u32> {
    #[cfg(all(CONFIG_DMA_API_DEBUG, CONFIG_DEBUG_FS))]
    {
        // SAFETY: The files are made from static variables of these types.
        let disabled = unsafe { debugfs_variable::<bool>(c"dma-api", c"disabled") }?;
        // SAFETY: As above.
        let total = unsafe { debugfs_variable::<u32>(c"dma-api", c"nr_total_entries") }?;
        // SAFETY: As above.
        let free = unsafe { debugfs_variable::<u32>(c"dma-api", c"num_free_entries") }?;

        // SAFETY: The pointer is valid. The variable may change under us, but not while the one
        // user of DMA is a test that does not do any now.
        let is_disabled = unsafe { disabled.read_volatile() };
        // SAFETY: As above.
        let total = unsafe { total.read_volatile() };
        // SAFETY: As above.
        let free = unsafe { free.read_volatile() };

        (!is_disabled).then(|| total - free)
    }

    #[cfg(not(all(CONFIG_DMA_API_DEBUG, CONFIG_DEBUG_FS)))]
    None
}

/// Pauses the bookkeeping of `CONFIG_DMA_API_DEBUG`, which gives up for good when an allocation of
/// its own fails.
///
/// What is mapped during the pause has to be unmapped during the pause.
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
            // SAFETY: The pointer is valid. Who reads the variable meanwhile sees one value or the
            // other.
            let was_disabled = unsafe { disabled.replace(true) };
            !was_disabled
        }))
    }
}

impl Drop for DmaDebugPause {
    fn drop(&mut self) {
        if let Some(disabled) = self.0 {
            // SAFETY: As in `new()`.
            unsafe { disabled.write_volatile(false) };
        }
    }
}

/// Makes one allocation of the current thread fail, while it lives.
pub(crate) struct FailNth(NotThreadSafe);

#[cfg(all(CONFIG_FAILSLAB, CONFIG_FAULT_INJECTION_DEBUG_FS))]
impl FailNth {
    /// Is there fault injection in this kernel?
    pub(crate) const AVAILABLE: bool = true;

    /// The `nth` allocation from here on fails, counting from 1.
    pub(crate) fn new(nth: u32) -> Result<Self> {
        Self::spare_allocations_that_may_sleep(false)?;
        Self::set(nth);

        Ok(Self(NotThreadSafe))
    }

    /// Did an allocation fail?
    pub(crate) fn tripped(&self) -> bool {
        // SAFETY: `current` is valid, and nobody else accesses this field of it.
        unsafe { (*crate::task::Task::current_raw()).fail_nth == 0 }
    }

    fn end(&self) {
        Self::set(0);

        // It was found when `self` was created.
        let _ = Self::spare_allocations_that_may_sleep(true);
    }

    fn set(nth: u32) {
        // SAFETY: `current` is valid, and nobody else accesses this field of it.
        unsafe { (*crate::task::Task::current_raw()).fail_nth = nth };
    }

    /// What is left alone by default are just the allocations that the tests are about.
    fn spare_allocations_that_may_sleep(spare: bool) -> Result {
        // SAFETY: The file is made from a static variable of type `bool`.
        let variable = unsafe { debugfs_variable::<bool>(c"failslab", c"ignore-gfp-wait") };

        // SAFETY: The pointer is valid. Who reads the variable meanwhile sees one value or the
        // other, and neither has consequences for a task without a fault planned.
        unsafe { variable.ok_or(ENODEV)?.write_volatile(spare) };

        Ok(())
    }
}

#[cfg(not(all(CONFIG_FAILSLAB, CONFIG_FAULT_INJECTION_DEBUG_FS)))]
impl FailNth {
    /// Is there fault injection in this kernel?
    pub(crate) const AVAILABLE: bool = false;

    /// Fails, as there is no fault injection in this kernel.
    pub(crate) fn new(_nth: u32) -> Result<Self> {
        Err(EOPNOTSUPP)
    }

    /// Did an allocation fail?
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
