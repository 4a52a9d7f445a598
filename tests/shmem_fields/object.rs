// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A shmem GEM object with two lazy fields, as `rust/kernel/drm/gem/shmem.rs` has them, and the
//! places where it can be broken.

use super::{
    driver::{
        Buffer,
        Driver, //
    },
    fault::{
        Fault,
        Kind, //
    },
    resv::DmaResvGuard,
};
use kernel::{
    bindings, container_of,
    device::{
        Bound,
        Device, //
    },
    devres::{
        Map,
        Mapped, //
    },
    devres_lazy,
    drm::{
        self,
        gem::{
            impl_aref_for_gem_obj,
            BaseObject,
            BaseObjectPrivate,
            DriverObject,
            IntoGEMObject, //
        },
    },
    error::{
        from_err_ptr,
        to_result, //
    },
    new_lazy,
    page::PAGE_SIZE,
    prelude::*,
    scatterlist::SGTable,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::Opaque,
};
use std::{
    cell::UnsafeCell,
    marker::PhantomData,
    mem::{
        ManuallyDrop,
        MaybeUninit, //
    },
    ptr::{
        self,
        NonNull, //
    },
};

/// How often the memory of an object is in use, by the counts of the C helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uses {
    /// The kernel mapping.
    pub(crate) vmap: i32,
    /// The pages, by those who need them to stay where they are.
    pub(crate) pins: i32,
    /// The pages.
    pub(crate) pages: i32,
}

impl Uses {
    /// Nobody uses it.
    pub(crate) const NONE: Self = Self {
        vmap: 0,
        pins: 0,
        pages: 0,
    };

    /// It is mapped once.
    pub(crate) const MAPPED: Self = Self {
        vmap: 1,
        pins: 1,
        pages: 1,
    };
}

/// A shmem-backed GEM object.
///
/// # Invariants
///
/// - `obj` is an initialised `struct drm_gem_shmem_object` for the lifetime of the object.
/// - `drm` is the DRM device that `obj` was initialised with.
#[devres_lazy]
#[pin_data(PinnedDrop)]
#[repr(C)]
pub(crate) struct Object<F: Fault> {
    #[pin]
    obj: Opaque<bindings::drm_gem_shmem_object>,

    /// Whose reservation object this one has.
    parent: Option<ARef<Object<F>>>,

    /// Scatter-gather table of this object's DMA pages.
    #[lazy(
        pub(crate) fn sg_table -> SGTable,
        device = self.dev().as_ref(),
        map = SgTable,
        peek = sg_table_if_mapped,
        revoke = unmap_sg_table,
    )]
    sgt: Mapped<Self, SgTable>,

    /// This object's memory as the kernel sees it.
    #[lazy(
        pub(crate) fn cached_vmap -> VMapMemory,
        device = self.dev().as_ref(),
        map = CachedVMap,
        peek = cached_vmap_if_mapped,
        try_access = try_cached_vmap,
        revoke = unmap_cached_vmap,
    )]
    vmap_cache: Mapped<Self, CachedVMap>,

    #[pin]
    inner: Buffer,
    fault: PhantomData<F>,

    /// The DRM device, which releasing the object reads. The last field, since fields are dropped
    /// in the order of declaration.
    drm: ARef<drm::Device<Driver>>,
}

/// Maps the scatter-gather table that the C helper keeps in the object.
pub(crate) struct SgTable;

// SAFETY:
// - The table that `drm_gem_shmem_get_pages_sgt()` returns does not change. Three functions of the
//   C helper free it. Only `unmap()` calls `__drm_gem_shmem_free_sgt_locked()`.
//   `drm_gem_shmem_release()` comes after the teardown. `drm_gem_shmem_purge_locked()` is for
//   objects that a C driver has advised with `drm_gem_shmem_madvise_locked()`: no `Object` is ever
//   advised or purged, since this module calls neither function and no C driver has an `Object`.
// - `#[devres_lazy]` stands on the destructor of `Object`.
unsafe impl<F: Fault> Map<Object<F>> for SgTable {
    type Target = SGTable;

    /// The C helper unmaps for `obj->dev->dev`, and the object keeps `obj->dev`.
    type Keep = ();

    fn keep(_obj: &Object<F>) -> Self::Keep {}

    fn map(obj: &Object<F>, dev: &Device<Bound>) -> Result<NonNull<SGTable>> {
        if obj.is_imported() {
            return Err(EOPNOTSUPP);
        }
        if F::KIND == Kind::MapsEarly {
            obj.cached_vmap(dev)?;
        }

        // SAFETY: By the type invariants, `obj` is an initialised shmem object.
        let sgt =
            from_err_ptr(unsafe { bindings::drm_gem_shmem_get_pages_sgt(obj.as_raw_shmem()) })?;

        NonNull::new(sgt.cast()).ok_or(ENOMEM)
    }

