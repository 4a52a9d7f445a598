// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The reference instance: a shmem GEM object whose scatter-gather table is mapped on first use.
//!
//! The annotated field is the one that `cargo xtask kernel apply` puts into Linux. `SgTable` is in
//! the file from which the library's object, `kernel::drm::gem::shmem::Object`, and the kernel's
//! have it.
//!
//! The same object by hand, as Linux 7.3 has it, is `shmem/by_hand.rs`. `tests/mutants` runs the
//! kernel's suite of the contract over both objects.
//!
//! `main()` takes many objects through their life, and prints what was expected and what happened.

// Modules of an example are in a folder, as each file beside it is an example of its own.
#[path = "shmem/by_hand.rs"]
mod by_hand;
#[path = "shmem/cli.rs"]
mod cli;
#[path = "shmem/driver.rs"]
mod driver;
#[path = "shmem/life.rs"]
mod life;
#[path = "shmem/resv.rs"]
mod resv;
#[path = "../runtime/src/host/drm/gem/shmem/sg_table.rs"]
mod sg_table;
#[path = "shmem/timeline.rs"]
mod timeline;

use kernel::{
    bindings, container_of,
    devres::{LazyOwner, Mapped},
    devres_lazy,
    drm::{
        gem::{impl_aref_for_gem_obj, BaseObjectPrivate, DriverObject, IntoGEMObject},
        Device,
    },
    error::to_result,
    new_lazy,
    prelude::*,
    scatterlist,
    sync::aref::ARef,
    types::Opaque,
};
use sg_table::SgTable;
use std::{ops::Deref, process::ExitCode, ptr::NonNull};

/// How an [`Object`] is made.
pub struct ObjectConfig<'a, T: DriverObject> {
    /// The object whose reservation object is used, in place of the new object's own.
    pub parent_resv_obj: Option<&'a Object<T>>,
}

impl<T: DriverObject> Default for ObjectConfig<'_, T> {
    fn default() -> Self {
        Self {
            parent_resv_obj: None,
        }
    }
}

/// A shmem-backed GEM object.
///
/// Holds a reference to its DRM device. An object that its own device owns, in
/// [`Driver::Data`](kernel::drm::Driver::Data), is therefore part of a cycle of references, and is
/// never freed. Objects of a driver belong in its registration data, which is dropped when the
/// device is unbound.
///
/// # Invariants
///
/// - `obj` is an initialised `struct drm_gem_shmem_object` for the lifetime of the object.
/// - `drm` is the DRM device that `obj` was initialised with.
#[devres_lazy]
#[pin_data]
#[repr(C)]
pub struct Object<T: DriverObject> {
    #[pin]
    obj: Opaque<bindings::drm_gem_shmem_object>,

    /// The object whose reservation object this one uses.
    parent_resv_obj: Option<ARef<Object<T>>>,

    /// Scatter-gather table of this object's DMA pages.
    ///
    /// Must not be called with the object's reservation lock held, which mapping takes. The table
    /// of an imported object is mapped by the exporter of its buffer.
    #[lazy(
        pub fn sg_table -> scatterlist::SGTable,
        device = self.dev().as_ref().as_ref(),
        map = SgTable,
        peek = sg_table_if_mapped,
        try_access = try_sg_table,
        revoke = unmap_sg_table,
    )]
    sgt: Mapped<Self, SgTable>,
    #[pin]
    inner: T,

    /// The DRM device, which `drm_gem_shmem_release()` reads: a GEM object holds no reference to
    /// `obj->dev`. The last field, since fields are dropped in the order of declaration.
    drm: ARef<Device<T::Driver>>,
}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Send for Object<T> {}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Sync for Object<T> {}

impl<T: DriverObject> Object<T> {
    const FUNCS: bindings::drm_gem_object_funcs = bindings::drm_gem_object_funcs {
        free: Some(Self::free_callback),
        pin: Some(bindings::drm_gem_shmem_object_pin),
        unpin: Some(bindings::drm_gem_shmem_object_unpin),
        get_sg_table: Some(bindings::drm_gem_shmem_object_get_sg_table),
        ..bindings::drm_gem_object_funcs::new()
    };

