// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Devices, and what is known about them where a reference is used.
//!
//! Stands for `rust/kernel/device.rs`. C header: `include/linux/device.h`. Devices of tests are
//! made by [`testing::TestDevice`](crate::testing::TestDevice).

pub use super::bus_device::AsBusDevice;
use crate::{
    bindings,
    str::CStr,
    sync::aref::{ARef, AlwaysRefCounted},
    types::Opaque,
};
use core::{fmt, marker::PhantomData, ops::Deref, ptr::NonNull};

/// A device: `struct device`, of which there is one for each piece of hardware, whoever drives it.
///
/// `Ctx` names the facts that hold for as long as a reference lives: see [`DeviceContext`].
///
/// # Invariants
///
/// It is a valid `struct device` with a reference count above zero. The promises of `Ctx` hold.
///
/// # Examples
///
/// ```
/// use kernel::{device::Device, prelude::*, sync::aref::ARef, testing::TestDevice};
///
/// let mut gpu = TestDevice::new(c"gpu0")?;
/// let bound = gpu.bind()?;
///
/// // An `ARef<Device>` may outlive the binding: it does not claim that a driver is bound.
/// let dev: ARef<Device> = (&*bound).into();
/// assert_eq!(dev.name(), c"gpu0");
/// # Ok::<(), Error>(())
/// ```
#[repr(transparent)]
pub struct Device<Ctx: DeviceContext = Normal>(Opaque<bindings::device>, PhantomData<Ctx>);

impl Device {
    /// Takes a reference to a device of C code.
    ///
    /// # Safety
    ///
    /// `ptr` must be valid for the duration of the call.
    #[inline]
    pub unsafe fn get_device(ptr: *mut bindings::device) -> ARef<Self> {
        // SAFETY: The caller promises that `ptr` is valid during the call.
        let dev: &Self = unsafe { Self::from_raw(ptr) };
        dev.into()
    }

    /// Returns the device as one that a driver is bound to.
    ///
    /// For a thread or a callback that owns its data, and so cannot borrow a `Device<Bound>` from
    /// the code that has bound the driver.
    ///
    /// # Safety
    ///
    /// A driver must be bound to the device for as long as the returned reference exists.
    ///
    /// # Examples
    ///
    /// A thread that is joined before unbind:
    ///
    /// ```
    /// use kernel::{devres::Devres, prelude::*, sync::Arc, testing::TestDevice};
    /// use std::thread;
    ///
    /// let mut gpu = TestDevice::new(c"gpu0")?;
    /// let bound = gpu.bind()?;
    /// let registers = Arc::new(Devres::new(&bound, 0xd0_u32)?, GFP_KERNEL)?;
    ///
    /// let dev = bound.device();
    /// let worker = thread::spawn(move || {
    ///     // SAFETY: The driver stays bound until this thread was joined.
    ///     let dev = unsafe { dev.as_bound() };
    ///     registers.access(dev).copied()
    /// });
    ///
    /// assert_eq!(worker.join().unwrap(), Ok(0xd0));
    /// bound.unbind();
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// A scoped thread borrows the bound device, and needs no `unsafe`:
    ///
    /// ```
    /// use kernel::{
    ///     device::{Bound, Device},
    ///     devres::Devres,
    ///     prelude::*,
    ///     testing::TestDevice,
    /// };
    /// use std::thread;
    ///
    /// let mut gpu = TestDevice::new(c"gpu0")?;
    /// let bound = gpu.bind()?;
    /// let registers = Devres::new(&bound, 0xd0_u32)?;
    ///
    /// let dev: &Device<Bound> = &bound;
    /// thread::scope(|scope| {
    ///     scope.spawn(|| assert_eq!(registers.access(dev), Ok(&0xd0)));
    /// });
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub unsafe fn as_bound(&self) -> &Device<Bound> {
        // SAFETY: The pointer comes from a reference, and the caller promises what `Bound` says.
        unsafe { Device::from_raw(self.as_raw()) }
    }
}

impl<Ctx: DeviceContext> Device<Ctx> {
    /// Returns the device as C code takes it.
    ///
    /// In the kernel only the `kernel` crate can call this. It is public here, as code of that
    /// crate, such as the abstraction of a subsystem, lives outside of this crate.
    #[inline]
    pub fn as_raw(&self) -> *mut bindings::device {
        self.0.get()
    }

    /// Wraps a device of C code.
    ///
    /// # Safety
    ///
    /// For the duration of `'a`, `ptr` must be valid, and what `Ctx` promises must be so.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut bindings::device) -> &'a Self {
        // CAST: `Device` is a transparent wrapper.
        // SAFETY: By the caller's promise. There is no `&mut` to a `struct device`.
        unsafe { &*ptr.cast() }
    }

    /// Returns the name of the device. Stands for `dev_name()`.
    pub fn name(&self) -> &CStr {
        // SAFETY: By the type invariant the device is valid.
        let name = unsafe { bindings::dev_name(self.as_raw()) };

        // SAFETY: It is a C string, which the device keeps, and does not change.
        unsafe { CStr::from_ptr(name) }
    }
}

