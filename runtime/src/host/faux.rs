// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Devices without hardware. Stands for `rust/kernel/faux.rs`. C header:
//! `include/linux/device/faux.h`.

use crate::{bindings, device, prelude::*, types::Opaque};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::{null_mut, NonNull},
};

/// A device without hardware: `struct faux_device`.
///
/// # Invariants
///
/// It is valid, and what `Ctx` promises is true.
#[repr(transparent)]
pub struct Device<Ctx: device::DeviceContext = device::Normal>(
    Opaque<bindings::faux_device>,
    PhantomData<Ctx>,
);

impl<Ctx: device::DeviceContext> AsRef<device::Device<Ctx>> for Device<Ctx> {
    #[inline]
    fn as_ref(&self) -> &device::Device<Ctx> {
        // SAFETY: By the type's invariants.
        let dev = unsafe { &raw mut (*self.0.get()).dev };
        // SAFETY: `dev` is part of a valid faux device, for which `Ctx` holds by the type's
        // invariants.
        unsafe { device::Device::from_raw(dev) }
    }
}

// SAFETY: It is where `AsRef` finds the device.
unsafe impl<Ctx: device::DeviceContext> device::AsBusDevice<Ctx> for Device<Ctx> {
    const OFFSET: usize = offset_of!(bindings::faux_device, dev);
}

/// The registration of a device, which is bound for as long as this exists. Dropping it unbinds the
/// device, and so may sleep.
///
/// # Invariants
///
/// The device is valid, and bound.
///
/// # Examples
///
/// ```
/// use kernel::{device::Device, devres::Devres, faux, prelude::*};
///
/// let faux = faux::Registration::new(c"fake0", None)?;
/// let value = Devres::new(faux.as_ref().as_ref(), 5)?;
/// assert_eq!(value.try_access().as_deref(), Some(&5));
/// drop(faux);
/// assert!(value.try_access().is_none());
/// # Ok::<(), Error>(())
/// ```
pub struct Registration(NonNull<bindings::faux_device>);

impl Registration {
    /// Makes a device of this name, and binds it: `faux_device_create()`. The model has no parents.
    ///
    /// # Errors
    ///
    /// `ENODEV`, also if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep.
    #[inline]
    pub fn new(name: &CStr, parent: Option<&device::Device>) -> Result<Self> {
        let parent = parent.map_or(null_mut(), |parent| parent.as_raw());
        // SAFETY: The name is a C string.
        let dev = unsafe { bindings::faux_device_create(name.as_ptr(), parent) };

        // INVARIANT: It was made, and bound.
        Ok(Self(NonNull::new(dev).ok_or(ENODEV)?))
    }
}

impl AsRef<Device<device::Bound>> for Registration {
    #[inline]
    fn as_ref(&self) -> &Device<device::Bound> {
        // CAST: `Device` is a transparent wrapper.
        // SAFETY: By the type's invariants it is bound until `self` is dropped.
        unsafe { self.0.cast().as_ref() }
    }
}

impl Drop for Registration {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type's invariants, and nobody has borrowed the device any more.
        unsafe { bindings::faux_device_destroy(self.0.as_ptr()) }
    }
}

// SAFETY: A device can be unregistered on any thread.
unsafe impl Send for Registration {}
// SAFETY: A shared registration only gives access to the device.
unsafe impl Sync for Registration {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fail_nth;

    #[test]
    fn no_memory_is_enodev() {
        let _fault = fail_nth(1);
        assert_eq!(Registration::new(c"fake0", None).err(), Some(ENODEV));
    }
}
