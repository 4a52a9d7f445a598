// SPDX-License-Identifier: Apache-2.0 OR MIT
// Written by `cargo xtask bless`.

//! `crate`: the runtime is elsewhere.
use devres_lazy::{self as dl, device::Device, devres_lazy, prelude::*, sync::aref::ARef};
/// A table.
pub struct Table;
/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,
    /// The queue's translation table.
    #[pin]
    table: dl::devres::Lazy<Table>,
}
impl Queue {
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
    pub fn table<'a>(
        &'a self,
        dev: &'a dl::device::Device<dl::device::Bound>,
    ) -> dl::error::Result<&'a Table> {
        if let ::core::option::Option::Some(table) = self.table.get(dev) {
            return ::core::result::Result::Ok(table);
        }
        self.table_slow(dev)
    }
    /// The slow path of `table()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn table_slow<'a>(
        &'a self,
        dev: &'a dl::device::Device<dl::device::Bound>,
    ) -> dl::error::Result<&'a Table> {
        let owner_device: &dl::device::Device = &self.dev;
        if !dl::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(dl::error::code::EINVAL);
        }
        let slot = self.table.lock();
        if let ::core::option::Option::Some(table) = slot.get(dev) {
            return ::core::result::Result::Ok(table);
        }
        let table = slot.populate(dev, || ::core::result::Result::Ok(Table))?;
        ::core::result::Result::Ok(table)
    }
    /// As `table()`, but only if it is mapped already.
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
    pub fn table_if_mapped<'a>(
        &'a self,
        dev: &'a dl::device::Device<dl::device::Bound>,
    ) -> dl::error::Result<::core::option::Option<&'a Table>> {
        if let ::core::option::Option::Some(table) = self.table.get(dev) {
            return ::core::result::Result::Ok(::core::option::Option::Some(table));
        }
        let owner_device: &dl::device::Device = &self.dev;
        if !dl::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(dl::error::code::EINVAL);
        }
        ::core::result::Result::Ok(::core::option::Option::None)
    }
    /// Lends what `table()` has mapped, without needing a bound device.
    ///
    /// `None` if nothing is mapped, or if it was revoked by unbinding the device. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep, and nobody may sleep while holding the guard: it is an RCU read-side
    /// critical section, which unbind waits for.
    #[inline]
    pub fn try_table(&self) -> ::core::option::Option<dl::devres::LazyGuard<'_, Table>> {
        self.table.try_access()
    }
    /// Unmaps now what `table()` has mapped, if anything.
    ///
    /// The next call of it maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if the device is being unbound, until that has unmapped it.
    pub fn unmap_table(self: ::core::pin::Pin<&mut Self>) {
        dl::devres::Lazy::revoke_field(self, |owner: &Self| &owner.table);
    }
}
impl dl::devres::LazyOwner for Queue {
    fn teardown(mut self: ::core::pin::Pin<&mut Self>) {
        dl::devres::Lazy::retire_field(
            ::core::pin::Pin::as_mut(&mut self),
            |owner: &Self| &owner.table,
        );
    }
}
#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(mut self: Pin<&mut Self>) {
        dl::devres::LazyOwner::teardown(::core::pin::Pin::as_mut(&mut self));
    }
}
impl dl::devres::TeardownFirst for Queue {}
