// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slot: storage for one resource that is mapped on first use and belongs to one device.
//!
//! One source for the host, the model checker and the kernel: it may use what the `kernel` crate
//! offers under the same paths and nothing else, in particular neither `std` nor `alloc`.
//!
//! # State
//!
//! A slot has one word of state, which a reader loads once:
//!
//! | `state` | meaning | who leaves it |
//! |---|---|---|
//! | [`EMPTY`] | nothing is mapped | a holder of the slot's lock, by populating |
//! | a `struct device *` | populated for it, and not revoked | unbind, or the exclusive owner |
//! | [`REVOKED`] | the device was unbound | the exclusive owner, by revoking |
//! | [`RETIRED`] | the owner is being dropped | nobody |
//!
//! Because the device pointer is itself the state, one acquire load and one comparison decide
//! three questions at once: is the slot populated, for the caller's device, in this binding of it?

use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    devres::Devres,
    error::code::{
        EINVAL,
        ENXIO, //
    },
    prelude::*,
    revocable::RevocableGuard,
    str::CStr,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        LockClassKey,
        Mutex,
        MutexGuard,
        SetOnce, //
    },
};
use core::{
    cell::UnsafeCell,
    mem,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
};

/// Nothing is mapped.
const EMPTY: *mut bindings::device = ptr::null_mut();

/// The device was unbound while the slot was populated. No `struct device` has this address.
const REVOKED: *mut bindings::device = ptr::without_provenance_mut(1);

/// The owner's destructor has begun. No `struct device` has this address.
const RETIRED: *mut bindings::device = ptr::without_provenance_mut(2);

/// What keeps a resource until its device is unbound.
///
/// The slot uses `new()`, `access()` and `try_access()` of it, and that its `drop()` returns only
/// once the resource is gone.
type Container<T> = Devres<Entry<T>>;

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
/// other one waits for it. After unbind the slot refuses every use with [`ENXIO`], also when the
/// same device is bound again.
///
/// # Invariants
///
/// - `state` is `EMPTY`, `REVOKED`, `RETIRED`, or the address of the `struct device` that
///   `container` was created with.
/// - `state` leaves `EMPTY` only while `lock` is held, and once it did, `container` is populated
///   and `value` points to the resource in it.
/// - While `state` is a device's address and that device is bound, `value` points to a live `T`.
#[pin_data(PinnedDrop)]
pub struct Lazy<T: 'static> {
    state: Atomic<*mut bindings::device>,
    value: UnsafeCell<*const T>,
    container: SetOnce<Container<T>>,
    #[pin]
    lock: Mutex<()>,
}

// SAFETY: A slot owns its resource, which is `Send`; the raw pointers in it only ever point to
// that resource and to a device that they do not access.
unsafe impl<T: Send + Sync> Send for Lazy<T> {}

// SAFETY: A shared slot lends `&T`, which is fine on any thread as `T: Sync`, and drops `T` on the
// thread that unbinds, which is fine as `T: Send`. `value` is written under `lock` before `state`
// is released, and read only after `state` was acquired.
unsafe impl<T: Send + Sync> Sync for Lazy<T> {}

