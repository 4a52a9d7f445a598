// SPDX-License-Identifier: GPL-2.0

//! DRM GEM DMA helper objects
//!
//! C header: [`include/drm/drm_gem_dma_helper.h`](srctree/include/drm/drm_gem_dma_helper.h)
//!
//! An object's memory is allocated with the object, for one device, and is contiguous for that
//! device.
//!
//! # Unbind
//!
//! As in C, the memory is freed with the object, possibly after the device was unbound:
//!
//! - User space and importers of the buffer may have mapped the memory, and are not told of unbind.
//!   So the memory cannot be freed earlier.
//! - `dma_free_attrs()` is then called for a device that has no driver. `CONFIG_DMA_API_DEBUG`
//!   reports the memory at unbind. If the bus sets up DMA operations at each binding, the device
//!   may not have the right ones then.
//! - The memory stays mapped in the IOMMU until then. A device that was not stopped before its
//!   driver was unbound can still write to this memory, and to no other.
//!
//! Unbind ends the driver's access to the addresses, which are in the scatter-gather table. After
//! unbind, [`Object::sg_table()`] fails, also when the same device is bound again.

use crate::{
    bindings,
    container_of,
    device::{
        self,
        Bound, //
    },
    devres::{
        same_device,
        Batched, //
    },
    devres_lazy,
    dma,
    drm::{
        driver,
        gem,
        private::Sealed,
        Device, //
    },
    error::{
        from_err_ptr,
        to_result, //
    },
    io::{
        Region,
        SysMem, //
    },
    new_lazy,
    page::page_align,
    prelude::*,
    scatterlist,
    sync::aref::ARef,
    types::Opaque, //
};
use core::{
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
};
use gem::{
    BaseObject,
    DriverObject,
    IntoGEMObject, //
};

#[cfg(CONFIG_RUST_DEVRES_KUNIT_TEST)]
mod lazy_kunit;

/// A GEM object with memory that is contiguous for its device.
///
/// Imported objects and dumb buffers are not supported: C code would create them without the
/// driver's part.
///
/// # Invariants
///
/// - `obj` is an initialised `struct drm_gem_dma_object`, at the start of an allocation that
///   `kfree()` frees.
/// - Once [`Object::new()`] has returned the object, `vaddr` is the address of its memory, which is
///   mapped for the device as `dma_addr`.
/// - `drm` is the DRM device that `obj` was initialised with.
#[devres_lazy]
#[repr(C)]
#[pin_data]
pub struct Object<T: DriverObject> {
    #[pin]
    obj: Opaque<bindings::drm_gem_dma_object>,

    /// Accessible only in the binding in which the memory was allocated.
    #[pin]
    binding: Batched<()>,

    /// Scatter-gather table of this object's memory, with contiguous addresses for the device.
    #[lazy(
        pub fn sg_table -> scatterlist::SGTable,
        device = self.dev().as_ref().as_ref(),
        init = {
            self.binding.access(dev)?;
            SgTable::new(self)
        },
        peek = sg_table_if_made,
    )]
    sgt: SgTable,

    #[pin]
    inner: T,

    /// The DRM device, which `drm_gem_dma_free()` reads.
    drm: ARef<Device<T::Driver>>,
}

super::impl_aref_for_gem_obj! {
    impl<T> for Object<T>
    where
        T: DriverObject
}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Send for Object<T> {}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<T: DriverObject> Sync for Object<T> {}

impl<T: DriverObject> Object<T> {
    /// `drm_gem_object_funcs` vtable suitable for GEM DMA objects.
    const VTABLE: bindings::drm_gem_object_funcs = bindings::drm_gem_object_funcs {
        free: Some(Self::free_callback),
        open: Some(super::open_callback::<T>),
        close: Some(super::close_callback::<T>),
        print_info: None,
        export: None,
        pin: None,
        unpin: None,
        get_sg_table: Some(Self::get_sg_table_callback),
        vmap: Some(Self::vmap_callback),
        vunmap: None,
        mmap: Some(Self::mmap_callback),
        status: None,
        rss: None,
        #[allow(unused_unsafe, reason = "Safe since Rust 1.82.0")]
        // SAFETY: `drm_gem_dma_vm_ops` is a valid, static const on the C side.
        vm_ops: unsafe { &raw const bindings::drm_gem_dma_vm_ops },
        evict: None,
    };

