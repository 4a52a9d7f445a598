// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slot: storage for one resource that is mapped on first use and belongs to one device.
//!
//! The host, the model checker and the kernel compile this file. It uses only items that all three
//! have under the kernel's paths, and neither `std` nor `alloc`.

use super::{
    dep_map::{
        DepMap,
        Held, //
    },
    registry::Registry, //
    slot::{
        Claimed,
        Slot,
        SlotGuard,
        Vacancy, //
    },
    sys, //
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    str::CStr,
    sync::LockClassKey, //
};
use core::{
    cell::Cell,
    marker::PhantomData,
    mem,
    ops::Deref,
    ptr, //
};

/// A slot: storage for a resource that is mapped on first use, belongs to one device, and is gone
/// when that device's driver is unbound.
///
/// A slot is the type of a lazy field. `#[devres_lazy]` makes a slot of each field that is
/// annotated with `#[lazy(..)]`, and writes its accessor. A struct may also contain the printed
/// expansion instead. A slot is created in place with [`new_lazy!`](crate::new_lazy), as a mutex is
/// with `new_mutex!`.
///
/// The resource is dropped exactly once: before unbind returns or, if the slot is dropped first,
/// before that drop returns. If both happen at once, one side drops the resource and the other side
/// waits. A slot that was populated at unbind stays revoked, also when the same device is bound
/// again: [`entry()`](Self::entry) fails with [`ENXIO`]. A slot that was empty at unbind serves the
/// next binding.
///
/// # Release order
///
/// Unbind drops the resources of one device in the reverse order of population, also if they belong
/// to different owners. Among the other resources that devres manages for the device, the slots
/// have one place: that of the first population in this binding, or of an earlier [`prepare()`].
/// Everything that is registered later is released before the slots. The first
/// [`register()`](crate::devres::register) in the binding calls `prepare()`, and so takes the same
/// place.
///
/// The place must not be in a devres group that is released before the device is unbound. The
/// release of the group would release all slots of the device.
///
/// # Rules for authors
///
/// - Everything that dropping the resource needs lives until the resource is gone. There are three
///   ways:
///   - acquire it before the registration whose callbacks use the resource;
///   - or keep it in the resource, as [`Map::Keep`](crate::devres::Map::Keep) does for a `map`
///     field;
///   - or make it a slot or a `Batched` of the same device, populated first.
///
///   A callback may populate the slot after its registration was added. Unbind drops the resource
///   after everything that was registered later, and before everything that was acquired earlier.
/// - Fields that depend on each other are declared in order of dependency, starting with the field
///   that the others need. The initialiser of a field calls the accessors of the fields that it
///   needs. Teardown then follows the reverse order of declaration, and unbind the reverse order of
///   population. Both drop a resource before the resources that it needs.
/// - A resource of more than 256 bytes is kept in a box. The slot stores its resource inline, so
///   each owner grows by the size of the resource, whether it is mapped or not.
/// - Dropping the resource does not take a reference to the owner, not even for a moment. At unbind
///   this may become the last reference. Releasing it would wait for the drop that releases it.
/// - Dropping the resource does not wait for unbind to drop an older resource. Unbind drops the
///   newer resource first, so the drop would wait for itself.
/// - Dropping the resource takes no lock that the caller of unbind holds. It also takes no lock
///   under which a thread drops the last reference to the owner: the thread would wait for unbind,
///   and unbind for the lock. Lockdep does not report this.
#[pin_data(PinnedDrop)]
pub struct Lazy<T: 'static> {
    #[pin]
    inner: Slot<T>,
    /// For lockdep, a thread that populates the slot holds this. Without lockdep it has no size.
    #[pin]
    dep_map: DepMap,
}

// SAFETY: A slot owns its resource, which is `Send`, and a reference to the registry of a device,
// which any thread may use.
unsafe impl<T: Send + Sync> Send for Lazy<T> {}

// SAFETY: A shared slot returns `&T`, which any thread may use as `T: Sync`. Unbind or an eviction
// drops `T`, which any thread may do as `T: Send`. The thread that has claimed the slot writes the
// resource before it releases the state, and readers acquire the state first.
unsafe impl<T: Send + Sync> Sync for Lazy<T> {}

