// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from evict.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! `evict`: unmaps while the object is shared. The accessor and `peek` lend pins: of the resource,
//! of what it derefs to, and of a view.

use core::ptr::NonNull;
use kernel::{
    device::{
        Bound,
        Device, //
    },
    devres::{
        Map,
        Mapped, //
    },
    prelude::*,
    sync::aref::ARef, //
};

/// A table.
pub struct Table;

/// Maps the doorbell.
pub struct Doorbell;

// SAFETY: `doorbell` is a field of the owner, which outlives the mapping and does not move.
unsafe impl Map<Queue> for Doorbell {
    type Target = u32;
    type Keep = ();

    fn keep(_: &Queue) {}

    fn map(queue: &Queue, _dev: &Device<Bound>) -> Result<NonNull<u32>> {
        Ok(NonNull::from(&queue.doorbell))
    }

    unsafe fn unmap(_: &Queue, _keep: &(), _doorbell: NonNull<u32>) {}
}

/// A queue.
#[pin_data(PinnedDrop)]
pub struct Queue {
    dev: ARef<Device>,
    doorbell: u32,

    /// The queue's translation table.
    #[pin]
    table: ::kernel::devres::EvictableLazy<Table>,

    /// The queue's page directory.
    #[pin]
    directory: ::kernel::devres::EvictableLazy<KBox<Table>>,

    /// The queue's doorbell.
    #[pin]
    view: ::kernel::devres::EvictableLazy<Mapped<Self, Doorbell>>,
}

impl Queue {
    /// The queue's translation table.
    ///
    /// The first call maps it; later calls lend the same one without taking a lock.
    ///
    /// Returns a pin, which may be held while sleeping. While there is one,
    /// `evict_table()` fails. After an eviction the next call maps it anew.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `dev` is not the device that this object belongs to; nothing is mapped.
    /// - `ENXIO` if it was revoked when the device was unbound, also once it is bound again;
    ///   or if it is not mapped while unbind is under way, which might miss it.
    /// - `EDEADLK` if the caller is mapping it already; `EBUSY` if a caller in an earlier
    ///   binding of `dev` is still mapping it.
    /// - `EDEADLK` if the caller is evicting it, as its drop is that calls this.
    /// - `ENOMEM` if there is no memory to keep track of it; nothing is mapped.
    /// - What mapping fails with; the object stays unmapped, and a later call tries again.
    ///
    /// # Context
    ///
    /// May sleep until it is mapped; callers that race sleep, and get the same one.
    /// A caller that comes while it is being evicted sleeps until it is gone.
    ///
    /// Unbinding the device unmaps it. `dev` keeps it bound for as long as it is borrowed.
    /// Everything that unmapping needs is acquired before the registration whose callbacks call
    /// this, or kept by the resource, or lazily mapped for the same device.
    #[inline]
    pub fn table<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::kernel::devres::LazyPin<'a, Table>> {
        // Fast path: `self.table` is populated for `dev`, and has not been revoked. The pin was
        // taken before that was looked at, and keeps it so.
        if let ::core::option::Option::Some(table) =
            ::kernel::devres::EvictableLazy::get(&self.table, dev)
        {
            return ::core::result::Result::Ok(table);
        }