    /// Creates an object with memory for `dev`, which is the device of `drm`.
    ///
    /// The memory is zeroed, and of `size` bytes rounded up to pages.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if `dev` is another device, or if `size` is 0.
    /// - [`ENOMEM`] if the memory cannot be allocated, and [`ENOSPC`] if there is no mmap offset
    ///   for the object.
    /// - The error of [`DriverObject::new()`].
    pub fn new(
        drm: &Device<T::Driver>,
        dev: &device::Device<Bound>,
        size: usize,
        args: T::Args,
    ) -> Result<ARef<Self>> {
        if !same_device(drm.as_ref().as_ref(), dev) {
            return Err(EINVAL);
        }
        let size = page_align(size).filter(|size| *size > 0).ok_or(EINVAL)?;

        let new: Pin<KBox<Self>> = KBox::try_pin_init(
            try_pin_init!(Self {
                obj <- Opaque::init_zeroed(),
                binding <- Batched::new(dev, Ok::<_, Error>(())),
                sgt <- new_lazy!(),
                inner <- T::new(drm, size, args),
                drm: drm.into(),
            }),
            GFP_KERNEL,
        )?;

        // SAFETY: `new.as_raw()` is valid by the initialization above.
        unsafe { (*new.as_raw()).funcs = &Self::VTABLE };

        // SAFETY: The arguments are valid.
        let initialised =
            to_result(unsafe { bindings::drm_gem_object_init(drm.as_raw(), new.as_raw(), size) });
        if let Err(err) = initialised {
            // SAFETY: `drm_gem_object_init()` initializes the private state before it fails.
            unsafe { bindings::drm_gem_private_object_fini(new.as_raw()) };
            return Err(err);
        }

        // SAFETY: The object is not moved out of the box.
        let new = KBox::into_raw(unsafe { Pin::into_inner_unchecked(new) });

        // SAFETY: `new` takes over the reference of `drm_gem_object_init()`, and a box is not null.
        let new = unsafe { ARef::from_raw(NonNull::new_unchecked(new)) };

        // SAFETY: The object is initialised. If this fails, dropping the reference frees it.
        to_result(unsafe { bindings::drm_gem_create_mmap_offset(new.as_raw()) })?;

        let mut dma_addr = 0;
        // SAFETY: `dev` is valid, and bound.
        let vaddr = unsafe {
            bindings::dma_alloc_attrs(
                dev.as_raw(),
                size,
                &mut dma_addr,
                (GFP_KERNEL | __GFP_NOWARN).as_raw(),
                dma::attrs::DMA_ATTR_WRITE_COMBINE.as_raw(),
            )
        };
        if vaddr.is_null() {
            return Err(ENOMEM);
        }

        // SAFETY: The object is initialised, and no other code has a reference to it yet.
        let dma = unsafe { &mut *new.as_raw_dma() };
        // INVARIANT: The memory was allocated above. The C helper frees it with the object.
        dma.vaddr = vaddr;
        dma.dma_addr = dma_addr;

        Ok(new)
    }

    /// Returns a raw pointer to the embedded `drm_gem_dma_object`.
    fn as_raw_dma(&self) -> *mut bindings::drm_gem_dma_object {
        self.obj.get()
    }

    /// Returns the `Device` that owns this GEM object.
    pub fn dev(&self) -> &Device<T::Driver> {
        &self.drm
    }

    /// Returns the memory of the object, for the CPU. The memory lives as long as the object.
    pub fn memory(&self) -> SysMem<'_, Region> {
        // SAFETY: By the type invariants the object is initialised, and `vaddr` does not change.
        let vaddr = unsafe { (*self.as_raw_dma()).vaddr };
        let ptr = Region::ptr_from_raw_parts_mut(vaddr.cast(), self.size());

        // SAFETY: By the type invariants the memory lives as long as the object, and has the
        // object's size, which is a multiple of the page size.
        unsafe { SysMem::new(ptr) }
    }

    extern "C" fn free_callback(obj: *mut bindings::drm_gem_object) {
        // SAFETY: DRM calls this for an object with this vtable, which is part of an `Object<T>`.
        let dma = unsafe { Self::from_base(obj) };

        // SAFETY: `dma` is the field `obj` of an `Object<T>`.
        let this = unsafe { container_of!(Opaque::cast_from(dma), Self, obj) }.cast_mut();

        // `drm_gem_dma_free()` reads the DRM device.
        // SAFETY: `this` is valid, and none of its fields was dropped yet.
        let _drm = unsafe { (*this).drm.clone() };

        // SAFETY: No other code has access to the object, as there is no reference to it. The
        // object was pinned, and does not move. The C object in it has no destructor.
        unsafe { ptr::drop_in_place(this) };

        // SAFETY: The C object is still initialised, and `_drm` keeps its DRM device. By the type
        // invariants it is at the start of the allocation that this frees.
        unsafe { bindings::drm_gem_dma_free(dma) };
    }

    extern "C" fn get_sg_table_callback(
        obj: *mut bindings::drm_gem_object,
    ) -> *mut bindings::sg_table {
        // SAFETY: DRM calls this for an object with this vtable, which is part of an `Object<T>`.
        let dma = unsafe { Self::from_base(obj) };

        // SAFETY: The object is initialised and has memory.
        unsafe { bindings::drm_gem_dma_get_sg_table(dma) }
    }

    extern "C" fn vmap_callback(
        obj: *mut bindings::drm_gem_object,
        map: *mut bindings::iosys_map,
    ) -> c_int {
        // SAFETY: DRM calls this for an object with this vtable, which is part of an `Object<T>`.
        let dma = unsafe { Self::from_base(obj) };

        // SAFETY: The object is initialised and has memory, and DRM passes a valid `map`.
        unsafe { bindings::drm_gem_dma_vmap(dma, map) }
    }

    extern "C" fn mmap_callback(
        obj: *mut bindings::drm_gem_object,
        vma: *mut bindings::vm_area_struct,
    ) -> c_int {
        // SAFETY: DRM calls this for an object with this vtable, which is part of an `Object<T>`.
        let dma = unsafe { Self::from_base(obj) };

        // SAFETY: The object is initialised and has memory, and DRM passes a valid `vma`.
        unsafe { bindings::drm_gem_dma_mmap(dma, vma) }
    }

    /// Returns the DMA object that a GEM object is the base of.
    ///
    /// # Safety
    ///
    /// `obj` is part of an `Object<T>`.
    unsafe fn from_base(obj: *mut bindings::drm_gem_object) -> *mut bindings::drm_gem_dma_object {
        // SAFETY: The caller guarantees that `obj` is the base of a `drm_gem_dma_object`.
        unsafe { container_of!(obj, bindings::drm_gem_dma_object, base) }
    }
}