    /// Creates an object of `size` bytes, rounded up to whole pages.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EINVAL` for a size of zero, or what the driver's part fails with.
    pub fn new(
        dev: &Device<T::Driver>,
        size: usize,
        config: ObjectConfig<'_, T>,
        args: T::Args,
    ) -> Result<ARef<Self>> {
        let new: Pin<KBox<Self>> = KBox::try_pin_init(
            try_pin_init!(Self {
                parent_resv_obj: config.parent_resv_obj.map(|parent| parent.into()),
                inner <- T::new(dev, size, args),
                sgt <- new_lazy!("Object::sgt"),
                drm: dev.into(),
                // Last: if another field fails, there is nothing to release.
                obj <- Opaque::try_ffi_init(|obj: *mut bindings::drm_gem_shmem_object| {
                    // SAFETY: `obj` is valid for writes, zeroes are a valid value of it.
                    unsafe { obj.write_bytes(0, 1) };

                    // SAFETY: `obj` is valid, and zeroed as from `kzalloc()`.
                    unsafe { (*obj).base.funcs = &Self::FUNCS };

                    // SAFETY: `dev` is valid, and `obj` is zeroed up to its functions.
                    to_result(unsafe { bindings::drm_gem_shmem_init(dev.as_raw(), obj, size) })
                }),
            }),
            GFP_KERNEL,
        )?;

        if let Some(parent) = config.parent_resv_obj {
            // SAFETY: Nobody else uses the object yet, and it keeps the parent.
            unsafe { (*new.as_raw()).resv = parent.raw_dma_resv() };
        }

        // SAFETY: The object is only ever used pinned.
        let new = KBox::into_raw(unsafe { Pin::into_inner_unchecked(new) });

        // SAFETY: `KBox::into_raw()` does not return NULL.
        let new = unsafe { NonNull::new_unchecked(new) };

        // SAFETY: Takes over the reference that `drm_gem_shmem_init()` created.
        Ok(unsafe { ARef::from_raw(new) })
    }

    /// The DRM device that this object belongs to.
    pub fn dev(&self) -> &Device<T::Driver> {
        &self.drm
    }

    fn as_raw_shmem(&self) -> *mut bindings::drm_gem_shmem_object {
        self.obj.get()
    }

    extern "C" fn free_callback(obj: *mut bindings::drm_gem_object) {
        // SAFETY: Every GEM object with `FUNCS` is the base of a shmem object.
        let shmem = unsafe { container_of!(obj, bindings::drm_gem_shmem_object, base) };

        // SAFETY: Every shmem object with `FUNCS` is the one in an `Object<T>`.
        let this = unsafe { container_of!(Opaque::cast_from(shmem), Self, obj) }.cast_mut();

        // SAFETY: This was the last reference, so nobody else uses the object.
        let owner = unsafe { &mut *this };

        // Unmaps the lazy fields while the GEM object is still whole.
        // SAFETY: GEM objects are pinned.
        unsafe { Pin::new_unchecked(owner) }.teardown();

        // SAFETY: This was the last reference. It reads `obj->dev`, which `drm` keeps.
        unsafe { bindings::drm_gem_shmem_release(shmem) };

        // SAFETY: `new()` leaked it from a `KBox`, and this was the last reference.
        drop(unsafe { KBox::from_raw(this) });
    }
}

impl<T: DriverObject> IntoGEMObject for Object<T> {
    fn as_raw(&self) -> *mut bindings::drm_gem_object {
        // SAFETY: By the type invariants, `obj` is initialised.
        unsafe { &raw mut (*self.obj.get()).base }
    }

    unsafe fn from_raw<'a>(obj: *mut bindings::drm_gem_object) -> &'a Self {
        // SAFETY: The caller has a pointer to the base of the shmem object in an `Object<T>`.
        let obj = unsafe { container_of!(obj, bindings::drm_gem_shmem_object, base) };

        // SAFETY: `obj` is the shmem object in an `Object<T>`, whose base the caller has passed.
        let this = unsafe { container_of!(Opaque::cast_from(obj), Self, obj) };

        // SAFETY: The caller promises that the object is valid for `'a`.
        unsafe { &*this }
    }
}

impl_aref_for_gem_obj! {
    impl<T> for Object<T>
    where
        T: DriverObject
}

impl<T: DriverObject> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

fn main() -> ExitCode {
    cli::main()
}