impl<T: 'static> Lazy<T> {
    /// Returns an initialiser for an empty slot whose lock has the given name and class.
    ///
    /// Use [`new_lazy!`](crate::new_lazy), which makes both.
    pub fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        // INVARIANT: `state` is `EMPTY`.
        pin_init!(Self {
            state: Atomic::new(EMPTY),
            value: UnsafeCell::new(ptr::null()),
            container: SetOnce::new(),
            lock <- Mutex::new((), name, key),
        })
    }

    /// Returns the resource if the slot is populated for `dev` and was not revoked.
    ///
    /// [`None`] says that one of the three does not hold; [`lock()`](Self::lock) and
    /// [`populate()`](Locked::populate) find out which. `dev` keeps the device bound, and so the
    /// resource alive, for as long as it is borrowed.
    ///
    /// One load and one comparison: no lock, no RCU section, no write to shared memory.
    #[inline]
    pub fn get<'a>(&'a self, dev: &'a Device<Bound>) -> Option<&'a T> {
        // ORDERING: Pairs with the release in `Locked::populate()`: who sees the device there also
        // sees `value`, and the resource behind it.
        if self.state.load(Acquire) != dev.as_raw() {
            return None;
        }

        // SAFETY: `state` holds a device, so `value` was written, before `state` was released, and
        // is not written again while `self` is shared.
        let value = unsafe { *self.value.get() };

        // SAFETY:
        // - `value` points to a live resource: `state` is the address of `dev`, by the type
        //   invariants populated and not revoked, and `dev` is bound for `'a`.
        // - It is not dropped during `'a`: unbind waits for `dev`, and dropping or revoking the
        //   slot takes exclusive access to `self`.
        Some(unsafe { &*value })
    }

    /// Acquires the slot's lock, which is held while the resource is mapped.
    ///
    /// # Context
    ///
    /// May sleep, until whoever is mapping the resource is done. Calling this again before the
    /// result is dropped, as an initialiser does that calls its own accessor, is a deadlock:
    /// lockdep reports it in the kernel, and on the host it panics with the slot's name.
    #[inline]
    pub fn lock(&self) -> Locked<'_, T> {
        Locked {
            slot: self,
            _guard: self.lock.lock(),
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
        self.container.as_ref()?.try_access().map(LazyGuard)
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
        if self.state.load(Relaxed) != RETIRED {
            self.drop_resource(EMPTY);
        }
    }

    /// As [`revoke()`](Self::revoke), but for good: the slot refuses every further use.
    ///
    /// What a destructor begins with. Whatever it does next, it cannot bring the resource back.
    ///
    /// # Context
    ///
    /// May sleep, as [`revoke()`](Self::revoke).
    pub fn retire(self: Pin<&mut Self>) {
        self.drop_resource(RETIRED);
    }

    /// Drops the resource, if there is one, and leaves the slot in the state `then`, which is one
    /// without a resource.
    fn drop_resource(self: Pin<&mut Self>, then: *mut bindings::device) {
        // SAFETY: Nothing is moved out of the pinned part of `self`, which is `lock`.
        let this = unsafe { self.get_unchecked_mut() };

        // What dropping the resource calls may come back to this slot through a shared reference to
        // the owner. It finds the slot revoked and without a container.
        // INVARIANT: `REVOKED` needs no container.
        this.state.store(REVOKED, Relaxed);
        drop(mem::take(&mut this.container));

        // INVARIANT: The resource is gone, and with it who could still mark the slot as revoked.
        this.state.store(then, Relaxed);
    }

    /// As [`revoke()`](Self::revoke), for the slot that is the field `slot` of `owner`.
    ///
    /// # Panics
    ///
    /// If `slot` returns a slot that is not a field of `owner`. For a field the check folds away.
    ///
    /// # Context
    ///
    /// May sleep, as [`revoke()`](Self::revoke).
    #[inline]
    pub fn revoke_field<O>(owner: Pin<&mut O>, slot: impl for<'a> FnOnce(&'a O) -> &'a Self) {
        Self::pinned_field(owner, slot).revoke();
    }

    /// As [`retire()`](Self::retire), for the slot that is the field `slot` of `owner`.
    ///
    /// # Panics
    ///
    /// As [`revoke_field()`](Self::revoke_field).
    ///
    /// # Context
    ///
    /// May sleep, as [`revoke()`](Self::revoke).
    #[inline]
    pub fn retire_field<O>(owner: Pin<&mut O>, slot: impl for<'a> FnOnce(&'a O) -> &'a Self) {
        Self::pinned_field(owner, slot).retire();
    }

    /// Exclusive access to a field, from exclusive access to the object, with no `unsafe` on the
    /// caller's side.
    #[inline]
    fn pinned_field<O>(
        owner: Pin<&mut O>,
        slot: impl for<'a> FnOnce(&'a O) -> &'a Self,
    ) -> Pin<&mut Self> {
        // SAFETY: Nothing is moved out of `owner`.
        let owner = unsafe { owner.get_unchecked_mut() };

        let start = ptr::from_ref(owner).addr();
        let offset = ptr::from_ref(slot(owner)).addr().wrapping_sub(start);
        assert!(
            size_of::<Self>() <= size_of::<O>() && offset <= size_of::<O>() - size_of::<Self>(),
            "`slot` has to return a field of `owner`"
        );

        // SAFETY: The slot lies within `*owner`, as checked above.
        let slot = unsafe { ptr::from_mut(owner).byte_add(offset) }.cast::<Self>();

        // SAFETY: `slot` is valid, and exclusively borrowed since `owner` is: who borrows a part of
        // `*owner` borrows `*owner`.
        let slot = unsafe { &mut *slot };

        // SAFETY: A slot can only be created in place, so it is pinned, and `*owner` with it.
        unsafe { Pin::new_unchecked(slot) }
    }
}

#[pinned_drop]
impl<T: 'static> PinnedDrop for Lazy<T> {
    fn drop(self: Pin<&mut Self>) {
        // Before the fields are dropped one by one: see `retire()`.
        self.retire();
    }
}

/// A locked slot. Only who holds the lock can populate it.
#[must_use = "the slot unlocks immediately when this is unused"]
pub struct Locked<'a, T: 'static> {
    slot: &'a Lazy<T>,
    _guard: MutexGuard<'a, ()>,
}