        // Not populated, revoked, or `dev` is another device: `table_slow()` maps, or tells which.
        self.table_slow(dev)
    }

    /// The slow path of `table()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn table_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::kernel::devres::LazyPin<'a, Table>> {
        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.table_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.table`. The others sleep here until that
        // caller is done.
        let slot = match ::kernel::devres::EvictableLazy::entry(&self.table, dev)? {
            ::kernel::devres::PinEntry::Populated(table) => {
                return ::core::result::Result::Ok(table);
            }
            ::kernel::devres::PinEntry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.table` populated: nobody else populates it while this
        // caller has `slot`.
        //
        // The closure runs when all other checks have passed: `Table` makes the resource. On an
        // error (`ENXIO` if unbind has begun meanwhile, or what `Table` fails with) `self.table` is
        // empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.table` holds the resource, for `dev`, until `dev` is
        // unbound, `self.table` is revoked or, once all pins are dropped, evicted, or `*self` is
        // dropped.
        let table =
            ::kernel::devres::PinVacant::populate(slot, || ::core::result::Result::Ok(Table))?;

        ::core::result::Result::Ok(table)
    }

    /// Returns whether this object belongs to the given device.
    fn table_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
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
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::core::option::Option<::kernel::devres::LazyPin<'a, Table>>> {
        // Fast path: `self.table` is populated for `dev`, and has not been revoked. The pin was
        // taken before that was looked at, and keeps it so.
        if let ::core::option::Option::Some(table) =
            ::kernel::devres::EvictableLazy::get(&self.table, dev)
        {
            return ::core::result::Result::Ok(::core::option::Option::Some(table));
        }

        // `self.table` has nothing for `dev`. Tell the wrong device from a slot that is empty or
        // revoked.
        if !self.table_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        ::core::result::Result::Ok(::core::option::Option::None)
    }

    /// Unmaps now what `table()` has mapped, if anything.
    ///
    /// The next call of it maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if the device is being unbound, until that has unmapped it.
    pub fn unmap_table(self: ::core::pin::Pin<&mut Self>) {
        // `self` is borrowed exclusively, so nobody borrows what `self.table` holds.
        //
        // SAFETY: S10: `self.table` is pinned, as every slot is, and the closure moves nothing. It
        // borrows no other part of `*self`: unbind may be dropping a view, which reads `*self`.
        ::kernel::devres::EvictableLazy::revoke(unsafe {
            ::core::pin::Pin::map_unchecked_mut(self, |owner| &mut owner.table)
        });
    }

    /// Unmaps now what `table()` has mapped, unless somebody uses it.
    ///
    /// Returns `true` if it was unmapped, and `false` if nothing was mapped. The next call of
    /// `table()` maps it anew.
    ///
    /// # Errors
    ///
    /// `EBUSY` if somebody has a pin or is taking one, if it is being mapped or unmapped, or if
    /// unbind is to unmap it.
    ///
    /// # Context
    ///
    /// Waits for nobody, and allocates nothing: a shrinker may call this. Sleeps where unmapping
    /// does. With a shrinker, unmapping allocates no memory with `GFP_KERNEL`, and takes no lock
    /// under which anybody does.
    pub fn evict_table(&self) -> ::kernel::error::Result<::core::primitive::bool> {
        // Who borrows what `self.table` holds has a pin, which is counted before the slot is looked
        // at.
        ::kernel::devres::EvictableLazy::evict(&self.table)
    }

    /// The queue's page directory.
    ///
    /// The first call maps it; later calls lend the same one without taking a lock.
    ///
    /// Returns a pin, which may be held while sleeping. While there is one,
    /// `evict_directory()` fails. After an eviction the next call maps it anew.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `dev` is not the device that this object belongs to; nothing is mapped.
    /// - `ENXIO` if it was revoked when the device was unbound, also once it is bound again;
    ///   or if it is not mapped while unbind is under way, which might miss it.
    /// - `EDEADLK` if the caller is mapping it already; `EBUSY` if a caller in an earlier
    ///   binding of `dev` is still mapping it.
    /// - `EDEADLK` if the caller is evicting it, as its drop is that calls this.
    /// - `ENOMEM` if there is no memory to keep track of it; nothing is mapped.
    /// - What mapping fails with; the object stays unmapped, and a later call tries again.
    ///
    /// # Context
    ///
    /// May sleep until it is mapped; callers that race sleep, and get the same one.
    /// A caller that comes while it is being evicted sleeps until it is gone.
    ///
    /// Unbinding the device unmaps it. `dev` keeps it bound for as long as it is borrowed.
    /// Everything that unmapping needs is acquired before the registration whose callbacks call
    /// this, or kept by the resource, or lazily mapped for the same device.
    #[inline]
    pub fn directory<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::kernel::devres::LazyPin<'a, Table>> {
        // Fast path: `self.directory` is populated for `dev`, and has not been revoked. The pin was
        // taken before that was looked at, and keeps it so.
        if let ::core::option::Option::Some(directory) =
            ::kernel::devres::EvictableLazy::get(&self.directory, dev)
        {
            return ::core::result::Result::Ok(::kernel::devres::LazyPin::map::<Table>(
                directory,
                |directory| &**directory,
            ));
        }

        // Not populated, revoked, or `dev` is another device: `directory_slow()` maps, or tells
        // which.
        self.directory_slow(dev)
    }

    /// The slow path of `directory()`: maps, or tells why not.
    #[cold]
    #[inline(never)]
    fn directory_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::kernel::devres::LazyPin<'a, Table>> {
        // Any thread may borrow what `self.directory` lends: it has to be `Send` and `Sync`.
        const fn directory_is_send_and_sync<T>()
        where
            T: ::core::marker::Send + ::core::marker::Sync + ?::core::marker::Sized,
        {
        }
        directory_is_send_and_sync::<Table>();

        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.directory_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.directory`. The others sleep here until
        // that caller is done.
        let slot = match ::kernel::devres::EvictableLazy::entry(&self.directory, dev)? {
            ::kernel::devres::PinEntry::Populated(directory) => {
                return ::core::result::Result::Ok(::kernel::devres::LazyPin::map::<Table>(
                    directory,
                    |directory| &**directory,
                ));
            }
            ::kernel::devres::PinEntry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.directory` populated: nobody else populates it while this
        // caller has `slot`.
        //
        // The closure runs when all other checks have passed: `KBox::new()` makes the resource. On
        // an error (`ENXIO` if unbind has begun meanwhile, or what `KBox::new()` fails with)
        // `self.directory` is empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.directory` holds the resource, for `dev`, until
        // `dev` is unbound, `self.directory` is revoked or, once all pins are dropped, evicted, or
        // `*self` is dropped.
        let directory = ::kernel::devres::PinVacant::populate(slot, || {
            ::core::result::Result::Ok(KBox::new(Table, GFP_KERNEL)?)
        })?;

        ::core::result::Result::Ok(::kernel::devres::LazyPin::map::<Table>(
            directory,
            |directory| &**directory,
        ))
    }

    /// Returns whether this object belongs to the given device.
    fn directory_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    /// Unmaps now what `directory()` has mapped, unless somebody uses it.
    ///
    /// Returns `true` if it was unmapped, and `false` if nothing was mapped. The next call of
    /// `directory()` maps it anew.
    ///
    /// # Errors
    ///
    /// `EBUSY` if somebody has a pin or is taking one, if it is being mapped or unmapped, or if
    /// unbind is to unmap it.
    ///
    /// # Context
    ///
    /// Waits for nobody, and allocates nothing: a shrinker may call this. Sleeps where unmapping
    /// does. With a shrinker, unmapping allocates no memory with `GFP_KERNEL`, and takes no lock
    /// under which anybody does.
    pub fn evict_directory(&self) -> ::kernel::error::Result<::core::primitive::bool> {
        // Who borrows what `self.directory` holds has a pin, which is counted before the slot is
        // looked at.
        ::kernel::devres::EvictableLazy::evict(&self.directory)
    }

    /// The queue's doorbell.
    ///
    /// The first call maps it; later calls lend the same one without taking a lock.
    ///
    /// Returns a pin, which may be held while sleeping. While there is one,
    /// `evict_doorbell()` fails. After an eviction the next call maps it anew.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `dev` is not the device that this object belongs to; nothing is mapped.
    /// - `ENXIO` if it was revoked when the device was unbound, also once it is bound again;
    ///   or if it is not mapped while unbind is under way, which might miss it.
    /// - `EDEADLK` if the caller is mapping it already; `EBUSY` if a caller in an earlier
    ///   binding of `dev` is still mapping it.
    /// - `EDEADLK` if the caller is evicting it, as its drop is that calls this.
    /// - `ENOMEM` if there is no memory to keep track of it; nothing is mapped.
    /// - What mapping fails with; the object stays unmapped, and a later call tries again.
    ///
    /// # Context
    ///
    /// May sleep until it is mapped; callers that race sleep, and get the same one.
    /// A caller that comes while it is being evicted sleeps until it is gone.
    ///
    /// Unbinding the device unmaps it. `dev` keeps it bound for as long as it is borrowed.
    /// Everything that unmapping needs is acquired before the registration whose callbacks call
    /// this, or kept by the resource, or lazily mapped for the same device.
    #[inline]
    pub fn doorbell<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::kernel::devres::LazyPin<'a, u32>> {
        // Fast path: `self.view` is populated for `dev`, and has not been revoked. The pin was
        // taken before that was looked at, and keeps it so.
        if let ::core::option::Option::Some(view) =
            ::kernel::devres::EvictableLazy::get(&self.view, dev)
        {
            return ::core::result::Result::Ok(::kernel::devres::LazyPin::map::<u32>(
                view,
                |view| &**view,
            ));
        }

        // Not populated, revoked, or `dev` is another device: `doorbell_slow()` maps, or tells
        // which.
        self.doorbell_slow(dev)
    }

    /// The slow path of `doorbell()`: maps, or tells why not.
    ///
    /// What it calls is `unsafe`, and this is why it is sound here:
    ///
    /// - S1: `*self` is valid until the mapping is dropped: the mapping is stored in `self.view`,
    ///   and the destructor of `Queue` begins with `LazyOwner::teardown()`, which drops it while
    ///   all other parts of `*self` are whole, and after which nobody populates `self.view` again.
    /// - S2: `*self` does not move: a slot can only be initialised in place, so `self.view` is
    ///   pinned, and with it the `Queue` that it is a field of.
    #[cold]
    #[inline(never)]
    fn doorbell_slow<'a>(
        &'a self,
        dev: &'a ::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::kernel::error::Result<::kernel::devres::LazyPin<'a, u32>> {
        // Any thread may borrow what `self.view` lends: it has to be `Send` and `Sync`.
        const fn view_is_send_and_sync<T>()
        where
            T: ::core::marker::Send + ::core::marker::Sync + ?::core::marker::Sized,
        {
        }
        view_is_send_and_sync::<u32>();

        // Refuse any device but the one that `self` belongs to, before anything is made for it.
        if !self.doorbell_device_is(dev) {
            return ::core::result::Result::Err(::kernel::error::code::EINVAL);
        }

        // Slow path: one caller at a time populates `self.view`. The others sleep here until that
        // caller is done.
        let slot = match ::kernel::devres::EvictableLazy::entry(&self.view, dev)? {
            ::kernel::devres::PinEntry::Populated(view) => {
                return ::core::result::Result::Ok(::kernel::devres::LazyPin::map::<u32>(
                    view,
                    |view| &**view,
                ));
            }
            ::kernel::devres::PinEntry::Vacant(slot) => slot,
        };

        // `populate()` cannot find `self.view` populated: nobody else populates it while this
        // caller has `slot`.
        //
        // The closure runs when all other checks have passed: `Mapped::new()` calls
        // `Doorbell::map()`. On an error (`ENXIO` if unbind has begun meanwhile, or what
        // `Doorbell::map()` fails with) `self.view` is empty again, and a later call may succeed.
        //
        // INVARIANT: When this succeeds, `self.view` holds the resource, for `dev`, until `dev` is
        // unbound, `self.view` is revoked or, once all pins are dropped, evicted, or `*self` is
        // dropped.
        let view = ::kernel::devres::PinVacant::populate_with(slot, |place| {
            // SAFETY:
            // - S1: `*self` is valid until the mapping is dropped: the mapping is stored in
            //   `self.view`, and the destructor of `Queue` begins with `LazyOwner::teardown()`,
            //   which drops it while all other parts of `*self` are whole, and after which nobody
            //   populates `self.view` again.
            // - S2: `*self` does not move: a slot can only be initialised in place, so `self.view`
            //   is pinned, and with it the `Queue` that it is a field of.
            unsafe {
                ::kernel::devres::OwnerView::<Self, Doorbell>::new(
                    place,
                    ::kernel::devres::EvictableLazy::as_lazy(&raw const self.view),
                    self,
                    ::core::marker::PhantomData::<
                        fn(
                            &Self,
                            &Doorbell,
                            &dyn ::kernel::devres::LazyOwner,
                            &dyn ::kernel::devres::TeardownFirst,
                        ),
                    >,
                )
            }
        })?;

        ::core::result::Result::Ok(::kernel::devres::LazyPin::map::<u32>(view, |view| &**view))
    }

    /// Returns whether this object belongs to the given device.
    fn doorbell_device_is(
        &self,
        other: &::kernel::device::Device<::kernel::device::Bound>,
    ) -> ::core::primitive::bool {
        ::kernel::devres::same_device(&self.dev, other)
    }

    /// Unmaps now what `doorbell()` has mapped, unless somebody uses it.
    ///
    /// Returns `true` if it was unmapped, and `false` if nothing was mapped. The next call of
    /// `doorbell()` maps it anew.
    ///
    /// # Errors
    ///
    /// `EBUSY` if somebody has a pin or is taking one, if it is being mapped or unmapped, or if
    /// unbind is to unmap it.
    ///
    /// # Context
    ///
    /// Waits for nobody, and allocates nothing: a shrinker may call this. Sleeps where unmapping
    /// does. With a shrinker, unmapping allocates no memory with `GFP_KERNEL`, and takes no lock
    /// under which anybody does.
    pub fn evict_doorbell(&self) -> ::kernel::error::Result<::core::primitive::bool> {
        // Who borrows what `self.view` holds has a pin, which is counted before the slot is looked
        // at.
        ::kernel::devres::EvictableLazy::evict(&self.view)
    }
}

