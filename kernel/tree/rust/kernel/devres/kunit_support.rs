// SPDX-License-Identifier: GPL-2.0

//! The parts that the KUnit suites of device-bound resources share.
//!
//! Among them are a device whose driver can be unbound and bound again, threads that are joined,
//! and errors in place of assertions. The interface to the machine is in `kunit_machine`.

// Not every suite uses all items, and those of DRM are not always built.
#![cfg_attr(
    not(CONFIG_RUST_DRM_GEM_SHMEM_HELPER),
    allow(dead_code, unused_imports, unused_macros)
)]

pub(crate) use super::{
    kunit_machine::{
        devres_nodes,
        dma_mappings,
        expect_warning,
        with_pending_signal,
        DmaDebugPause,
        FailNth, //
    },
    kunit_skip::skip, //
};

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
    types::ScopeGuard,
    workqueue::Queue, //
};

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

/// Returns the value of an `Ok`, and fails the running test on an error.
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

/// A device that is bound to its driver, and can be unbound and bound again.
pub(crate) struct TestDevice {
    reg: faux::Registration,
    is_bound: bool,
}

impl TestDevice {
    /// Registers a device, and binds it.
    pub(crate) fn new() -> Result<Self> {
        // Each device has another name. A test that oopses leaves its device registered, and the
        // next tests still register theirs.
        static COUNT: Atomic<u32> = Atomic::new(0);
        let name = CString::try_from_fmt(fmt!("lazy-kunit.{}", COUNT.fetch_add(1, Relaxed)))?;

        Ok(Self {
            reg: faux::Registration::new(&name, None)?,
            is_bound: true,
        })
    }

    /// Returns the device, which stays bound while it is borrowed. `ENODEV` if it is not bound.
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

    /// Unbinds the driver. `self` is borrowed exclusively, so no reference to the bound device is
    /// left.
    pub(crate) fn unbind(&mut self) {
        self.is_bound = false;

        // SAFETY: The device is registered, and this thread does not hold its lock.
        unsafe { bindings::device_release_driver(self.as_raw()) };
    }

    /// Binds the same `struct device` again.
    pub(crate) fn rebind(&mut self) -> Result {
        // SAFETY: The device is registered, and this thread does not hold its lock.
        let attached = unsafe { bindings::device_attach(self.as_raw()) };

        // 1 means that the device is bound now.
        if attached != 1 {
            return Err(ENODEV);
        }
        self.is_bound = true;

        Ok(())
    }
}

/// Sets the number of address bits that a device has for DMA. A faux device has no mask by itself.
pub(crate) fn set_dma_bits(dev: &Device<Bound>, bits: u32) {
    let dev = dev.as_raw();

    // Not by `dma_set_mask()`, which refuses a mask that the system cannot serve: a test needs one.
    // SAFETY: `dev` is valid, and no test sets its mask while another thread uses it.
    let mask = unsafe { &raw mut (*dev).coherent_dma_mask };

    // SAFETY: `mask` is a valid field of `dev`, which no other thread uses now.
    unsafe { mask.write(u64::MAX >> (u64::BITS - bits)) };
    // SAFETY: `dev` is valid, and no other thread uses its mask now.
    unsafe { (*dev).dma_mask = mask };
}

/// The data that a thread and the test that created it share.
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
/// Dropping it starts the thread if it has not been started, and waits until it has returned. The
/// thread is an item on an unbound workqueue, which adds workers as needed while others sleep.
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

        // SAFETY: `system_dfl_wq` is made early at boot, and not changed after that.
        let queue = unsafe { bindings::system_dfl_wq };
        // SAFETY: The queue is never freed.
        let queue = unsafe { Queue::from_raw(queue) };

        let theirs = shared.clone();
        queue.try_spawn(GFP_KERNEL, move || {
            // On the host, a panic of the function ends the wait as well.
            let _returned = ScopeGuard::new(|| theirs.returned.complete_all());
            theirs.may_start.wait_for_completion();
            let value = function();

            *theirs.value.lock() = Some(value);
            theirs.has_returned.store(true, Release);
        })?;

        Ok(Self(shared))
    }

    /// Waits until the thread has returned, and returns its result. `EINVAL` if it has panicked.
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

    /// Returns whether the thread has returned.
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

/// The time for which a test watches that an event does not happen.
pub(crate) const GRACE: Delta = Delta::from_millis(50);

/// Waits for `condition`, for as long as `limit`. Returns whether it came true.
pub(crate) fn comes_true(limit: Delta, condition: impl FnMut() -> bool) -> bool {
    comes_true_with(limit, || fsleep(Delta::from_millis(1)), condition)
}

/// As [`comes_true()`], with `pause` between two checks of the condition.
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

/// Sleeps shortly, in a loop that waits for other threads or works against them. A kernel without
/// preemption runs them only then, if it has no more CPUs.
pub(crate) fn let_others_run() {
    // A shorter delay would keep the CPU.
    fsleep(Delta::from_micros(20));
}

/// Lets `n` threads go on at the same time. May sleep.
pub(crate) fn meet(arrived: &Atomic<i32>, n: i32) {
    // About as long as a running thread takes to arrive.
    const SPINS: u32 = 10_000;

    arrived.fetch_add(1, Full);
    let mut spins = 0;
    while arrived.load(Acquire) < n {
        if spins < SPINS {
            spins += 1;
            cpu_relax();
        } else {
            // The other threads may need this CPU to arrive.
            let_others_run();
        }
    }
}