    unsafe fn unmap(obj: &Object<F>, _keep: &Self::Keep, _sgt: NonNull<SGTable>) {
        let _resv = DmaResvGuard::new(obj);

        // SAFETY: The table is mapped, nobody uses it any more, and the reservation lock is held.
        unsafe { bindings::__drm_gem_shmem_free_sgt_locked(obj.as_raw_shmem()) };

        if F::KIND != Kind::KeepsPages {
            // SAFETY: Mapping took a use count of the pages, and the reservation lock is held.
            unsafe { bindings::drm_gem_shmem_put_pages_locked(obj.as_raw_shmem()) };
        }
    }
}

/// The memory of an object where the kernel has it mapped.
///
/// # Invariants
///
/// It is mapped for as long as it is borrowed.
#[repr(transparent)]
pub(crate) struct VMapMemory(UnsafeCell<[u32]>);

// SAFETY: It is memory that all threads share, and has no destructor.
unsafe impl Send for VMapMemory {}

// SAFETY: All accesses are volatile. The tests do not let them race.
unsafe impl Sync for VMapMemory {}

impl VMapMemory {
    /// How many bytes there are.
    pub(crate) fn size(&self) -> usize {
        self.0.get().len() * size_of::<u32>()
    }

    /// The word at `offset`, if there is one.
    fn word(&self, offset: usize) -> Result<*mut u32> {
        if offset % size_of::<u32>() != 0 || offset >= self.size() {
            return Err(EINVAL);
        }

        Ok(self.0.get().cast::<u32>().wrapping_byte_add(offset))
    }

    /// Reads the word at `offset`.
    pub(crate) fn try_read32(&self, offset: usize) -> Result<u32> {
        let word = self.word(offset)?;

        // SAFETY: By the type invariants it is mapped, and the offset was checked.
        Ok(unsafe { word.read_volatile() })
    }

    /// Writes the word at `offset`.
    pub(crate) fn try_write32(&self, value: u32, offset: usize) -> Result {
        let word = self.word(offset)?;

        // SAFETY: As for reading.
        unsafe { word.write_volatile(value) };
        Ok(())
    }
}

/// Maps the memory of an object into the kernel's address space, once.
pub(crate) struct CachedVMap;

// SAFETY:
// - What `map()` returns is mapped by a use of the C helper's mapping, which only `unmap()` ends.
//   It is shared by all threads as `VMapMemory` is.
// - `#[devres_lazy]` stands on the destructor of `Object`.
unsafe impl<F: Fault> Map<Object<F>> for CachedVMap {
    type Target = VMapMemory;

    /// The object keeps what unmapping reads.
    type Keep = ();

    fn keep(_obj: &Object<F>) -> Self::Keep {}

    fn map(obj: &Object<F>, _dev: &Device<Bound>) -> Result<NonNull<VMapMemory>> {
        // The memory of an imported object is the exporter's.
        if obj.is_imported() && F::KIND != Kind::MapsImported {
            return Err(EOPNOTSUPP);
        }

        let vmap = ManuallyDrop::new(obj.vmap()?);
        if F::KIND == Kind::Unbalanced {
            // Fails without unmapping.
            KBox::new(0, GFP_KERNEL)?;
        }
        let size = match F::KIND {
            Kind::Short => obj.size() - PAGE_SIZE,
            _ => obj.size(),
        };
        let words = NonNull::slice_from_raw_parts(vmap.addr.cast::<u32>(), size / size_of::<u32>());
        if F::KIND == Kind::HoldsOwner {
            obj.inc_ref();
        }

        // INVARIANT: The mapping stays until `unmap()`.
        NonNull::new(words.as_ptr() as *mut VMapMemory).ok_or(ENOMEM)
    }

    unsafe fn unmap(obj: &Object<F>, _keep: &Self::Keep, memory: NonNull<VMapMemory>) {
        match F::KIND {
            Kind::KeepsMapping => return,
            Kind::NoLock => {
                let mut map = MaybeUninit::uninit();
                // SAFETY: It is mapped, and nobody uses it. The lock is not needed, as no other
                // thread uses the object; that it is not held is what a test is to catch.
                unsafe {
                    bindings::drm_gem_shmem_vunmap_locked(obj.as_raw_shmem(), map.as_mut_ptr())
                };
                return;
            }
            Kind::UnmapsForAll => {
                while obj.uses().vmap > 1 {
                    drop(VMap {
                        addr: memory.cast(),
                        owner: obj,
                    });
                }
            }
            Kind::HoldsOwner => {
                // SAFETY: The reference that `map()` took. It is not the last one.
                unsafe { Object::dec_ref(NonNull::from(obj)) };
            }
            _ => (),
        }

        // The mapping that `map()` has kept from being dropped.
        drop(VMap {
            addr: memory.cast(),
            owner: obj,
        });
    }
}