impl<Ctx: DeviceContext> fmt::Debug for Device<Ctx> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Device").field(&self.name()).finish()
    }
}

// SAFETY: A `struct device` counts its references, and is there until the last one is put.
unsafe impl AlwaysRefCounted for Device {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::get_device(self.as_raw()) };
    }

    #[inline]
    unsafe fn dec_ref(obj: NonNull<Self>) {
        // CAST: `Device` is a transparent wrapper.
        // SAFETY: The caller owns a reference, and gives it up.
        unsafe { bindings::put_device(obj.cast().as_ptr()) };
    }
}

// SAFETY: References to a `struct device` may be taken and put on any thread.
unsafe impl Send for Device {}

// SAFETY: All operations on a shared `struct device` have their own locks.
unsafe impl Sync for Device {}

// SAFETY: All operations on a shared `struct device` have their own locks. A bound device is bound
// for all threads.
unsafe impl Sync for Device<Bound> {}

impl<Ctx: DeviceContext> AsRef<Device<Ctx>> for Device<Ctx> {
    #[inline]
    fn as_ref(&self) -> &Device<Ctx> {
        self
    }
}

impl Deref for Device<Bound> {
    type Target = Device;

    #[inline]
    fn deref(&self) -> &Device {
        // SAFETY: The pointer comes from a reference, and `Normal` promises nothing.
        unsafe { Device::from_raw(self.as_raw()) }
    }
}

impl Deref for Device<Core<'_>> {
    type Target = Device<Bound>;

    #[inline]
    fn deref(&self) -> &Device<Bound> {
        // SAFETY: The pointer comes from a reference. A device in a callback of its driver is bound
        // for as long as the reference, which does not outlive the callback.
        unsafe { Device::from_raw(self.as_raw()) }
    }
}

impl From<&Device<Bound>> for ARef<Device> {
    #[inline]
    fn from(dev: &Device<Bound>) -> Self {
        let dev: &Device = dev;
        dev.into()
    }
}

impl From<&Device<Core<'_>>> for ARef<Device> {
    #[inline]
    fn from(dev: &Device<Core<'_>>) -> Self {
        let dev: &Device = dev;
        dev.into()
    }
}

mod private {
    /// Keeps the contexts to those of this module.
    pub trait Sealed {}

    impl Sealed for super::Bound {}
    impl Sealed for super::Core<'_> {}
    impl Sealed for super::Normal {}
}

/// The facts that hold for a device while a reference to it exists.
///
/// Each context knows what the next one knows, and dereferences to it: [`Core`], [`Bound`],
/// [`Normal`].
pub trait DeviceContext: private::Sealed {}

/// Nothing is known but that the device exists. Only this one can be reference-counted.
pub struct Normal;

/// A driver is bound to the device, and is not unbound before the reference is gone.
pub struct Bound;

/// The driver's bus is calling one of its callbacks, such as `probe()`, and holds the device's
/// lock.
///
/// The lifetime is the callback's, and invariant, so that a reference does not leave it.
pub struct Core<'a>(PhantomData<fn(&'a ()) -> &'a ()>);

impl DeviceContext for Normal {}
impl DeviceContext for Bound {}
impl DeviceContext for Core<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDevice;
    use std::thread;

    #[test]
    fn contexts_lead_to_the_same_device() {
        let mut dev = TestDevice::new(c"dev0").unwrap();
        let bound = dev.bind().unwrap();

        let raw = bound.as_raw();
        // SAFETY: The device is bound, and nobody looks for the lock in this test.
        let core: &Device<Core<'_>> = unsafe { Device::from_raw(raw) };
        let as_bound: &Device<Bound> = core;
        let normal: &Device = as_bound;
        assert_eq!(as_bound.as_raw(), raw);
        assert_eq!(normal.as_raw(), raw);
        assert_eq!(AsRef::<Device<Bound>>::as_ref(as_bound).as_raw(), raw);

        for reference in [ARef::from(core), ARef::from(as_bound), ARef::from(normal)] {
            assert_eq!(reference.as_raw(), raw);
        }
        // SAFETY: The device is valid.
        assert_eq!(unsafe { Device::get_device(raw) }.name(), c"dev0");
        assert_eq!(format!("{normal:?}"), "Device(\"dev0\")");
    }

    #[test]
    fn a_reference_outlives_the_test_device_on_another_thread() {
        let dev = TestDevice::new(c"dev1").unwrap().device();
        let name = thread::spawn(move || dev.clone().name().to_owned()).join();
        assert_eq!(name.unwrap().as_c_str(), c"dev1");
    }
}