impl<T: 'static> Lazy<T> {
    /// Returns an initialiser for an empty slot with the given name and lock class.
    ///
    /// For lockdep, a thread that populates the slot holds a lock of this class.
    ///
    /// Use [`new_lazy!`](crate::new_lazy), which makes the name and the class.
    pub fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- Slot::new(),
            dep_map <- DepMap::new(name, key),
        })
    }

    /// Returns the storage of the resource.
    pub(super) fn slot(&self) -> &Slot<T> {
        &self.inner
    }

    /// Returns the resource if the slot is populated for `dev` and was not revoked.
    ///
    /// Returns [`None`] in every other state; [`entry()`](Self::entry) tells these states apart.
    /// While `dev` is borrowed, the device stays bound, and the resource stays mapped.
    ///
    /// # Context
    ///
    /// Does not sleep. Takes one load and one comparison: no lock, no RCU section, no write to
    /// shared memory.
    #[inline]
    pub fn get<'a>(&'a self, dev: &'a Device<Bound>) -> Option<&'a T> {
        self.inner.get(dev)
    }

    /// Returns the resource if the slot is populated for `dev`, or else the right to populate it.
    ///
    /// One thread at a time has that right. If another thread is populating the slot, this waits
    /// for that thread. Then it returns the resource or, if the populate has failed, the right.
    ///
    /// # Errors
    ///
    /// - [`ENXIO`] if unbind has revoked the slot, or if the owner's destructor has retired it.
    /// - [`ENXIO`] if unbind is under way, and might come to a resource that is populated now too
    ///   late, or not at all.
    /// - [`EINVAL`] if the slot is populated for another device.
    /// - [`EDEADLK`] if the caller is populating the slot itself: an initialiser calls its own
    ///   accessor.
    /// - [`EBUSY`] if another thread is populating the slot for another device, or in an earlier
    ///   binding of `dev`.
    /// - [`ENOMEM`] if there is no memory to keep track of the slots of `dev`.
    ///
    /// # Context
    ///
    /// May sleep: it allocates memory with [`GFP_KERNEL`], and waits for other threads.
    ///
    /// For lockdep, in the kernel as on the host, the caller holds a lock of the slot's class from
    /// this call until the populate ends. Lockdep reports an initialiser that populates another
    /// slot of the same class, and two classes whose initialisers use each other.
    #[inline]
    #[track_caller]
    pub fn entry<'a>(&'a self, dev: &'a Device<Bound>) -> Result<Entry<'a, T>> {
        if let Some(value) = self.inner.look(dev)? {
            return Ok(Entry::Populated(value));
        }
        let held = self.dep_map.acquire();

        // SAFETY: A slot can only be created in place, so `self.inner` is pinned. The destructor of
        // `self` retires it.
        Ok(match unsafe { self.inner.claim(dev) }? {
            Claimed::Vacant(vacancy) => Entry::Vacant(Vacant {
                slot: self,
                vacancy,
                _held: held,
            }),
            Claimed::Populated(value) => Entry::Populated(value),
        })
    }

    /// Returns the resource if the slot is populated for `dev`, or else makes it.
    ///
    /// Combines [`get()`](Self::get), [`entry()`](Self::entry) and [`Vacant::populate()`].
    ///
    /// # Errors
    ///
    /// Those of [`entry()`](Self::entry) and [`Vacant::populate()`].
    ///
    /// # Context
    ///
    /// May sleep, as [`entry()`](Self::entry) and [`Vacant::populate()`].
    #[track_caller]
    pub fn get_or_populate<'a, I, E>(
        &'a self,
        dev: &'a Device<Bound>,
        init: impl FnOnce() -> Result<I>,
    ) -> Result<&'a T>
    where
        T: Send + Sync,
        I: PinInit<T, E>,
        Error: From<E>,
    {
        if let Some(value) = self.get(dev) {
            return Ok(value);
        }

        match self.entry(dev)? {
            Entry::Populated(value) => Ok(value),
            Entry::Vacant(slot) => slot.populate(init),
        }
    }

    /// Returns a guard to the resource. The caller needs no bound device.
    ///
    /// Returns [`None`] if the slot is not populated or was revoked. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep. The holder of the guard must not sleep either: the guard is an RCU read-side
    /// critical section, which unbind waits for.
    #[inline]
    pub fn try_access(&self) -> Option<LazyGuard<'_, T>> {
        self.inner.try_access().map(LazyGuard)
    }

    /// Unmaps the resource now, if there is one, and makes the slot empty again.
    ///
    /// Exclusive access proves that no code borrows the resource. The next access maps anew, also
    /// if unbind had revoked the slot. A retired slot stays retired.
    ///
    /// # Context
    ///
    /// May sleep: dropping the resource may sleep, and if unbind is dropping the resource, this
    /// waits for unbind.
    pub fn revoke(self: Pin<&mut Self>) {
        // SAFETY: `self` is exclusively borrowed, so no code uses the slot except unbind and code
        // that dropping the resource calls. The reference is shared, as such code may form a shared
        // reference to the owner.
        unsafe { self.into_ref().inner.revoke() };
    }

    /// Unmaps the resource as [`revoke()`](Self::revoke) does, and makes the slot refuse every
    /// further use.
    ///
    /// A destructor begins with this. Code that the destructor runs later cannot populate the slot:
    /// [`entry()`](Self::entry) fails with [`ENXIO`].
    ///
    /// On the host, a panic of the resource's drop goes on when the slot itself is dropped, so that
    /// the destructor retires its other slots first.
    ///
    /// # Context
    ///
    /// May sleep, as [`revoke()`](Self::revoke).
    pub fn retire(self: Pin<&mut Self>) {
        // SAFETY: `self` is exclusively borrowed, so no code uses the slot except unbind and code
        // that dropping the resource calls. The reference is shared, as such code may form a shared
        // reference to the owner.
        unsafe { self.into_ref().inner.retire() };
    }
}

