// SPDX-License-Identifier: Apache-2.0 OR MIT
// Written by `cargo xtask bless`.

//! Form B: a marker maps a view into the owner.
use core::ptr::NonNull;
use devres_lazy::{
    bindings, device::{Bound, Device},
    devres::{Map, Mapped},
    devres_lazy, drm::{self, gem::DriverObject},
    error::from_err_ptr, prelude::*, scatterlist::SGTable, sync::aref::ARef,
    types::Opaque,
};
/// Maps the table that the C helper keeps in the object.
pub struct Table;
unsafe impl<T: DriverObject> Map<Object<T>> for Table {
    type Target = SGTable;
    type Keep = ARef<drm::Device<T::Driver>>;
    fn keep(obj: &Object<T>) -> Self::Keep {
        obj.dev().into()
    }
    fn map(obj: &Object<T>, _dev: &Device<Bound>) -> Result<NonNull<SGTable>> {
        let sgt = unsafe { bindings::drm_gem_shmem_get_pages_sgt(obj.obj.get()) };
        NonNull::new(from_err_ptr(sgt)?.cast()).ok_or(ENOMEM)
    }
    unsafe fn unmap(_obj: &Object<T>, _drm: &Self::Keep, _sgt: NonNull<SGTable>) {}
}
/// A shmem-backed GEM object.
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct Object<T: DriverObject> {
    #[pin]
    obj: Opaque<bindings::drm_gem_shmem_object>,
    /// Scatter-gather table of this object's DMA pages.
    #[pin]
    sgt: ::devres_lazy::devres::Lazy<Mapped<Self, Table>>,
    #[pin]
    inner: T,
}
impl<T: DriverObject> Object<T> {
    /// Scatter-gather table of this object's DMA pages.
    ///
    /// The first call maps it; later calls lend the same one without taking a lock.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `dev` is not the device that this object belongs to; nothing is mapped.
    /// - `ENXIO` if it was revoked when the device was unbound, also once it is bound again.
    /// - `ENOMEM` if there is no memory to keep track of it; nothing is mapped.
    /// - What mapping fails with; the object stays unmapped, and a later call tries again.
    ///
    /// # Context
    ///
    /// May sleep until it is mapped; callers that race sleep, and get the same one. Must not be
    /// called while it is being mapped by the caller itself, which is a deadlock.
    ///
    /// Unbinding the device unmaps it. `dev` keeps it bound for as long as it is borrowed.
    #[inline]
    pub fn sg_table<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a SGTable> {
        if let ::core::option::Option::Some(sgt) = self.sgt.get(dev) {
            return ::core::result::Result::Ok(sgt);
        }
        self.sg_table_slow(dev)
    }
    /// The slow path of `sg_table()`: maps, or tells why not.
    ///
    /// What it calls is `unsafe`, and this is why it is sound here:
    ///
    /// - S1: The mapping is stored in `self.sgt`, which is revoked before any other part of `*self` is dropped: the destructor of `*self` begins with `LazyOwner::teardown()`, after which nobody populates it again.
    /// - S2: `*self` does not move: a slot can only be initialised in place, so `self.sgt` is pinned, and `*self` with it.
    #[cold]
    #[inline(never)]
    fn sg_table_slow<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a SGTable> {
        const fn sgt_is_send_and_sync<T>()
        where
            T: ::core::marker::Send + ::core::marker::Sync + ?::core::marker::Sized,
        {}
        sgt_is_send_and_sync::<SGTable>();
        let owner_device: &::devres_lazy::device::Device = self.dev().as_ref();
        if !::devres_lazy::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(::devres_lazy::error::code::EINVAL);
        }
        let slot = self.sgt.lock();
        if let ::core::option::Option::Some(sgt) = slot.get(dev) {
            return ::core::result::Result::Ok(sgt);
        }
        let sgt = slot
            .populate(
                dev,
                || -> ::devres_lazy::error::Result<Mapped<Self, Table>> {
                    unsafe {
                        ::devres_lazy::devres::Mapped::<Self, Table>::new(self, dev)
                    }
                },
            )?;
        ::core::result::Result::Ok(sgt)
    }
    /// As `sg_table()`, but only if it is mapped already.
    ///
    /// `None` if it is not, or if it was revoked when the device was unbound. Never maps.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `dev` is not the device that this object belongs to.
    ///
    /// # Context
    ///
    /// Does not sleep.
    pub fn sg_table_if_mapped<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<::core::option::Option<&'a SGTable>> {
        if let ::core::option::Option::Some(sgt) = self.sgt.get(dev) {
            return ::core::result::Result::Ok(::core::option::Option::Some(sgt));
        }
        let owner_device: &::devres_lazy::device::Device = self.dev().as_ref();
        if !::devres_lazy::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(::devres_lazy::error::code::EINVAL);
        }
        ::core::result::Result::Ok(::core::option::Option::None)
    }
    /// Lends what `sg_table()` has mapped, without needing a bound device.
    ///
    /// `None` if nothing is mapped, or if it was revoked by unbinding the device. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep, and nobody may sleep while holding the guard: it is an RCU read-side
    /// critical section, which unbind waits for.
    #[inline]
    pub fn try_sg_table(
        &self,
    ) -> ::core::option::Option<
        ::devres_lazy::devres::LazyGuard<'_, Mapped<Self, Table>>,
    > {
        self.sgt.try_access()
    }
    /// Unmaps now what `sg_table()` has mapped, if anything.
    ///
    /// The next call of it maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if the device is being unbound, until that has unmapped it.
    pub fn unmap_sg_table(self: ::core::pin::Pin<&mut Self>) {
        ::devres_lazy::devres::Lazy::revoke_field(self, |owner: &Self| &owner.sgt);
    }
}
impl<T: DriverObject> ::devres_lazy::devres::LazyOwner for Object<T> {
    fn teardown(mut self: ::core::pin::Pin<&mut Self>) {
        ::devres_lazy::devres::Lazy::retire_field(
            ::core::pin::Pin::as_mut(&mut self),
            |owner: &Self| &owner.sgt,
        );
    }
}
unsafe impl<T: DriverObject> Send for Object<T> {}
unsafe impl<T: DriverObject> Sync for Object<T> {}
impl<T: DriverObject> Object<T> {
    /// The DRM device that this object belongs to.
    pub fn dev(&self) -> &drm::Device<T::Driver> {
        let dev = unsafe { (*self.obj.get()).base.dev };
        unsafe { drm::Device::from_raw(dev) }
    }
}
#[pinned_drop]
impl<T: DriverObject> PinnedDrop for Object<T> {
    fn drop(mut self: Pin<&mut Self>) {
        ::devres_lazy::devres::LazyOwner::teardown(::core::pin::Pin::as_mut(&mut self));
        unsafe { bindings::drm_gem_shmem_release(self.obj.get()) };
    }
}
impl<T: DriverObject> ::devres_lazy::devres::TeardownFirst for Object<T> {}
