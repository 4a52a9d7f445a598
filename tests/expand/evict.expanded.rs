// SPDX-License-Identifier: Apache-2.0 OR MIT
// Expanded from evict.rs by cargo-devres-lazy; S1, S2, ..: see its docs/safety.md.

//! `evict`: unmaps while the object is shared. The accessor and `peek` lend pins: of the resource,
//! of what it derefs to, and of a view.

use core::ptr::NonNull;
use kernel::{
    device::{Bound, Device},
    devres::{
        same_device, EvictableLazy, HasView, LazyOwner, LazyPin, Map, MapMarker, Mapped, OwnerView,
        PinEntry, PinVacant, TeardownFirst,
    },
    prelude::*,
    sync::aref::ARef,
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
    table: EvictableLazy<Table>,

    /// The queue's page directory.
    #[pin]
    directory: EvictableLazy<KBox<Table>>,

    /// The queue's doorbell.
    #[pin]
    view: EvictableLazy<Mapped<Self, Doorbell>>,
}

impl Queue {
    /// The queue's translation table.
    ///
    /// The first call maps the resource. Later calls return the same one without taking a lock.
    ///
    /// Returns a pin. A thread may sleep while it holds a pin. While a pin exists,
    /// `evict_table()` fails. After an eviction, the next call maps the resource again.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `dev` is not the device that this object belongs to. Nothing is mapped.
    /// - `ENXIO` if unbind has revoked the resource, also after the device is bound again,
    ///   or if unbind has started and nothing is mapped yet.
    /// - `EDEADLK` if the caller is mapping the resource already.
    /// - `EBUSY` if a caller in an earlier binding of `dev` is still mapping the resource.
    /// - `EDEADLK` if the destructor of the resource calls this during an eviction.
    /// - `ENOMEM` if there is no memory to keep track of the resource. Nothing is mapped.
    /// - The error of mapping. Nothing stays mapped, and a later call tries again.
    ///
    /// # Context
    ///
    /// May sleep until the resource is mapped. Racing callers sleep, and get the same resource.
    /// A call during an eviction sleeps until the eviction is over.
    ///
    /// Unbind unmaps the resource. While `dev` is borrowed, the device stays bound.
    /// Everything that unmapping needs is acquired before the registration whose callbacks call
    /// this, or kept by the resource, or lazily mapped for the same device.
    #[inline]
    pub fn table<'a>(&'a self, dev: &'a Device<Bound>) -> Result<LazyPin<'a, Table>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(table) = EvictableLazy::get(&self.table, dev) {
            return Ok(table);
        }

