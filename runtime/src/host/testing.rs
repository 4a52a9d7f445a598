// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What only the host has: devices that are bound and unbound at will, and ways to make things
//! fail.
//!
//! Nothing in here exists in the kernel. Driver code does not use it; its tests do:
//!
//! - [`TestDevice`] and [`Binding`]: a device, and the time during which a driver is bound to it;
//! - [`fail_nth()`]: the n-th allocation of this thread fails;
//! - [`Task`]: a thread that others send signals to;
//! - [`collect_warnings()`]: what the kernel would warn about, as text and not as a panic;
//! - [`ledger()`]: what a device has mapped for DMA;
//! - [`rcu_grace_periods()`]: how many grace periods were waited for.

use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    error::{
        from_err_ptr,
        to_result,
        Result, //
    },
    str::CStr,
    sync::aref::ARef,
};
use core::{
    ops::Deref,
    ptr::NonNull, //
};

pub use crate::{
    bindings::{
        collect_warnings,
        ledger,
        Ledger, //
    },
    fault::{
        fail_nth,
        FailNth, //
    },
    signal::Task,
    sync::rcu::rcu_grace_periods,
};

/// A device that a test binds and unbinds.
///
/// It is one `struct device` with one address, however often it is bound. Dropping it unbinds it,
/// if that is still to be done; the `struct device` is there until the last reference is put.
///
/// # Examples
///
/// ```
/// use devres_lazy::{prelude::*, testing::TestDevice};
///
/// let mut gpu = TestDevice::new(c"gpu0")?;
///
/// let bound = gpu.bind()?;
/// assert_eq!(bound.name(), c"gpu0");
/// bound.unbind();
///
/// // The same device again.
/// let rebound = gpu.bind()?;
/// # drop(rebound);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct TestDevice {
    dev: ARef<Device>,
}

impl TestDevice {
    /// Makes a device of this name, which no driver is bound to, and which reaches all memory by
    /// DMA.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn new(name: &CStr) -> Result<Self> {
        // SAFETY: `name` is a C string.
        let dev = from_err_ptr(unsafe { bindings::root_device_register(name.as_ptr()) })?;

        // CAST: `Device` is a transparent wrapper.
        // SAFETY: It is not an error pointer, and not null, as the function does not return that.
        let dev = unsafe { NonNull::new_unchecked(dev.cast::<Device>()) };

        Ok(Self {
            // SAFETY: The function has returned the reference that the device was made with.
            dev: unsafe { ARef::from_raw(dev) },
        })
    }

    /// Binds a driver, for as long as the result exists.
    ///
    /// # Errors
    ///
    /// `EBUSY` if a driver is bound, since an earlier result was forgotten and not dropped.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn bind(&mut self) -> Result<Binding<'_>> {
        // SAFETY: The device is valid, and `&mut self` keeps calls from overlapping.
        to_result(unsafe { bindings::device_bind_driver(self.dev.as_raw()) })?;

        // INVARIANT: It is bound.
        Ok(Binding { device: self })
    }

    /// Returns a reference to the device, which may be kept. [`Binding::device()`] does the same
    /// while it is bound.
    pub fn device(&self) -> ARef<Device> {
        self.dev.clone()
    }

    /// Lets the device reach addresses of up to `bits` bits by DMA, 1 to 64, from now on.
    ///
    /// With 24 it reaches none of the memory that there is, and mapping fails with `EIO`.
    ///
    /// # Panics
    ///
    /// If `bits` is out of range.
    pub fn set_dma_mask(&self, bits: u32) {
        assert!((1..=64).contains(&bits), "a DMA mask has 1 to 64 bits");

        // SAFETY: The device is valid.
        unsafe { bindings::dma_set_mask(self.dev.as_raw(), u64::MAX >> (64 - bits)) };
    }
}

impl Drop for TestDevice {
    fn drop(&mut self) {
        // SAFETY: The device is valid, as `self` owns a reference. `&mut self` keeps calls from
        // overlapping, and shows that there is no `Binding` that lends a `Device<Bound>`.
        unsafe { bindings::device_release_driver(self.dev.as_raw()) };
    }
}

/// The time during which a driver is bound to a [`TestDevice`].
///
/// It lends the `Device<Bound>` that goes with it. Dropping it unbinds the driver: all that is
/// registered with the device is released, the last first, and then it is a loud failure if
/// anything is still mapped for DMA.
///
/// The borrow checker sees to it that nobody has a `&Device<Bound>` any more by then:
///
/// ```compile_fail,E0505
/// # use devres_lazy::{device::{Bound, Device}, testing::TestDevice};
/// let mut gpu = TestDevice::new(c"gpu0").unwrap();
/// let bound = gpu.bind().unwrap();
///
/// let dev: &Device<Bound> = &bound;
/// bound.unbind();
/// println!("{dev:?}"); // too late
/// ```
///
/// In the right order it compiles:
///
/// ```
/// # use devres_lazy::{device::{Bound, Device}, testing::TestDevice};
/// let mut gpu = TestDevice::new(c"gpu0").unwrap();
/// let bound = gpu.bind().unwrap();
///
/// let dev: &Device<Bound> = &bound;
/// println!("{dev:?}");
/// bound.unbind();
/// ```
///
/// Nor does one outlive a rebind, also if the binding was forgotten:
///
/// ```compile_fail,E0499
/// # use devres_lazy::{device::{Bound, Device}, testing::TestDevice};
/// let mut gpu = TestDevice::new(c"gpu0").unwrap();
///
/// let dev: &Device<Bound> = &*Box::leak(Box::new(gpu.bind().unwrap()));
/// let rebound = gpu.bind().unwrap();
/// println!("{dev:?}"); // of the first binding
/// ```
///
/// What may be kept is a reference that does not say that a driver is bound:
///
/// ```
/// # use devres_lazy::testing::TestDevice;
/// let mut gpu = TestDevice::new(c"gpu0").unwrap();
///
/// let dev = gpu.bind().unwrap().device();
/// let rebound = gpu.bind().unwrap();
/// println!("{dev:?}");
/// assert_eq!(dev.as_raw(), rebound.as_raw());
/// ```
///
/// # Invariants
///
/// A driver is bound to the device as long as it exists.
#[must_use = "the driver is unbound immediately when the binding is unused"]
#[derive(Debug)]
pub struct Binding<'a> {
    device: &'a mut TestDevice,
}