// `Doorbell` maps and unmaps the views that `Mapped<Self, Doorbell>` holds.
impl ::kernel::devres::HasView<Doorbell> for Queue {
    type Map = <Doorbell as ::kernel::devres::MapMarker<Self>>::Map;
}

impl ::kernel::devres::LazyOwner for Queue {
    fn teardown(mut self: ::core::pin::Pin<&mut Self>) {
        // `self.view`, `self.directory`, `self.table`: in the reverse order of declaration, as one
        // may lean on those before it. What each holds is dropped while all other parts of `*self`
        // are whole, and nobody populates it again (S1).
        //
        // SAFETY: S10: `self.view` is pinned, as every slot is, and the closure moves nothing. It
        // borrows no other part of `*self`: unbind may be dropping a view, which reads `*self`.
        ::kernel::devres::EvictableLazy::<Mapped<Self, Doorbell>>::retire(unsafe {
            ::core::pin::Pin::map_unchecked_mut(::core::pin::Pin::as_mut(&mut self), |owner| {
                &mut owner.view
            })
        });
        // SAFETY: S10: `self.directory` is pinned, as every slot is, and the closure moves nothing.
        // It borrows no other part of `*self`: unbind may be dropping a view, which reads `*self`.
        ::kernel::devres::EvictableLazy::<KBox<Table>>::retire(unsafe {
            ::core::pin::Pin::map_unchecked_mut(::core::pin::Pin::as_mut(&mut self), |owner| {
                &mut owner.directory
            })
        });
        // SAFETY: S10: `self.table` is pinned, as every slot is, and the closure moves nothing. It
        // borrows no other part of `*self`: unbind may be dropping a view, which reads `*self`.
        ::kernel::devres::EvictableLazy::<Table>::retire(unsafe {
            ::core::pin::Pin::map_unchecked_mut(::core::pin::Pin::as_mut(&mut self), |owner| {
                &mut owner.table
            })
        });
    }
}

#[::kernel::prelude::pinned_drop]
impl PinnedDrop for Queue {
    fn drop(mut self: ::core::pin::Pin<&mut Self>) {
        // First of all, while all of `*self` is whole: drops what the lazy fields hold, for good
        // (S1).
        <dyn ::kernel::devres::TeardownFirst>::teardown_first(&mut self);
    }
}

// SAFETY: S4: `drop()` above begins with `teardown_first()`, and nothing that the author has
// written is in the scope of that call.
unsafe impl ::kernel::devres::TeardownFirst for Queue {}
