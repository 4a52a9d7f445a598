// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slot: storage for one resource that is mapped on first use and belongs to one device.
//!
//! One source for the host, the model checker and the kernel: it may use what the `kernel` crate
//! offers under the same paths and nothing else, in particular neither `std` nor `alloc`.

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
/// A slot is the type of a lazy field: of one that is annotated with `#[lazy(..)]` in a struct
/// under `#[devres_lazy]`, which also writes the accessors, or of one whose struct has them as that
/// would print them. It is created in place with [`new_lazy!`](crate::new_lazy), as a mutex is with
/// `new_mutex!`.
///
/// At unbind the resource is dropped exactly once, before unbind returns; if the slot is dropped
/// first, before that drop returns. If both happen at once, one side drops the resource and the
/// other one waits for it. After that the slot refuses every use with [`ENXIO`], also when the same
/// device is bound again. One that was empty at unbind serves the next binding.
///
/// # Release order
///
/// Unbind drops the resources of one device in the reverse order of population, whichever objects
/// they belong to. Among the other resources that devres manages for the device they have one
/// place, which is that of the first population in this binding, or of [`prepare()`]: what is
/// registered after that is released before them all. That place must not be in a devres group that
/// is released before the device is unbound, as then all slots of the device are, too. The first
/// [`register()`](crate::devres::register) in the binding calls `prepare()`, and so takes the same
/// place.
///
/// # Rules for authors
///
/// - Everything that dropping the resource needs lives until the resource is gone. It is acquired
///   before the registration whose callbacks use the resource; or the resource keeps it (for a
///   `map` field: [`Map::Keep`](crate::devres::Map::Keep)); or it is itself a slot, or a `Batched`,
///   of the same device. A callback may populate the slot after its registration was added. Unbind
///   drops the resource after everything that was registered later, and before everything that was
///   acquired earlier.
/// - Fields that depend on each other are declared in order of dependency, starting with the field
///   that the others need. The initialiser of a field calls the accessors of the fields that it
///   needs. Teardown then follows the reverse order of declaration, and unbind the reverse order of
///   population. Both drop a resource before the resources that it needs.
/// - A resource of more than 256 bytes is kept in a box. The slot stores its resource inline, so
///   each owner grows by the size of the resource, whether it is mapped or not.
/// - Dropping the resource does not take a reference to the owner, not even for a moment. At unbind
///   this may be the last reference, and releasing it waits for the drop that releases it.
/// - Dropping the resource does not wait for unbind to drop an older resource. Unbind drops the
///   newer resource first, so that drop would wait for itself.
/// - Dropping the resource takes no lock that the caller of unbind holds. It also takes no lock
///   that a thread holds which drops the last reference to the owner: that thread would wait for
///   unbind, and unbind for the lock. Lockdep does not see this.
#[pin_data(PinnedDrop)]
pub struct Lazy<T: 'static> {
    #[pin]
    inner: Slot<T>,
    /// What lockdep sees of a thread that populates the slot. Without lockdep it has no size.
    #[pin]
    dep_map: DepMap,
}

// SAFETY: A slot owns its resource, which is `Send`, and a share in the registry of a device,
// which any thread may use.
unsafe impl<T: Send + Sync> Send for Lazy<T> {}

// SAFETY: A shared slot lends `&T`, which is fine on any thread as `T: Sync`, and drops `T` on the
// thread that unbinds, which is fine as `T: Send`. The thread that has claimed the slot writes the
// resource before it releases the state, and readers acquire the state first.
unsafe impl<T: Send + Sync> Sync for Lazy<T> {}

