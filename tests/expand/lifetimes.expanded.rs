// SPDX-License-Identifier: Apache-2.0 OR MIT
// Written by `cargo xtask bless`.

//! Lifetimes of the struct and of a type: the accessor's is another one.
use devres_lazy::{device::Device, devres_lazy, prelude::*};
/// Finds an entry.
pub type Lookup = fn(&u32) -> &u32;
/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue<'a> {
    dev: &'a Device,
    lookup: Lookup,
    /// Finds an entry.
    #[pin]
    lazy_lookup: ::devres_lazy::devres::Lazy<for<'b> fn(&'b u32) -> &'b u32>,
}
impl<'a> Queue<'a> {
    /// Finds an entry.
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
    pub fn lookup<'c>(
        &'c self,
        dev: &'c ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'c Lookup> {
        if let ::core::option::Option::Some(lazy_lookup) = self.lazy_lookup.get(dev) {
            return ::core::result::Result::Ok(lazy_lookup);
        }
        self.lookup_slow(dev)
    }
    /// The slow path of `lookup()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn lookup_slow<'c>(
        &'c self,
        dev: &'c ::devres_lazy::device::Device<::devres_lazy::device::Bound>,
    ) -> ::devres_lazy::error::Result<&'c Lookup> {
        const fn lazy_lookup_is_send_and_sync<T>()
        where
            T: ::core::marker::Send + ::core::marker::Sync + ?::core::marker::Sized,
        {}
        lazy_lookup_is_send_and_sync::<Lookup>();
        let owner_device: &::devres_lazy::device::Device = self.dev;
        if !::devres_lazy::devres::same_device(owner_device, dev) {
            return ::core::result::Result::Err(::devres_lazy::error::code::EINVAL);
        }
        let slot = self.lazy_lookup.lock();
        if let ::core::option::Option::Some(lazy_lookup) = slot.get(dev) {
            return ::core::result::Result::Ok(lazy_lookup);
        }
        let lazy_lookup = slot
            .populate(dev, || ::core::result::Result::Ok(self.lookup))?;
        ::core::result::Result::Ok(lazy_lookup)
    }
}
impl<'a> ::devres_lazy::devres::LazyOwner for Queue<'a> {
    fn teardown(mut self: ::core::pin::Pin<&mut Self>) {
        ::devres_lazy::devres::Lazy::retire_field(
            ::core::pin::Pin::as_mut(&mut self),
            |owner: &Self| &owner.lazy_lookup,
        );
    }
}
#[::devres_lazy::prelude::pinned_drop]
impl<'a> PinnedDrop for Queue<'a> {
    fn drop(self: ::core::pin::Pin<&mut Self>) {
        ::devres_lazy::devres::LazyOwner::teardown(self);
    }
}
impl<'a> ::devres_lazy::devres::TeardownFirst for Queue<'a> {}