#[pinned_drop]
impl<T: 'static> PinnedDrop for Lazy<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: `self` is being dropped, so no code uses the slot except unbind and code that
        // dropping the resource calls.
        unsafe { self.into_ref().inner.end() };
    }
}

/// The outcome of [`Lazy::entry()`].
pub enum Entry<'a, T: 'static> {
    /// The slot is populated for the device, with this resource.
    Populated(&'a T),
    /// The slot was empty, and the caller may populate it.
    Vacant(Vacant<'a, T>),
}

/// The right to populate a slot, for the device that [`Lazy::entry()`] was called with.
///
/// While this exists, no other thread populates the slot. If this is dropped, the slot is empty
/// again, and another thread may populate it.
#[must_use = "threads that wait for the slot go on when this is dropped"]
pub struct Vacant<'a, T: 'static> {
    slot: &'a Lazy<T>,
    vacancy: Vacancy<'a, T>,
    /// Dropped after `vacancy`, whose drop wakes the threads that wait.
    _held: Held<'a>,
}

impl<'a, T: 'static> Vacant<'a, T> {
    /// Makes the resource and stores it in the slot until the device is unbound.
    ///
    /// `init` returns an initialiser, which makes the resource in place. Before `init` is called,
    /// everything that the slot needs is allocated. One check is left for later: whether unbind has
    /// begun in the meantime.
    ///
    /// # Errors
    ///
    /// - [`ENXIO`] if unbind has begun while `init` was running. The resource is dropped again.
    /// - The error of `init`, or of its initialiser.
    ///
    /// After an error the slot is empty, and a later [`Lazy::entry()`] may succeed.
    ///
    /// # Context
    ///
    /// May sleep.
    pub fn populate<I, E>(self, init: impl FnOnce() -> Result<I>) -> Result<&'a T>
    where
        T: Send + Sync,
        I: PinInit<T, E>,
        Error: From<E>,
    {
        self.vacancy.populate(init)
    }

    /// As [`populate()`](Self::populate), for a resource that has to know its place.
    ///
    /// `init` stores the resource in the given [`Place`], and returns the proof. A
    /// [`Mapped`](crate::devres::Mapped) can be made in no other way. The lifetime of the place is
    /// that of this one call, so neither the place nor the proof can be used for another call.
    ///
    /// # Errors
    ///
    /// As [`populate()`](Self::populate).
    ///
    /// # Context
    ///
    /// As [`populate()`](Self::populate).
    pub fn populate_with(
        self,
        init: impl for<'p> FnOnce(Place<'p, T>) -> Result<Placed<'p, T>>,
    ) -> Result<&'a T>
    where
        T: Send + Sync,
    {
        let (slot, dev) = (self.slot, self.vacancy.dev());

        self.populate(|| {
            let make = move |value: *mut T| {
                // INVARIANT: `value` is the storage of `slot`, which holds no resource. It is valid
                // for writes, and `populate()` does not use it before this initialiser returns.
                let storage = Storage {
                    value,
                    is_filled: Cell::new(false),
                };
                let _: Placed<'_, T> = init(Place {
                    slot,
                    dev,
                    storage: &storage,
                    _call: PhantomData,
                })?;

                // From here on the slot owns the resource.
                mem::forget(storage);
                Ok(())
            };

            // SAFETY:
            // - If `make` succeeds, `value` is initialised: `init` has returned the proof, which
            //   belongs to this call by its lifetime. If `make` fails or panics, `value` is
            //   uninitialised: dropping `storage` drops the resource.
            // - `make` does not move the resource.
            Ok(unsafe { pin_init::pin_init_from_closure::<T, Error>(make) })
        })
    }
}