impl Binding<'_> {
    /// Unbinds the driver, as dropping does.
    ///
    /// # Context
    ///
    /// May sleep: it waits for an RCU grace period for each [`Devres`](crate::devres::Devres), and
    /// for those that are being dropped.
    ///
    /// # Panics
    ///
    /// If anything that is released panics, after all of it was released, and if anything is then
    /// still mapped for DMA. Also if the thread holds the RCU read lock: the device then stays
    /// bound.
    #[track_caller]
    pub fn unbind(self) {}

    /// Returns a reference to the device, which may be kept.
    pub fn device(&self) -> ARef<Device> {
        self.device.device()
    }

    /// As [`TestDevice::set_dma_mask()`].
    ///
    /// # Panics
    ///
    /// If `bits` is out of range.
    pub fn set_dma_mask(&self, bits: u32) {
        self.device.set_dma_mask(bits);
    }
}

impl Deref for Binding<'_> {
    type Target = Device<Bound>;

    #[inline]
    fn deref(&self) -> &Device<Bound> {
        // SAFETY: By the type invariant it is bound as long as `self` exists. `self` is borrowed
        // for as long as the reference; should it be forgotten in that time, nobody unbinds the
        // device: the `TestDevice` is borrowed as well.
        unsafe { self.device.dev.as_bound() }
    }
}

impl AsRef<Device<Bound>> for Binding<'_> {
    #[inline]
    fn as_ref(&self) -> &Device<Bound> {
        self
    }
}

impl Drop for Binding<'_> {
    fn drop(&mut self) {
        // SAFETY: The device is valid, as the `TestDevice` owns a reference, and `&mut` to that
        // keeps calls from overlapping. Whoever relies on the device being bound has borrowed
        // `self`.
        unsafe { bindings::device_release_driver(self.device.dev.as_raw()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        devres::{
            self,
            Devres, //
        },
        prelude::*,
        sync::rcu,
    };
    use std::{
        mem,
        panic::{
            catch_unwind,
            AssertUnwindSafe, //
        },
        sync::Arc,
        thread, //
    };

    #[test]
    fn a_rebound_device_keeps_its_address() {
        let mut dev = TestDevice::new(c"dev0").unwrap();
        let raw = dev.device().as_raw();

        for _ in 0..3 {
            let bound = dev.bind().unwrap();
            assert_eq!(bound.as_raw(), raw);
            assert_eq!(AsRef::<Device<Bound>>::as_ref(&bound).as_raw(), raw);
            bound.unbind();
        }
    }

    #[test]
    fn a_forgotten_binding_stays_until_the_device_goes() {
        let value = Arc::new(());
        let mut dev = TestDevice::new(c"dev1").unwrap();

        let bound = dev.bind().unwrap();
        devres::register(&bound, value.clone(), GFP_KERNEL).unwrap();
        let kept = Devres::new(&bound, value.clone()).unwrap();
        mem::forget(bound);

        assert_eq!(dev.bind().err(), Some(EBUSY));
        assert!(kept.try_access().is_some());
        assert_eq!(Arc::strong_count(&value), 3);

        drop(dev);
        assert!(kept.try_access().is_none());
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn devices_and_bindings_go_to_other_threads() {
        let mut dev = TestDevice::new(c"dev2").unwrap();
        let bound = dev.bind().unwrap();

        thread::scope(|s| {
            let shared: &Device<Bound> = &bound;
            s.spawn(move || assert_eq!(shared.name(), c"dev2"));
        });
        thread::scope(|s| {
            s.spawn(move || bound.unbind());
        });
        thread::spawn(move || drop(dev)).join().unwrap();
    }

    #[test]
    fn unbinding_under_rcu_is_loud_and_undoes_nothing() {
        let mut dev = TestDevice::new(c"dev5").unwrap();
        let bound = dev.bind().unwrap();
        let value = Devres::new(&bound, 5).unwrap();
        {
            let _guard = rcu::read_lock();
            let report = catch_unwind(AssertUnwindSafe(|| bound.unbind())).unwrap_err();
            let report = report.downcast_ref::<String>().unwrap();
            assert!(report.contains("device_release_driver()"), "{report}");
        }
        assert_eq!(value.try_access().map(|v| *v), Some(5));
        assert_eq!(dev.bind().err(), Some(EBUSY));
        drop(dev);
        assert!(value.try_access().is_none());
    }

    #[test]
    fn no_memory_no_device() {
        let _fault = fail_nth(1);
        assert_eq!(TestDevice::new(c"dev3").err(), Some(ENOMEM));
    }

    #[test]
    #[should_panic(expected = "1 to 64 bits")]
    fn a_mask_has_bits() {
        TestDevice::new(c"dev4").unwrap().set_dma_mask(0);
    }
}
