// SPDX-License-Identifier: Apache-2.0 OR MIT
// Written by `cargo xtask bless`.

//! The visibility of the accessor, which the other functions of its field have too.
use devres_lazy::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};
/// A table.
pub struct Table;
/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,
    /// Public.
    #[pin]
    a: ::devres_lazy::devres::Lazy<Table>,
    /// The crate's.
    #[pin]
    b: ::devres_lazy::devres::Lazy<Table>,
    /// The parent's.
    #[pin]
    c: ::devres_lazy::devres::Lazy<Table>,
    /// Private, of a public field.
    #[pin]
    pub d: ::devres_lazy::devres::Lazy<Table>,
}
impl Queue {
    /// Public.
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
    pub fn a<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a Table> {
        if let ::core::option::Option::Some(a) = self.a.get(dev) {
            return ::core::result::Result::Ok(a);
        }
        self.a_slow(dev)
    }
    /// The slow path of `a()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn a_slow<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a Table> {
        let owner_device: &::devres_lazy::device::Device = &self.dev;
        if !::devres_lazy::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(::devres_lazy::error::code::EINVAL);
        }
        let slot = self.a.lock();
        if let ::core::option::Option::Some(a) = slot.get(dev) {
            return ::core::result::Result::Ok(a);
        }
        let a = slot.populate(dev, || ::core::result::Result::Ok(Table))?;
        ::core::result::Result::Ok(a)
    }
    /// As `a()`, but only if it is mapped already.
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
    pub fn a_if_mapped<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<::core::option::Option<&'a Table>> {
        if let ::core::option::Option::Some(a) = self.a.get(dev) {
            return ::core::result::Result::Ok(::core::option::Option::Some(a));
        }
        let owner_device: &::devres_lazy::device::Device = &self.dev;
        if !::devres_lazy::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(::devres_lazy::error::code::EINVAL);
        }
        ::core::result::Result::Ok(::core::option::Option::None)
    }
    /// The crate's.
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
    pub(crate) fn b<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a Table> {
        if let ::core::option::Option::Some(b) = self.b.get(dev) {
            return ::core::result::Result::Ok(b);
        }
        self.b_slow(dev)
    }
    /// The slow path of `b()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn b_slow<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a Table> {
        let owner_device: &::devres_lazy::device::Device = &self.dev;
        if !::devres_lazy::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(::devres_lazy::error::code::EINVAL);
        }
        let slot = self.b.lock();
        if let ::core::option::Option::Some(b) = slot.get(dev) {
            return ::core::result::Result::Ok(b);
        }
        let b = slot.populate(dev, || ::core::result::Result::Ok(Table))?;
        ::core::result::Result::Ok(b)
    }
    /// Lends what `b()` has mapped, without needing a bound device.
    ///
    /// `None` if nothing is mapped, or if it was revoked by unbinding the device. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep, and nobody may sleep while holding the guard: it is an RCU read-side
    /// critical section, which unbind waits for.
    #[inline]
    pub(crate) fn try_b(
        &self,
    ) -> ::core::option::Option<::devres_lazy::devres::LazyGuard<'_, Table>> {
        self.b.try_access()
    }
    /// The parent's.
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
    pub(super) fn c<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a Table> {
        if let ::core::option::Option::Some(c) = self.c.get(dev) {
            return ::core::result::Result::Ok(c);
        }
        self.c_slow(dev)
    }
    /// The slow path of `c()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn c_slow<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a Table> {
        let owner_device: &::devres_lazy::device::Device = &self.dev;
        if !::devres_lazy::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(::devres_lazy::error::code::EINVAL);
        }
        let slot = self.c.lock();
        if let ::core::option::Option::Some(c) = slot.get(dev) {
            return ::core::result::Result::Ok(c);
        }
        let c = slot.populate(dev, || ::core::result::Result::Ok(Table))?;
        ::core::result::Result::Ok(c)
    }
    /// Unmaps now what `c()` has mapped, if anything.
    ///
    /// The next call of it maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if the device is being unbound, until that has unmapped it.
    pub(super) fn unmap_c(self: ::core::pin::Pin<&mut Self>) {
        ::devres_lazy::devres::Lazy::revoke_field(self, |owner: &Self| &owner.c);
    }
    /// Private, of a public field.
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
    fn d<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a Table> {
        if let ::core::option::Option::Some(d) = self.d.get(dev) {
            return ::core::result::Result::Ok(d);
        }
        self.d_slow(dev)
    }
    /// The slow path of `d()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn d_slow<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a Table> {
        let owner_device: &::devres_lazy::device::Device = &self.dev;
        if !::devres_lazy::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(::devres_lazy::error::code::EINVAL);
        }
        let slot = self.d.lock();
        if let ::core::option::Option::Some(d) = slot.get(dev) {
            return ::core::result::Result::Ok(d);
        }
        let d = slot.populate(dev, || ::core::result::Result::Ok(Table))?;
        ::core::result::Result::Ok(d)
    }
    /// As `d()`, but only if it is mapped already.
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
    fn d_if_mapped<'a>(
        &'a self,
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<::core::option::Option<&'a Table>> {
        if let ::core::option::Option::Some(d) = self.d.get(dev) {
            return ::core::result::Result::Ok(::core::option::Option::Some(d));
        }
        let owner_device: &::devres_lazy::device::Device = &self.dev;
        if !::devres_lazy::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(::devres_lazy::error::code::EINVAL);
        }
        ::core::result::Result::Ok(::core::option::Option::None)
    }
}
impl ::devres_lazy::devres::LazyOwner for Queue {
    fn teardown(mut self: ::core::pin::Pin<&mut Self>) {
        ::devres_lazy::devres::Lazy::retire_field(
            ::core::pin::Pin::as_mut(&mut self),
            |owner: &Self| &owner.d,
        );
        ::devres_lazy::devres::Lazy::retire_field(
            ::core::pin::Pin::as_mut(&mut self),
            |owner: &Self| &owner.c,
        );
        ::devres_lazy::devres::Lazy::retire_field(
            ::core::pin::Pin::as_mut(&mut self),
            |owner: &Self| &owner.b,
        );
        ::devres_lazy::devres::Lazy::retire_field(
            ::core::pin::Pin::as_mut(&mut self),
            |owner: &Self| &owner.a,
        );
    }
}
#[::devres_lazy::prelude::pinned_drop]
impl PinnedDrop for Queue {
    fn drop(self: ::core::pin::Pin<&mut Self>) {
        ::devres_lazy::devres::LazyOwner::teardown(self);
    }
}
impl ::devres_lazy::devres::TeardownFirst for Queue {}