/// The storage for a resource, while [`Vacant::populate_with()`] makes the resource.
///
/// # Invariants
///
/// `value` is valid for writes, is used through `self` only, and holds a resource if `is_filled`.
struct Storage<T> {
    value: *mut T,
    is_filled: Cell<bool>,
}

impl<T> Drop for Storage<T> {
    fn drop(&mut self) {
        if self.is_filled.get() {
            // SAFETY: By the type invariants `value` holds a resource, and is used through `self`
            // only, so no other code drops the resource.
            unsafe { ptr::drop_in_place(self.value) };
        }
    }
}

/// The place for the resource of a slot that is being populated.
///
/// Only [`Vacant::populate_with()`] makes one.
///
/// # Invariants
///
/// `*slot` is being populated for `dev`. `storage` is that of `*slot`, and holds no resource.
pub struct Place<'p, T: 'static> {
    slot: &'p Lazy<T>,
    dev: &'p Device<Bound>,
    storage: &'p Storage<T>,
    /// Invariant in `'p`: the places of two calls have different types.
    _call: PhantomData<fn(&'p ()) -> &'p ()>,
}

impl<'p, T: 'static> Place<'p, T> {
    /// Returns the slot that is being populated.
    pub(super) fn slot(&self) -> &'p Lazy<T> {
        self.slot
    }

    /// Returns the device that the slot is being populated for.
    pub(super) fn dev(&self) -> &'p Device<Bound> {
        self.dev
    }

    /// Stores the resource, and returns the proof.
    pub(super) fn fill(self, value: T) -> Placed<'p, T> {
        // SAFETY: By the type invariants the storage is valid for writes, and holds no resource.
        unsafe { self.storage.value.write(value) };
        // INVARIANT: The resource was stored above.
        self.storage.is_filled.set(true);

        Placed {
            _call: PhantomData,
            _resource: PhantomData,
        }
    }

    /// Makes the resource in place, and returns the proof.
    ///
    /// # Errors
    ///
    /// The error of `init`.
    pub(super) fn init<E>(self, init: impl PinInit<T, E>) -> Result<Placed<'p, T>, E> {
        // SAFETY:
        // - By the type invariants the storage is valid for writes, and holds no resource.
        // - After an error the storage is not used, as `is_filled` stays unset. After success the
        //   resource does not move, as the slot is pinned.
        unsafe { sys::init_in_place(self.storage.value, init) }?;
        // INVARIANT: The resource was made above.
        self.storage.is_filled.set(true);

        Ok(Placed {
            _call: PhantomData,
            _resource: PhantomData,
        })
    }
}

/// The proof that a resource was stored in the [`Place`] of the same lifetime.
///
/// If `init` does not return the proof, [`Vacant::populate_with()`] drops the resource.
pub struct Placed<'p, T: 'static> {
    /// Invariant in `'p`, as in [`Place`].
    _call: PhantomData<fn(&'p ()) -> &'p ()>,
    _resource: PhantomData<T>,
}

/// Gives the slots of a device their place among the resources that devres releases: the place of
/// this call.
///
/// At unbind, devres releases the newest resource first. The release of a registration waits for
/// its callbacks. So, for registrations and devres groups that come after this call,
///
/// - a callback may use the reference that an accessor returned until the callback returns;
/// - a callback that runs during unbind still finds the slots that were populated before;
/// - the release of a group does not release the slots.
///
/// Without this call, the place is that of the first [`register()`](crate::devres::register) or of
/// the first population. `register()` calls this function, so a driver needs it only
///
/// - if it uses another devres function to add a registration whose callbacks get a bound device;
/// - or before it opens a devres group that ends before the binding does.
///
/// # Dependencies of a resource
///
/// Everything that unmapping a resource needs outlives the resource. There are three ways:
///
/// - acquire it before this call, and before the first registration;
/// - or keep it in the resource, as [`Map::Keep`](crate::devres::Map::Keep) does;
/// - or make it a slot or a [`Batched`](crate::devres::Batched) of the same device, populated
///   first.
///
/// Lazy fields that depend on each other are declared in order of dependency, starting with the
/// field that the others need. Teardown drops them in the reverse order of declaration, and unbind
/// in the reverse order of population.
///
/// # Errors
///
/// - [`ENXIO`] if unbind is under way and the slots have no place yet: unbind might come to them
///   too late, or not at all.
/// - [`ENOMEM`] if there is no memory.
///
/// # Context
///
/// May sleep: it allocates memory with [`GFP_KERNEL`].
pub fn prepare(dev: &Device<Bound>) -> Result {
    Registry::prepare(dev)
}

/// A guard that keeps a resource from being dropped. [`Lazy::try_access()`] and
/// `Batched::try_access()` return it.
///
/// # Context
///
/// The guard is an RCU read-side critical section: its holder must not sleep, and unbind waits for
/// its end.
pub struct LazyGuard<'a, T>(pub(super) SlotGuard<'a, T>);