impl<T: 'static> Lazy<T> {
    /// Returns an initialiser for an empty slot with the given name and lock class.
    ///
    /// Lockdep takes a thread that populates the slot for a holder of a lock of this class.
    ///
    /// Use [`new_lazy!`](crate::new_lazy), which makes both.
    pub fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- Slot::new(),
            dep_map <- DepMap::new(name, key),
        })
    }

    /// Returns what keeps the resource.
    pub(super) fn slot(&self) -> &Slot<T> {
        &self.inner
    }

    /// Returns the resource if the slot is populated for `dev` and was not revoked.
    ///
    /// [`None`] says that one of the three does not hold; [`entry()`](Self::entry) finds out which.
    /// `dev` keeps the device bound, and so the resource alive, for as long as it is borrowed.
    ///
    /// One load and one comparison: no lock, no RCU section, no write to shared memory.
    #[inline]
    pub fn get<'a>(&'a self, dev: &'a Device<Bound>) -> Option<&'a T> {
        self.inner.get(dev)
    }

    /// Returns the resource if the slot is populated for `dev`, or else the right to populate it.
    ///
    /// One thread at a time has that right. Where another thread is populating the slot, this waits
    /// until that thread is done, and then returns what it has made, or takes over.
    ///
    /// # Errors
    ///
    /// - [`ENXIO`] if the slot was revoked, since the device was unbound after it was populated, or
    ///   retired, since the object is being dropped; or if unbind is under way, and might miss what
    ///   is populated now.
    /// - [`EINVAL`] if the slot is populated for another device.
    /// - [`EDEADLK`] if the caller is populating the slot itself, as an initialiser is that calls
    ///   its own accessor.
    /// - [`EBUSY`] if another thread is populating the slot for another device, or in an earlier
    ///   binding of `dev`.
    /// - [`ENOMEM`] if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep: it allocates memory with [`GFP_KERNEL`], and waits for other threads.
    ///
    /// For lockdep, in the kernel as on the host, the caller holds a lock of the slot's class from
    /// this call until the slot is populated. Lockdep reports an initialiser that populates another
    /// slot of the same class, and two classes whose initialisers use each other.
    #[inline]
    #[track_caller]
    pub fn entry<'a>(&'a self, dev: &'a Device<Bound>) -> Result<Entry<'a, T>> {
        if let Some(value) = self.inner.look(dev)? {
            return Ok(Entry::Populated(value));
        }
        let held = self.dep_map.acquire();

        // SAFETY: A slot can only be created in place, so it is pinned. Its destructor retires it.
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
    /// This is [`get()`](Self::get), [`entry()`](Self::entry) and [`Vacant::populate()`] in one.
    ///
    /// # Errors
    ///
    /// Those of [`entry()`](Self::entry) and [`Vacant::populate()`].
    ///
    /// # Context
    ///
    /// May sleep.
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

    /// Returns a guard to the resource if there is one, without needing a bound device.
    ///
    /// [`None`] if the slot is empty or was revoked. Never maps.
    ///
    /// # Context
    ///
    /// Does not sleep, and nobody may sleep while holding the guard: it is an RCU read-side
    /// critical section, which unbind waits for.
    #[inline]
    pub fn try_access(&self) -> Option<LazyGuard<'_, T>> {
        self.inner.try_access().map(LazyGuard)
    }

    /// Unmaps the resource now, if there is one, and makes the slot empty again.
    ///
    /// Exclusive access is the proof that nobody borrows the resource. The next access maps anew,
    /// also when the slot had been revoked by unbind; but not when the slot was retired.
    ///
    /// # Context
    ///
    /// May sleep: if the device is being unbound, until unbind has dropped the resource; and for
    /// as long as dropping the resource takes.
    pub fn revoke(self: Pin<&mut Self>) {
        // SAFETY: `self` is borrowed mutably. A shared reference is what dropping the resource may
        // form as well, to the owner.
        unsafe { self.into_ref().inner.revoke() };
    }

    /// As [`revoke()`](Self::revoke), but for good: the slot refuses every further use.
    ///
    /// A destructor begins with this. Nothing that it does next brings the resource back.
    ///
    /// On the host, a panic of the resource's drop goes on when the slot itself is dropped, so that
    /// the destructor retires its other slots first.
    ///
    /// # Context
    ///
    /// May sleep, as [`revoke()`](Self::revoke).
    pub fn retire(self: Pin<&mut Self>) {
        // SAFETY: `self` is borrowed mutably. A shared reference is what dropping the resource may
        // form as well, to the owner.
        unsafe { self.into_ref().inner.retire() };
    }
}

#[pinned_drop]
impl<T: 'static> PinnedDrop for Lazy<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: `self` is being dropped, so nobody else uses it, except code that dropping the
        // resource calls.
        unsafe { self.into_ref().inner.end() };
    }
}

