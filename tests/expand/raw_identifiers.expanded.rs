// SPDX-License-Identifier: Apache-2.0 OR MIT
// Written by `cargo xtask bless`.

//! Raw identifiers: the struct, the field and the functions.
use devres_lazy::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};
/// A table.
#[allow(non_camel_case_types)]
pub struct r#enum;
/// A queue.
#[allow(non_camel_case_types)]
#[pin_data(PinnedDrop)]
pub struct r#struct {
    r#dyn: ARef<Device>,
    /// The queue's translation table.
    #[pin]
    r#type: ::devres_lazy::devres::Lazy<r#enum>,
}
impl r#struct {
    /// The queue's translation table.
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
    pub fn r#match<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a r#enum> {
        if let ::core::option::Option::Some(r#type) = self.r#type.get(dev) {
            return ::core::result::Result::Ok(r#type);
        }
        self.match_slow(dev)
    }
    /// The slow path of `match()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn match_slow<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a r#enum> {
        let owner_device: &::devres_lazy::device::Device = &self.r#dyn;
        if !::devres_lazy::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(::devres_lazy::error::code::EINVAL);
        }
        let slot = self.r#type.lock();
        if let ::core::option::Option::Some(r#type) = slot.get(dev) {
            return ::core::result::Result::Ok(r#type);
        }
        let r#type = slot.populate(dev, || ::core::result::Result::Ok(r#enum))?;
        ::core::result::Result::Ok(r#type)
    }
    /// As `match()`, but only if it is mapped already.
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
    pub fn r#if<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<::core::option::Option<&'a r#enum>> {
        if let ::core::option::Option::Some(r#type) = self.r#type.get(dev) {
            return ::core::result::Result::Ok(::core::option::Option::Some(r#type));
        }
        let owner_device: &::devres_lazy::device::Device = &self.r#dyn;
        if !::devres_lazy::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(::devres_lazy::error::code::EINVAL);
        }
        ::core::result::Result::Ok(::core::option::Option::None)
    }
    /// Lends what `match()` has mapped, without needing a bound device.
    ///
    /// `None` if nothing is mapped, or if it was revoked by unbinding the device. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep, and nobody may sleep while holding the guard: it is an RCU read-side
    /// critical section, which unbind waits for.
    #[inline]
    pub fn r#try(
        &self,
    ) -> ::core::option::Option<::devres_lazy::devres::LazyGuard<'_, r#enum>> {
        self.r#type.try_access()
    }
    /// Unmaps now what `match()` has mapped, if anything.
    ///
    /// The next call of it maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if the device is being unbound, until that has unmapped it.
    pub fn r#move(self: ::core::pin::Pin<&mut Self>) {
        ::devres_lazy::devres::Lazy::revoke_field(self, |owner: &Self| &owner.r#type);
    }
}
impl ::devres_lazy::devres::LazyOwner for r#struct {
    fn teardown(mut self: ::core::pin::Pin<&mut Self>) {
        ::devres_lazy::devres::Lazy::retire_field(
            ::core::pin::Pin::as_mut(&mut self),
            |owner: &Self| &owner.r#type,
        );
    }
}
#[::devres_lazy::prelude::pinned_drop]
impl PinnedDrop for r#struct {
    fn drop(self: ::core::pin::Pin<&mut Self>) {
        ::devres_lazy::devres::LazyOwner::teardown(self);
    }
}
impl ::devres_lazy::devres::TeardownFirst for r#struct {}