impl<T> Deref for LazyGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// Returns whether both refer to the same device.
///
/// Compares addresses of `struct device`. Generated accessors call this on their slow path, before
/// they make anything for `dev`.
#[inline]
pub fn same_device(owner: &Device, dev: &Device<Bound>) -> bool {
    owner.as_raw() == dev.as_raw()
}

/// A struct with lazy fields. `#[devres_lazy]` implements this for the struct that it annotates.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no lazy fields",
    note = "put `#[devres_lazy]` above `#[pin_data]` on the struct"
)]
pub trait LazyOwner {
    /// Retires every slot of the object, in reverse order of declaration.
    ///
    /// The destructor of the object begins with this, so that no resource outlives a part of the
    /// object that the resource may use.
    ///
    /// # Context
    ///
    /// May sleep, as [`Lazy::revoke()`].
    fn teardown(self: Pin<&mut Self>);
}

/// A type whose destructor begins with [`LazyOwner::teardown()`].
///
/// A generic `impl Map<O>` bounds `O: TeardownFirst`. `#[devres_lazy]` implements this for a struct
///
/// - that has a `map` field and whose destructor `#[devres_lazy]` writes;
/// - or whose author has put `#[devres_lazy]` on its `#[pinned_drop] impl PinnedDrop`.
///
/// # Safety
///
/// The destructor of `Self` begins with `<dyn TeardownFirst>::teardown_first()`.
#[diagnostic::on_unimplemented(
    message = "the destructor of `{Self}` does not tear down its lazy fields first",
    label = "has `#[pin_data(PinnedDrop)]`, so its `PinnedDrop` is yours",
    note = "put `#[devres_lazy]` above `#[pinned_drop]` on its `impl PinnedDrop`"
)]
#[allow(
    drop_bounds,
    reason = "a struct whose `PinnedDrop` is never called has no `Drop`"
)]
pub unsafe trait TeardownFirst: LazyOwner + Drop {}

impl dyn TeardownFirst {
    /// Calls [`LazyOwner::teardown()`].
    ///
    /// Destructors call this function by the path by which they name the trait. Only the crate that
    /// defines a trait can add such a function to it. So the path leads to this trait, and not to
    /// another trait of the same name.
    ///
    /// Takes a reference, so that the caller does not have to name [`Pin::as_mut()`].
    ///
    /// # Context
    ///
    /// May sleep, as [`Lazy::revoke()`].
    #[inline]
    pub fn teardown_first<O: TeardownFirst + ?Sized>(this: &mut Pin<&mut O>) {
        LazyOwner::teardown(Pin::as_mut(this));
    }
}

/// Creates an initialiser for an empty [`Lazy`] slot, with a newly created lock class.
///
/// Takes the name that lockdep reports for the slot. The default is the file and line of the call.
/// The call belongs where the object is constructed, as that of `new_mutex!` does.
#[macro_export]
macro_rules! new_lazy {
    ($($name:literal)? $(,)?) => {{
        // A static: every crate that instantiates generic code around this call has the same name
        // for the same class.
        static NAME: &$crate::str::CStr = $crate::optional_name!($($name)?);
        $crate::devres::Lazy::new(NAME, $crate::static_lock_class!())
    }};
}
pub use new_lazy;
