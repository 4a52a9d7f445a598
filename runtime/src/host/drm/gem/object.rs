// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A GEM object with nothing behind it but a file: a part of `rust/kernel/drm/gem/mod.rs`.

use super::{close_callback, open_callback, DriverObject, IntoGEMObject};
use crate::{
    bindings, container_of,
    drm::{self, driver::AllocImpl, DeviceContext, Normal},
    error::to_result,
    impl_aref_for_gem_obj,
    prelude::*,
    sync::aref::ARef,
    types::Opaque,
};
use core::{marker::PhantomData, ops::Deref, ptr::NonNull};

/// A GEM object: `struct drm_gem_object`, and the driver's part of it.
///
/// It holds no reference to its DRM device, as in Linux 7.3.4.
///
/// # Invariants
///
/// - `obj` is initialised.
/// - The promises of `Ctx` hold for its device.
#[repr(C)]
#[pin_data]
pub struct Object<T: DriverObject + Send + Sync, Ctx: DeviceContext = Normal> {
    obj: Opaque<bindings::drm_gem_object>,
    #[pin]
    data: T,
    _ctx: PhantomData<Ctx>,
}

impl<T: DriverObject, Ctx: DeviceContext> Object<T, Ctx> {
    const OBJECT_FUNCS: bindings::drm_gem_object_funcs = bindings::drm_gem_object_funcs {
        free: Some(Self::free_callback),
        open: Some(open_callback::<T>),
        close: Some(close_callback::<T>),
        ..bindings::drm_gem_object_funcs::new()
    };

    /// Returns the DRM device that the object belongs to.
    pub fn dev(&self) -> &drm::Device<T::Driver, Ctx> {
        // SAFETY: The object is initialised.
        let dev = unsafe { (*self.obj.get()).dev };

        // SAFETY: `new()` got it as a `drm::Device<T::Driver>`, and `Ctx` is true of it.
        unsafe { drm::Device::from_raw(dev) }
    }

    extern "C" fn free_callback(obj: *mut bindings::drm_gem_object) {
        // SAFETY: Every object with these functions is part of a `Self`.
        let this = unsafe { container_of!(Opaque::cast_from(obj), Self, obj) }.cast_mut();

        // SAFETY: This was the last reference.
        unsafe { bindings::drm_gem_object_release(obj) };
        // SAFETY: `new()` has got it from a box.
        drop(unsafe { KBox::from_raw(this) });
    }
}

impl<T: DriverObject> Object<T> {
    /// Creates an object of `size` bytes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what the driver's part fails with.
    ///
    /// # Panics
    ///
    /// If `size` is not a multiple of [`PAGE_SIZE`](crate::page::PAGE_SIZE), which is a `BUG_ON()`
    /// in C.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn new(dev: &drm::Device<T::Driver>, size: usize, args: T::Args) -> Result<ARef<Self>> {
        let obj: Pin<KBox<Self>> = KBox::try_pin_init(
            try_pin_init!(Self {
                obj: Opaque::new(bindings::drm_gem_object::default()),
                data <- T::new(dev, size, args),
                _ctx: PhantomData,
            }),
            GFP_KERNEL,
        )?;
        let raw = obj.obj.get();

        // SAFETY: Nobody else knows of the object.
        unsafe { (*raw).funcs = const { &Self::OBJECT_FUNCS } };
        // SAFETY: `dev` is alive, and the object is zeroed up to its functions.
        let ret = unsafe { bindings::drm_gem_object_init(dev.as_raw(), raw, size) };
        if let Err(error) = to_result(ret) {
            // SAFETY: Also if it fails, the function has initialised the rest of the object.
            unsafe { bindings::drm_gem_private_object_fini(raw) };
            return Err(error);
        }

        // SAFETY: The object is only ever used pinned.
        let obj = KBox::into_raw(unsafe { Pin::into_inner_unchecked(obj) });
        // SAFETY: The pointer of a box is not null.
        let obj = unsafe { NonNull::new_unchecked(obj) };
        // INVARIANT: `obj` was initialised.
        // SAFETY: This takes over the first reference.
        Ok(unsafe { ARef::from_raw(obj) })
    }
}

impl_aref_for_gem_obj! {
    impl<T> for Object<T>
    where
        T: DriverObject
}

// SAFETY: The C functions may be called on any thread, and the driver's part is `Send`.
unsafe impl<T: DriverObject, Ctx: DeviceContext> Send for Object<T, Ctx> {}
// SAFETY: The C functions may be called on several threads at once, and the driver's part is
// `Sync`.
unsafe impl<T: DriverObject, Ctx: DeviceContext> Sync for Object<T, Ctx> {}

impl<T: DriverObject, Ctx: DeviceContext> IntoGEMObject for Object<T, Ctx> {
    fn as_raw(&self) -> *mut bindings::drm_gem_object {
        self.obj.get()
    }

    unsafe fn from_raw<'a>(self_ptr: *mut bindings::drm_gem_object) -> &'a Self {
        // SAFETY: The caller promises that it is part of a `Self`.
        let this = unsafe { container_of!(Opaque::cast_from(self_ptr), Self, obj) };
        // SAFETY: The caller promises that it lives for `'a`.
        unsafe { &*this }
    }
}

impl<T: DriverObject, Ctx: DeviceContext> Deref for Object<T, Ctx> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.data
    }
}

impl<T: DriverObject, Ctx: DeviceContext> AllocImpl for Object<T, Ctx> {
    type Driver = T::Driver;
}