/// A mapping by hand, which lasts until it is dropped.
pub(crate) struct VMap<'a, F: Fault> {
    addr: NonNull<u8>,
    owner: &'a Object<F>,
}

impl<F: Fault> VMap<'_, F> {
    /// The memory.
    pub(crate) fn memory(&self) -> &VMapMemory {
        let len = self.owner.size() / size_of::<u32>();
        let words = ptr::slice_from_raw_parts_mut(self.addr.as_ptr().cast::<u32>(), len);

        // INVARIANT: It is mapped until `self` is dropped.
        // SAFETY: The whole object is mapped, at the beginning of a page.
        unsafe { &*(words as *const VMapMemory) }
    }
}

impl<F: Fault> Drop for VMap<'_, F> {
    fn drop(&mut self) {
        let _resv = DmaResvGuard::new(self.owner);
        let mut map = bindings::iosys_map {
            is_iomem: false,
            __bindgen_anon_1: bindings::iosys_map__bindgen_ty_1 {
                vaddr: self.addr.as_ptr().cast(),
            },
        };

        // SAFETY: It is mapped, nobody uses it any more, and the reservation lock is held.
        unsafe {
            bindings::drm_gem_shmem_vunmap_locked(self.owner.as_raw_shmem(), &mut map);
        }
    }
}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<F: Fault> Send for Object<F> {}

// SAFETY: All GEM objects are thread-safe.
unsafe impl<F: Fault> Sync for Object<F> {}

impl<F: Fault> Object<F> {
    const FUNCS: bindings::drm_gem_object_funcs = bindings::drm_gem_object_funcs {
        free: Some(Self::free_callback),
        ..bindings::drm_gem_object_funcs::new()
    };

    /// Creates an object of `size` bytes, which is reserved together with `parent`.
    pub(crate) fn new(
        dev: &drm::Device<Driver>,
        size: usize,
        parent: Option<&Self>,
    ) -> Result<ARef<Self>> {
        let new: Pin<KBox<Self>> = KBox::try_pin_init(
            try_pin_init!(Self {
                inner <- Buffer::new(dev, size, ()),
                fault: PhantomData,
                parent: parent.map(ARef::from),
                drm: dev.into(),
                sgt <- new_lazy!("Object::sgt"),
                vmap_cache <- new_lazy!("Object::vmap_cache"),
                // Last, since it is `PinnedDrop` that releases it.
                obj <- Opaque::try_ffi_init(|obj: *mut bindings::drm_gem_shmem_object| {
                    // SAFETY: `obj` is valid for writes, zeroes are a valid value of it.
                    unsafe { obj.write_bytes(0, 1) };

                    // SAFETY: `obj` is valid, and zeroed as from `kzalloc()`.
                    unsafe { (*obj).base.funcs = &Self::FUNCS };

                    if let Some(parent) = parent {
                        // SAFETY: As above. The object keeps its parent.
                        unsafe { (*obj).base.resv = parent.raw_dma_resv() };
                    }

                    // SAFETY: `dev` is valid, and `obj` is zeroed but for what was set.
                    to_result(unsafe { bindings::drm_gem_shmem_init(dev.as_raw(), obj, size) })
                }),
            }),
            GFP_KERNEL,
        )?;

        // SAFETY: The object is only ever used pinned.
        let new = KBox::into_raw(unsafe { Pin::into_inner_unchecked(new) });

        // SAFETY: `KBox::into_raw()` does not return NULL.
        let new = unsafe { NonNull::new_unchecked(new) };

        if F::KIND == Kind::NoDrmDevice {
            // SAFETY: The reference that the field stands for. The caller has another one.
            unsafe { drm::Device::dec_ref(NonNull::from(dev)) };
        }

        // SAFETY: Takes over the reference that `drm_gem_shmem_init()` created.
        Ok(unsafe { ARef::from_raw(new) })
    }

    /// The DRM device that this object belongs to.
    pub(crate) fn dev(&self) -> &drm::Device<Driver> {
        &self.drm
    }

    /// Maps the memory by hand.
    pub(crate) fn vmap(&self) -> Result<VMap<'_, F>> {
        let mut map = MaybeUninit::<bindings::iosys_map>::uninit();
        let resv = DmaResvGuard::new(self);
        // SAFETY: By the type invariants `obj` is initialised, and the reservation lock is held.
        to_result(unsafe {
            bindings::drm_gem_shmem_vmap_locked(self.as_raw_shmem(), map.as_mut_ptr())
        })?;
        drop(resv);

