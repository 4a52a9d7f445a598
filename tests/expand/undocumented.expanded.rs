// SPDX-License-Identifier: Apache-2.0 OR MIT
// Written by `cargo xtask bless`.

//! A field without documentation: its accessor has some.
use devres_lazy::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};
/// A table.
pub struct Table;
/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,
    #[pin]
    table: ::devres_lazy::devres::Lazy<Table>,
}
impl Queue {
    /// Lends `table`, which is mapped on first use.
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
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a Table> {
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
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'a Table> {
        let owner_device: &::devres_lazy::device::Device = &self.dev;
        if !::devres_lazy::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(::devres_lazy::error::code::EINVAL);
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
        dev: &'a ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<::core::option::Option<&'a Table>> {
        if let ::core::option::Option::Some(table) = self.table.get(dev) {
            return ::core::result::Result::Ok(::core::option::Option::Some(table));
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
            |owner: &Self| &owner.table,
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
