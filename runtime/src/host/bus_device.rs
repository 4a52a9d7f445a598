// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What the device types of the buses have in common: a part of `rust/kernel/device.rs`.

use super::device::{
    Device,
    DeviceContext, //
};

/// A device of a bus: a type with a `struct device` inside.
///
/// # Safety
///
/// [`OFFSET`](Self::OFFSET) is where the `struct device` is that [`AsRef`] returns.
pub unsafe trait AsBusDevice<Ctx: DeviceContext>: AsRef<Device<Ctx>> {
    /// How many bytes of the device come before its `struct device`.
    const OFFSET: usize;

    /// Returns the device of the bus around a device.
    ///
    /// # Safety
    ///
    /// `dev` is part of a `Self`.
    unsafe fn from_device(dev: &Device<Ctx>) -> &Self
    where
        Self: Sized,
    {
        let this = dev.as_raw().wrapping_byte_sub(Self::OFFSET).cast::<Self>();

        // SAFETY: The caller promises that `dev` is part of a `Self`, which lives as long.
        unsafe { &*this }
    }
}

// SAFETY: It is the whole. What `TestDevice` makes has no bus.
unsafe impl<Ctx: DeviceContext> AsBusDevice<Ctx> for Device<Ctx> {
    const OFFSET: usize = 0;
}