impl<T: DriverObject> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

impl<T: DriverObject> Sealed for Object<T> {}

impl<T: DriverObject> gem::IntoGEMObject for Object<T> {
    fn as_raw(&self) -> *mut bindings::drm_gem_object {
        // SAFETY: `obj` is valid for as long as the reference to `self`.
        unsafe { &raw mut (*self.obj.get()).base }
    }

    unsafe fn from_raw<'a>(obj: *mut bindings::drm_gem_object) -> &'a Self {
        // SAFETY: `obj` is part of an `Object<T>`, as the caller guarantees.
        unsafe {
            let obj = Opaque::cast_from(Self::from_base(obj));

            &*container_of!(obj, Self, obj)
        }
    }
}

impl<T: DriverObject> driver::AllocImpl for Object<T> {
    type Driver = T::Driver;

    const ALLOC_OPS: driver::AllocOps = driver::AllocOps {
        gem_create_object: None,
        prime_handle_to_fd: None,
        prime_fd_to_handle: None,
        gem_prime_import: None,
        gem_prime_import_sg_table: None,
        dumb_create: None,
        dumb_map_offset: None,
    };
}

/// The scatter-gather table of an [`Object`].
///
/// # Invariants
///
/// `0` is a valid table of an object's memory. This type owns the table, and no code changes it.
pub struct SgTable(NonNull<bindings::sg_table>);

impl SgTable {
    fn new<T: DriverObject>(obj: &Object<T>) -> Result<Self> {
        let dma = obj.as_raw_dma();
        // SAFETY: The object is initialised and has memory.
        let table = from_err_ptr(unsafe { bindings::drm_gem_dma_get_sg_table(dma) })?;

        // SAFETY: The object is initialised, and the address of its memory does not change.
        let mut address = unsafe { (*dma).dma_addr };
        // SAFETY: The table is valid.
        let mut entry = unsafe { (*table).sgl };
        // The memory was mapped as one range when it was allocated. The C helper does not set the
        // DMA addresses of the table.
        while !entry.is_null() {
            // SAFETY: `entry` is an entry of the table, which no other code uses yet.
            let raw = unsafe { &mut *entry };
            raw.dma_address = address;
            #[cfg(CONFIG_NEED_SG_DMA_LENGTH)]
            {
                raw.dma_length = raw.length;
            }
            address += dma::DmaAddress::from(raw.length);

            // SAFETY: `entry` is an entry of the table.
            entry = unsafe { bindings::sg_next(entry) };
        }

        // INVARIANT: The C helper has returned a new table.
        Ok(Self(NonNull::new(table).ok_or(ENOMEM)?))
    }
}

impl Deref for SgTable {
    type Target = scatterlist::SGTable;

    fn deref(&self) -> &Self::Target {
        // SAFETY: By the type invariants the table is valid, and no code changes it.
        unsafe { scatterlist::SGTable::from_raw(self.0.as_ptr()) }
    }
}

impl Drop for SgTable {
    fn drop(&mut self) {
        let table = self.0.as_ptr();

        // SAFETY: By the type invariants this owns the table.
        unsafe { bindings::sg_free_table(table) };

        // SAFETY: The C helper has allocated the table by `kzalloc()`.
        unsafe { bindings::kfree(table.cast()) };
    }
}

// SAFETY: Any thread may read the table and free it.
unsafe impl Send for SgTable {}

// SAFETY: No code changes the table.
unsafe impl Sync for SgTable {}