/// A slot, as [`Lazy::entry()`] finds it.
pub enum Entry<'a, T: 'static> {
    /// The slot is populated for the device.
    Populated(&'a T),
    /// The slot is empty, and the caller is the one to populate it.
    Vacant(Vacant<'a, T>),
}

/// The right to populate a slot, for the device that [`Lazy::entry()`] was called with.
///
/// No other thread populates the slot meanwhile. If this is dropped, the slot is empty again, and
/// another thread may populate it.
#[must_use = "threads that wait for the slot go on when this is dropped"]
pub struct Vacant<'a, T: 'static> {
    slot: &'a Lazy<T>,
    vacancy: Vacancy<'a, T>,
    /// Released last: threads that wait go on when `vacancy` is dropped.
    _held: Held<'a>,
}

impl<'a, T: 'static> Vacant<'a, T> {
    /// Makes the resource and stores it in the slot, for as long as the device is bound.
    ///
    /// `init` returns an initialiser, which makes the resource in place. When `init` is called, the
    /// slot's memory is there and all checks were made but one: whether unbind has begun meanwhile.
    ///
    /// # Errors
    ///
    /// - [`ENXIO`] if unbind has begun while `init` was running.
    /// - What `init` or its initialiser fails with.
    ///
    /// After an error the slot is empty, and another call may succeed. If unbind has begun while
    /// `init` was running, its resource is dropped again.
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
    /// `init` stores the resource in the [`Place`] that it is given, and returns the proof. A
    /// [`Mapped`](crate::devres::Mapped) can be made in no other way. The lifetime of the place is
    /// that of this one call, so neither the place nor the proof can be used for another one.
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
                // INVARIANT: `value` is the storage in `slot`, which holds nothing. `populate()`
                // lets this initialiser write to it, and does not use it before this returns.
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

                // The resource is the slot's from here on.
                mem::forget(storage);
                Ok(())
            };

            // SAFETY:
            // - If `make` succeeds, `value` is initialised: `init` has returned the proof, which
            //   belongs to this call by its lifetime. If it fails, or panics, `value` is not:
            //   dropping `storage` drops the resource.
            // - `make` does not move the resource.
            Ok(unsafe { pin_init::pin_init_from_closure::<T, Error>(make) })
        })
    }
}