        self.table_slow(dev)
    }

    /// The slow path of `table()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn table_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<LazyPin<'a, Table>> {
        // Refuse another device before anything is made for it.
        if !self.table_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match EvictableLazy::entry(&self.table, dev)? {
            PinEntry::Populated(table) => {
                return Ok(table);
            }
            PinEntry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let table = PinVacant::populate(slot, || Ok(Table))?;

        Ok(table)
    }

    /// Returns whether this object belongs to the given device.
    fn table_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(&self.dev, other)
    }

    /// As `table()`, but only if the resource is mapped already.
    ///
    /// `None` if nothing is mapped, or if unbind has revoked the resource. Never maps.
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
        dev: &'a Device<Bound>,
    ) -> Result<Option<LazyPin<'a, Table>>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(table) = EvictableLazy::get(&self.table, dev) {
            return Ok(Some(table));
        }

        // Tell another device from a field that is empty or revoked.
        if !self.table_device_is(dev) {
            return Err(EINVAL);
        }

        Ok(None)
    }

    /// Unmaps now the resource that `table()` has mapped, if there is one.
    ///
    /// The next call of `table()` maps anew, also if the device was unbound in between.
    ///
    /// # Context
    ///
    /// May sleep: if unbind is unmapping the resource, this waits for unbind.
    pub fn unmap_table(self: Pin<&mut Self>) {
        // SAFETY: Slots are pinned, and the closure borrows nothing but one (S10).
        EvictableLazy::revoke(unsafe { Pin::map_unchecked_mut(self, |owner| &mut owner.table) });
    }

    /// Unmaps now the resource that `table()` has mapped, unless it is in use.
    ///
    /// Returns `true` if the resource was unmapped, and `false` if nothing was mapped.
    /// The next call of `table()` maps the resource again.
    ///
    /// # Errors
    ///
    /// `EBUSY` if a thread has a pin or is taking one, if the resource is being mapped or
    /// unmapped, or if unbind is about to unmap it.
    ///
    /// # Context
    ///
    /// Waits for no other thread, and allocates nothing: a shrinker may call this. May sleep if
    /// unmapping may sleep. If a shrinker calls this, unmapping must not allocate memory with
    /// `GFP_KERNEL`, and must not take a lock under which another thread does.
    pub fn evict_table(&self) -> Result<bool> {
        EvictableLazy::evict(&self.table)
    }

    /// The queue's page directory.
    ///
    /// The first call maps the resource. Later calls return the same one without taking a lock.
    ///
    /// Returns a pin. A thread may sleep while it holds a pin. While a pin exists,
    /// `evict_directory()` fails. After an eviction, the next call maps the resource again.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `dev` is not the device that this object belongs to. Nothing is mapped.
    /// - `ENXIO` if unbind has revoked the resource, also after the device is bound again,
    ///   or if unbind has started and nothing is mapped yet.
    /// - `EDEADLK` if the caller is mapping the resource already.
    /// - `EBUSY` if a caller in an earlier binding of `dev` is still mapping the resource.
    /// - `EDEADLK` if the destructor of the resource calls this during an eviction.
    /// - `ENOMEM` if there is no memory to keep track of the resource. Nothing is mapped.
    /// - The error of mapping. Nothing stays mapped, and a later call tries again.
    ///
    /// # Context
    ///
    /// May sleep until the resource is mapped. Racing callers sleep, and get the same resource.
    /// A call during an eviction sleeps until the eviction is over.
    ///
    /// Unbind unmaps the resource. While `dev` is borrowed, the device stays bound.
    /// Everything that unmapping needs is acquired before the registration whose callbacks call
    /// this, or kept by the resource, or lazily mapped for the same device.
    #[inline]
    pub fn directory<'a>(&'a self, dev: &'a Device<Bound>) -> Result<LazyPin<'a, Table>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(directory) = EvictableLazy::get(&self.directory, dev) {
            return Ok(LazyPin::map::<Table>(directory, |directory| &**directory));
        }

        self.directory_slow(dev)
    }

    /// The slow path of `directory()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn directory_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<LazyPin<'a, Table>> {
        // Any thread may use the target.
        const fn directory_is_send_and_sync<T>()
        where
            T: Send + Sync + ?Sized,
        {
        }
        directory_is_send_and_sync::<Table>();

        // Refuse another device before anything is made for it.
        if !self.directory_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match EvictableLazy::entry(&self.directory, dev)? {
            PinEntry::Populated(directory) => {
                return Ok(LazyPin::map::<Table>(directory, |directory| &**directory));
            }
            PinEntry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate()` cannot find the field populated.
        let directory = PinVacant::populate(slot, || Ok(KBox::new(Table, GFP_KERNEL)?))?;

        Ok(LazyPin::map::<Table>(directory, |directory| &**directory))
    }

    /// Returns whether this object belongs to the given device.
    fn directory_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(&self.dev, other)
    }

    /// Unmaps now the resource that `directory()` has mapped, unless it is in use.
    ///
    /// Returns `true` if the resource was unmapped, and `false` if nothing was mapped.
    /// The next call of `directory()` maps the resource again.
    ///
    /// # Errors
    ///
    /// `EBUSY` if a thread has a pin or is taking one, if the resource is being mapped or
    /// unmapped, or if unbind is about to unmap it.
    ///
    /// # Context
    ///
    /// Waits for no other thread, and allocates nothing: a shrinker may call this. May sleep if
    /// unmapping may sleep. If a shrinker calls this, unmapping must not allocate memory with
    /// `GFP_KERNEL`, and must not take a lock under which another thread does.
    pub fn evict_directory(&self) -> Result<bool> {
        EvictableLazy::evict(&self.directory)
    }

    /// The queue's doorbell.
    ///
    /// The first call maps the resource. Later calls return the same one without taking a lock.
    ///
    /// Returns a pin. A thread may sleep while it holds a pin. While a pin exists,
    /// `evict_doorbell()` fails. After an eviction, the next call maps the resource again.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `dev` is not the device that this object belongs to. Nothing is mapped.
    /// - `ENXIO` if unbind has revoked the resource, also after the device is bound again,
    ///   or if unbind has started and nothing is mapped yet.
    /// - `EDEADLK` if the caller is mapping the resource already.
    /// - `EBUSY` if a caller in an earlier binding of `dev` is still mapping the resource.
    /// - `EDEADLK` if the destructor of the resource calls this during an eviction.
    /// - `ENOMEM` if there is no memory to keep track of the resource. Nothing is mapped.
    /// - The error of mapping. Nothing stays mapped, and a later call tries again.
    ///
    /// # Context
    ///
    /// May sleep until the resource is mapped. Racing callers sleep, and get the same resource.
    /// A call during an eviction sleeps until the eviction is over.
    ///
    /// Unbind unmaps the resource. While `dev` is borrowed, the device stays bound.
    /// Everything that unmapping needs is acquired before the registration whose callbacks call
    /// this, or kept by the resource, or lazily mapped for the same device.
    #[inline]
    pub fn doorbell<'a>(&'a self, dev: &'a Device<Bound>) -> Result<LazyPin<'a, u32>> {
        // Fast path: populated for `dev`, and not revoked.
        if let Some(view) = EvictableLazy::get(&self.view, dev) {
            return Ok(LazyPin::map::<u32>(view, |view| &**view));
        }

        self.doorbell_slow(dev)
    }

    /// The slow path of `doorbell()`: maps, or fails.
    #[cold]
    #[inline(never)]
    fn doorbell_slow<'a>(&'a self, dev: &'a Device<Bound>) -> Result<LazyPin<'a, u32>> {
        // Any thread may use the target.
        const fn view_is_send_and_sync<T>()
        where
            T: Send + Sync + ?Sized,
        {
        }
        view_is_send_and_sync::<u32>();

        // Refuse another device before anything is made for it.
        if !self.doorbell_device_is(dev) {
            return Err(EINVAL);
        }

        // Slow path: one caller populates the field. The others sleep here, and get what it has
        // made.
        let slot = match EvictableLazy::entry(&self.view, dev)? {
            PinEntry::Populated(view) => {
                return Ok(LazyPin::map::<u32>(view, |view| &**view));
            }
            PinEntry::Vacant(slot) => slot,
        };

        // Only this caller has `slot`, so `populate_with()` cannot find the field populated.
        let view = PinVacant::populate_with(slot, |place| {
            // SAFETY:
            // - `self.view` stores the mapping, and is retired before any other part of `*self` is
            //   dropped (S1).
            // - `*self` does not move: `self.view` can only be initialised in place, so `*self` is
            //   pinned (S2).
            unsafe {
                OwnerView::<Self, Doorbell>::new(
                    place,
                    EvictableLazy::as_lazy(&raw const self.view),
                    self,
                    ::core::marker::PhantomData::<
                        fn(&Self, &Doorbell, &dyn LazyOwner, &dyn TeardownFirst),
                    >,
                )
            }
        })?;

        Ok(LazyPin::map::<u32>(view, |view| &**view))
    }

    /// Returns whether this object belongs to the given device.
    fn doorbell_device_is(&self, other: &Device<Bound>) -> bool {
        same_device(&self.dev, other)
    }

    /// Unmaps now the resource that `doorbell()` has mapped, unless it is in use.
    ///
    /// Returns `true` if the resource was unmapped, and `false` if nothing was mapped.
    /// The next call of `doorbell()` maps the resource again.
    ///
    /// # Errors
    ///
    /// `EBUSY` if a thread has a pin or is taking one, if the resource is being mapped or
    /// unmapped, or if unbind is about to unmap it.
    ///
    /// # Context
    ///
    /// Waits for no other thread, and allocates nothing: a shrinker may call this. May sleep if
    /// unmapping may sleep. If a shrinker calls this, unmapping must not allocate memory with
    /// `GFP_KERNEL`, and must not take a lock under which another thread does.
    pub fn evict_doorbell(&self) -> Result<bool> {
        EvictableLazy::evict(&self.view)
    }
}

impl HasView<Doorbell> for Queue {
    type Map = <Doorbell as MapMarker<Self>>::Map;
}

impl LazyOwner for Queue {
    fn teardown(mut self: Pin<&mut Self>) {
        // In reverse order of declaration, as a field may depend on those above it.
        //
        // SAFETY: Slots are pinned, and the closure borrows nothing but one (S10).
        EvictableLazy::<Mapped<Self, Doorbell>>::retire(unsafe {
            Pin::map_unchecked_mut(Pin::as_mut(&mut self), |owner| &mut owner.view)
        });

        // SAFETY: Slots are pinned, and the closure borrows nothing but one (S10).
        EvictableLazy::<KBox<Table>>::retire(unsafe {
            Pin::map_unchecked_mut(Pin::as_mut(&mut self), |owner| &mut owner.directory)
        });

        // SAFETY: Slots are pinned, and the closure borrows nothing but one (S10).
        EvictableLazy::<Table>::retire(unsafe {
            Pin::map_unchecked_mut(Pin::as_mut(&mut self), |owner| &mut owner.table)
        });
    }
}

#[pinned_drop]
impl PinnedDrop for Queue {
    fn drop(mut self: Pin<&mut Self>) {
        // The lazy fields go first, while the rest of `*self` is whole.
        <dyn TeardownFirst>::teardown_first(&mut self);
    }
}

// SAFETY: `drop()` begins with `teardown_first()`, and nothing that the author has written is in
// the scope of that call (S4).
unsafe impl TeardownFirst for Queue {}