        // SAFETY: It was mapped, so `map` is initialised.
        let map = unsafe { map.assume_init() };
        // SAFETY: It is not I/O memory, which this model does not have.
        let addr = unsafe { map.__bindgen_anon_1.vaddr };

        Ok(VMap {
            addr: NonNull::new(addr.cast()).ok_or(ENOMEM)?,
            owner: self,
        })
    }

    /// The counts of the C helper.
    pub(crate) fn uses(&self) -> Uses {
        let shmem = self.as_raw_shmem();

        Uses {
            // SAFETY: By the type invariants `obj` is initialised, and the field is atomic.
            vmap: unsafe { &(*shmem).vmap_use_count }.read(),
            // SAFETY: As above.
            pins: unsafe { &(*shmem).pages_pin_count }.read(),
            // SAFETY: As above.
            pages: unsafe { &(*shmem).pages_use_count }.read(),
        }
    }

    /// How many references there are to the object.
    pub(crate) fn refs(&self) -> i32 {
        // SAFETY: By the type invariants `obj` is initialised, and the field is atomic.
        unsafe { &(*self.as_raw()).refcount.refcount }.read()
    }

    /// Whether there is a table.
    pub(crate) fn has_table(&self) -> bool {
        // SAFETY: By the type invariants `obj` is initialised. The tests call this when no other
        // thread writes to the field.
        !unsafe { (*self.as_raw_shmem()).sgt }.is_null()
    }

    /// Makes this an imported object, or one that is not.
    ///
    /// # Safety
    ///
    /// Nobody else uses the object, and `attach` is null or outlives its use.
    pub(crate) unsafe fn set_import_attach(&self, attach: *mut bindings::dma_buf_attachment) {
        // SAFETY: As required.
        unsafe { (*self.as_raw()).import_attach = attach };
    }

    /// Unmaps the memory, by way of the accessor's `revoke`.
    pub(crate) fn revoke_vmap(mut self: Pin<&mut Self>) {
        if F::KIND == Kind::RevokesBoth {
            self.as_mut().unmap_sg_table();
        }
        self.unmap_cached_vmap();
    }

    fn is_imported(&self) -> bool {
        // SAFETY: By the type invariants `obj` is initialised.
        !unsafe { (*self.as_raw()).import_attach }.is_null()
    }

    fn as_raw_shmem(&self) -> *mut bindings::drm_gem_shmem_object {
        self.obj.get()
    }

    extern "C" fn free_callback(obj: *mut bindings::drm_gem_object) {
        // SAFETY: Every GEM object with `FUNCS` is the base of the shmem object in an `Object`.
        let this = ptr::from_ref(unsafe { Self::from_raw(obj) }).cast_mut();

        // SAFETY: `new()` leaked it from a `KBox`, and this was the last reference.
        let this = unsafe { KBox::from_raw(this) };
        let mut this: Pin<KBox<Self>> = this.into();

        if F::KIND == Kind::TableFirst {
            this.as_mut().unmap_sg_table();
        }
        drop(this);
    }
}

#[devres_lazy]
#[pinned_drop]
impl<F: Fault> PinnedDrop for Object<F> {
    fn drop(self: Pin<&mut Self>) {
        if F::KIND == Kind::DrmDeviceFirst {
            // SAFETY: The reference of the field, which is dropped once more: a test is to catch
            // that.
            unsafe { drm::Device::dec_ref(NonNull::from(&*self.drm)) };
        }

        // SAFETY: By the type invariants `obj` is initialised, and nobody uses it after this. It
        // reads `obj->dev`, which `drm` keeps: fields are dropped after this function.
        unsafe { bindings::drm_gem_shmem_release(self.as_raw_shmem()) };
    }
}

impl<F: Fault> IntoGEMObject for Object<F> {
    fn as_raw(&self) -> *mut bindings::drm_gem_object {
        // SAFETY: By the type invariants, `obj` is initialised.
        unsafe { &raw mut (*self.obj.get()).base }
    }

    unsafe fn from_raw<'a>(obj: *mut bindings::drm_gem_object) -> &'a Self {
        // SAFETY: The caller has a pointer to the base of the shmem object in an `Object`.
        let obj = unsafe { container_of!(obj, bindings::drm_gem_shmem_object, base) };

        // SAFETY: As above.
        let this = unsafe { container_of!(Opaque::cast_from(obj), Self, obj) };

        // SAFETY: The caller promises that the object is valid for `'a`.
        unsafe { &*this }
    }
}

impl_aref_for_gem_obj! {
    impl<F> for Object<F>
    where
        F: Fault
}
