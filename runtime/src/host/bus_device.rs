// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The common part of the device types of the buses: a part of `rust/kernel/device.rs`.

use super::device::{Device, DeviceContext};

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

// SAFETY: It is the whole device. A device that `TestDevice` makes has no bus.
unsafe impl<Ctx: DeviceContext> AsBusDevice<Ctx> for Device<Ctx> {
    const OFFSET: usize = 0;
}

/// Makes a device of a bus dereference to itself in each context that knows less.
///
/// # Safety
///
/// The type is a transparent wrapper of the same type in each context.
#[macro_export]
macro_rules! impl_device_context_deref {
    (unsafe { $device:ident }) => {
        $crate::impl_device_context_deref!(
            @one $device, [<'a>], $crate::device::Core<'a> => $crate::device::Bound
        );
        $crate::impl_device_context_deref!(
            @one $device, [], $crate::device::Bound => $crate::device::Normal
        );
    };
    (@one $device:ident, [$( $lt:tt )*], $from:ty => $to:ty) => {
        impl $( $lt )* ::core::ops::Deref for $device<$from> {
            type Target = $device<$to>;

            #[inline]
            fn deref(&self) -> &Self::Target {
                // SAFETY: The types wrap the same, and the context is a weaker one.
                unsafe { &*(&raw const *self).cast() }
            }
        }
    };
}

/// Makes an [`ARef`](crate::sync::aref::ARef) of a device of a bus from a reference in any context.
#[macro_export]
macro_rules! impl_device_context_into_aref {
    ($device:ident) => {
        $crate::impl_device_context_into_aref!(@one $device, $crate::device::Core<'_>);
        $crate::impl_device_context_into_aref!(@one $device, $crate::device::Bound);
    };
    (@one $device:ident, $from:ty) => {
        impl ::core::convert::From<&$device<$from>> for $crate::sync::aref::ARef<$device> {
            #[inline]
            fn from(dev: &$device<$from>) -> Self {
                let dev: &$device = dev;
                dev.into()
            }
        }
    };
}