/// The storage for a resource, while [`Vacant::populate_with()`] is making it.
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
            // SAFETY: By the type invariants `value` holds a resource, which nobody else drops.
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
/// `storage` is that of `*slot`, which is being populated for `dev`, and it holds nothing.
pub struct Place<'p, T: 'static> {
    slot: &'p Lazy<T>,
    dev: &'p Device<Bound>,
    storage: &'p Storage<T>,
    /// Invariant in `'p`: the places of two calls are of two types.
    _call: PhantomData<fn(&'p ()) -> &'p ()>,
}

impl<'p, T: 'static> Place<'p, T> {
    /// The slot that is being populated.
    pub(super) fn slot(&self) -> &'p Lazy<T> {
        self.slot
    }

    /// The device that the slot is being populated for.
    pub(super) fn dev(&self) -> &'p Device<Bound> {
        self.dev
    }

    /// Stores the resource.
    pub(super) fn fill(self, value: T) -> Placed<'p, T> {
        // SAFETY: By the type invariants the storage is valid for writes, and holds nothing.
        unsafe { self.storage.value.write(value) };
        // INVARIANT: The resource was stored above.
        self.storage.is_filled.set(true);

        Placed {
            _call: PhantomData,
            _resource: PhantomData,
        }
    }

    /// Makes the resource in place.
    ///
    /// # Errors
    ///
    /// What `init` fails with.
    pub(super) fn init<E>(self, init: impl PinInit<T, E>) -> Result<Placed<'p, T>, E> {
        // SAFETY:
        // - By the type invariants the storage is valid for writes, and holds nothing.
        // - If this fails, the storage is not used: `is_filled` stays unset. If not, the resource
        //   does not move, as the slot is pinned.
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
/// When [`Vacant::populate_with()`] does not get it, it drops the resource.
pub struct Placed<'p, T: 'static> {
    /// As in [`Place`].
    _call: PhantomData<fn(&'p ()) -> &'p ()>,
    _resource: PhantomData<T>,
}

/// Gives the slots of a device their place among the resources that devres releases: the place of
/// this call.
///
/// At unbind, devres first releases what was added later. The release of a registration waits for
/// its callbacks. So, after this call,
///
/// - a callback may keep what an accessor returned until the callback returns;
/// - a callback still finds a slot that was populated before;
/// - a devres group that is opened later does not take the slots with it.
///
/// Without this call, the place is that of the first [`register()`](crate::devres::register) or of
/// the first population. `register()` calls this function, so a driver needs it only
///
/// - if it adds a registration whose callbacks get a bound device by another devres function;
/// - or before it opens a devres group that ends before the binding does.
///
/// # What unmapping needs
///
/// The slots' place is also the limit for what their resources need to be unmapped. It
///
/// - is acquired before this call, and before the first registration;
/// - or is kept by the resource, as [`Map::Keep`](crate::devres::Map::Keep) is;
/// - or is itself a slot or a [`Batched`](crate::devres::Batched) of the same device, populated
///   first.
///
/// Lazy fields that depend on each other are declared in order of dependency, what others need
/// first. Teardown drops them in the reverse order, and so does unbind.
///
/// # Errors
///
/// - [`ENXIO`] if unbind is under way and the slots have no place yet. Unbind might miss them.
/// - [`ENOMEM`] if there is no memory.
///
/// # Context
///
/// May sleep: it allocates memory with [`GFP_KERNEL`].
pub fn prepare(dev: &Device<Bound>) -> Result {
    Registry::prepare(dev)
}

/// A guard that keeps a resource from being dropped, from [`Lazy::try_access()`] or
/// `Batched::try_access()`.
///
/// # Context
///
/// It is an RCU read-side critical section: nobody may sleep while holding it, and unbind waits
/// for it.
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
/// anything is made for `dev`.
#[inline]
pub fn same_device(owner: &Device, dev: &Device<Bound>) -> bool {
    owner.as_raw() == dev.as_raw()
}

/// Implemented by `#[devres_lazy]` for the struct it annotates.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no lazy fields",
    note = "put `#[devres_lazy]` above `#[pin_data]` on the struct"
)]
pub trait LazyOwner {
    /// Retires every slot of the object, in reverse order of declaration.
    ///
    /// The destructor of the object begins with this, so that no resource outlives a part of the
    /// object that it may lean on.
    ///
    /// # Context
    ///
    /// May sleep, as [`Lazy::revoke()`].
    fn teardown(self: Pin<&mut Self>);
}

/// The destructor of this type begins with [`LazyOwner::teardown()`].
///
/// A generic `impl Map<O>` bounds `O: TeardownFirst`. `#[devres_lazy]` implements this
///
/// - for a struct with a `map` field whose destructor it writes;
/// - where it stands on the author's `#[pinned_drop] impl PinnedDrop`.
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
    /// Destructors call this one, by the path that they implement the trait by: nobody else can
    /// give the trait such a function. It takes a reference, so that the caller does not have to
    /// name [`Pin::as_mut()`].
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
/// Takes the slot's name, which lockdep reports; without one it is the file and line of the call.
/// Place it where the object is constructed, as `new_mutex!`.
#[macro_export]
macro_rules! new_lazy {
    ($($name:literal)? $(,)?) => {{
        // In a static, so that every crate that instantiates generic code around this call has the
        // same name for the same class.
        static NAME: &$crate::str::CStr = $crate::optional_name!($($name)?);
        $crate::devres::Lazy::new(NAME, $crate::static_lock_class!())
    }};
}

/// Creates an initialiser for an empty [`EvictableLazy`](crate::devres::EvictableLazy) slot, as
/// [`new_lazy!`](crate::new_lazy) does for a [`Lazy`] slot.
#[macro_export]
macro_rules! new_evictable_lazy {
    ($($name:literal)? $(,)?) => {{
        // In a static, as in `new_lazy!`.
        static NAME: &$crate::str::CStr = $crate::optional_name!($($name)?);
        $crate::devres::EvictableLazy::new(NAME, $crate::static_lock_class!())
    }};
}
