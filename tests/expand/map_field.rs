// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A `map` field: a marker maps a view into the owner.

use core::ptr::NonNull;
use kernel::{
    bindings,
    device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy,
    drm::{self, gem::DriverObject},
    error::from_err_ptr,
    prelude::*,
    scatterlist::SGTable,
    sync::aref::ARef,
    types::Opaque,
};

/// Maps the table that the C helper keeps in the object.
pub struct Table;

// SAFETY: The C helper's table is immutable, and stays until `unmap()`.
unsafe impl<T: DriverObject> Map<Object<T>> for Table {
    type Target = SGTable;
    type Keep = ARef<drm::Device<T::Driver>>;

    fn keep(obj: &Object<T>) -> Self::Keep {
        obj.dev().into()
    }

    fn map(obj: &Object<T>, _dev: &Device<Bound>) -> Result<NonNull<SGTable>> {
        // SAFETY: `obj` is an initialised shmem object.
        let sgt = unsafe { bindings::drm_gem_shmem_get_pages_sgt(obj.obj.get()) };

        NonNull::new(from_err_ptr(sgt)?.cast()).ok_or(ENOMEM)
    }

    unsafe fn unmap(_obj: &Object<T>, _drm: &Self::Keep, _sgt: NonNull<SGTable>) {}
}

/// A shmem-backed GEM object.
#[devres_lazy]
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct Object<T: DriverObject> {
    #[pin]
    obj: Opaque<bindings::drm_gem_shmem_object>,

    /// Scatter-gather table of this object's DMA pages.
    #[lazy(
        pub fn sg_table -> SGTable,
        device = self.dev().as_ref().as_ref(),
        map = Table,
        peek = sg_table_if_mapped,
        try_access = try_sg_table,
        revoke = unmap_sg_table,
    )]
    sgt: Mapped<Self, Table>,

    #[pin]
    inner: T,
}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Send for Object<T> {}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Sync for Object<T> {}

impl<T: DriverObject> Object<T> {
    /// The DRM device that this object belongs to.
    pub fn dev(&self) -> &drm::Device<T::Driver> {
        // SAFETY: `obj` is initialised.
        let dev = unsafe { (*self.obj.get()).base.dev };

        // SAFETY: Every object of this type was made for a device of this driver.
        unsafe { drm::Device::from_raw(dev) }
    }
}

#[devres_lazy]
#[pinned_drop]
impl<T: DriverObject> PinnedDrop for Object<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: This was the last reference.
        unsafe { bindings::drm_gem_shmem_release(self.obj.get()) };
    }
}
