// SPDX-License-Identifier: Apache-2.0 OR MIT
// Written by `cargo xtask bless`.

//! Form A: an initialiser makes the resource.
use devres_lazy::{device::Device, devres_lazy, prelude::*, sync::aref::ARef};
/// A table.
pub struct Table;
/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,
    /// The queue's translation table.
    #[pin]
    table: ::devres_lazy::devres::Lazy<Table>,
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