impl<'a, T: 'static> Locked<'a, T> {
    /// As [`Lazy::get()`]: has somebody populated the slot while the caller waited for the lock?
    #[inline]
    pub fn get(&self, dev: &'a Device<Bound>) -> Option<&'a T> {
        self.slot.get(dev)
    }

    /// Makes the resource and stores it in the slot, for as long as `dev` is bound.
    ///
    /// `init` is called last: after every check, when all memory that the slot needs is allocated.
    /// It returns an initialiser, which makes the resource in place.
    ///
    /// # Errors
    ///
    /// - [`ENXIO`] if the slot was revoked, since the device was unbound after it was populated, or
    ///   retired, since the object is being dropped.
    /// - [`EINVAL`] if the slot is populated for another device.
    /// - [`ENOMEM`] if there is no memory; `init` was not called.
    /// - What `init` or its initialiser fails with.
    ///
    /// After an error the slot is as it was before, and another call may succeed.
    ///
    /// # Context
    ///
    /// May sleep: it allocates memory with [`GFP_KERNEL`].
    pub fn populate<I, E>(
        self,
        dev: &'a Device<Bound>,
        init: impl FnOnce() -> Result<I>,
    ) -> Result<&'a T>
    where
        T: Send + Sync,
        I: PinInit<T, E>,
        Error: From<E>,
    {
        let slot = self.slot;

        match slot.state.load(Relaxed) {
            EMPTY => (),
            REVOKED | RETIRED => return Err(ENXIO),
            _ => return Err(EINVAL),
        }

        // INVARIANT: `state` is this slot's, whose container it becomes, and `T` is bounded here.
        let container = Devres::new::<Error>(
            dev,
            try_pin_init!(Entry {
                state: NonNull::from(&slot.state),
                value <- init()?,
            }),
        )?;

        // Cannot fail: a slot whose state is `EMPTY` has no container, and the lock is held.
        slot.container.populate(container);
        let container = slot.container.as_ref().ok_or(EINVAL)?;
        let value = ptr::from_ref(&container.access(dev)?.value);

        // SAFETY: `state` is `EMPTY` and the lock is held, so nobody else accesses `value`.
        unsafe { *slot.value.get() = value };

        // ORDERING: Pairs with the acquire in `Lazy::get()`.
        // INVARIANT: `container` was created with `dev`, and `value` points to the resource in it.
        // If the resource is gone already, `Entry` has marked the slot, and that stays.
        match slot.state.cmpxchg(EMPTY, dev.as_raw(), Release) {
            // SAFETY: `value` was just made, and stays while `dev` is bound: see `Lazy::get()`.
            Ok(_) => Ok(unsafe { &*value }),
            Err(_) => Err(ENXIO),
        }
    }
}

/// The resource as its container holds it: when it goes, the slot is told first.
///
/// # Invariants
///
/// - `state` points to the state of the slot whose container holds this entry.
/// - `T` is `Send` and `Sync`: entries are made in [`Locked::populate()`] only, which asks for that
///   so that it does not have to be asked for wherever a slot is named.
#[pin_data(PinnedDrop)]
struct Entry<T> {
    state: NonNull<Atomic<*mut bindings::device>>,
    #[pin]
    value: T,
}

// SAFETY: `state` is shared with all threads already, and `value` is `Send` by the type invariants.
unsafe impl<T> Send for Entry<T> {}

// SAFETY: `state` is atomic, and `value` is `Sync` by the type invariants.
unsafe impl<T> Sync for Entry<T> {}

#[pinned_drop]
impl<T> PinnedDrop for Entry<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants `state` belongs to the slot that holds this entry through
        // its container. The slot does not move, and is not gone before its container is dropped,
        // which waits for this entry to be dropped.
        let state = unsafe { self.state.as_ref() };

        // Runs before `value` is dropped. A failed initialiser does not come here.
        // ORDERING: Who gets at `state` with a bound device is ordered with unbind by the device.
        state.store(REVOKED, Relaxed);
    }
}

/// A guard that keeps the resource of a slot from being dropped, from [`Lazy::try_access()`].
///
/// # Context
///
/// It is an RCU read-side critical section: nobody may sleep while holding it, and unbind waits
/// for it.
pub struct LazyGuard<'a, T>(RevocableGuard<'a, Entry<T>>);

impl<T> Deref for LazyGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.value
    }
}

/// Are these the same device?
///
/// Compares addresses of `struct device`: the question that generated accessors ask on their slow
/// path, before anything is made for `dev`.
#[inline]
pub fn same_device(owner: &Device, dev: &Device<Bound>) -> bool {
    owner.as_raw() == dev.as_raw()
}

/// Implemented by `#[devres_lazy]` for the struct it annotates.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no lazy fields",
    note = "put `#[devres_lazy]` above `#[pin_data]` on the struct"
)]
pub trait LazyOwner: TeardownFirst {
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
/// Only `#[devres_lazy]` implements this, beside the destructor that it writes or completes. That
/// is so that one cannot forget it; what relies on it, form B, has it promised by who implements
/// [`Map`](crate::devres::Map).
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the destructor of `{Self}` does not tear down its lazy fields first",
    label = "has `#[pin_data(PinnedDrop)]`, so its `PinnedDrop` is yours",
    note = "put `#[devres_lazy]` above `#[pinned_drop]` on its `impl PinnedDrop`"
)]
pub trait TeardownFirst {}

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
