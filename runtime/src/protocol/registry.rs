// SPDX-License-Identifier: Apache-2.0 OR MIT

//! All populated slots of one device, in one binding of it: the list that unbind goes through.
//!
//! One source for the host, the model checker and the kernel, under the same rule as the slot.
//!
//! A device has one registry per binding, made by the first slot that is populated, and one devres
//! node for it. `table` finds it. Populating links a slot without an allocation, at the end of the
//! list. A slot leaves the list in constant time.
//!
//! The list has a spinlock, as what is done with it is short. Nobody allocates memory, calls an
//! author's code or sleeps with the lock held.
//!
//! Unbind marks all slots, waits for a grace period if somebody has called `try_access()`, and then
//! drops the resources one by one, the last one first. An owner that is freed meanwhile drops its
//! own resource. Whichever side changes the slot's state first drops the resource, and the other
//! side waits. The slot stays on the list until the resource is gone, so unbind does not overtake
//! an owner that is still dropping. `docs/protocol.md` has the states and explains why the
//! orderings suffice.

use super::{
    devres_node,
    pins::{
        Hold,
        Pins, //
    },
    state::{
        Found,
        State, //
    },
    sys,
    table::{
        self,
        Link, //
    },
    unwind, //
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            AtomicFlag,
            Full,
            Relaxed, //
        },
        barrier::smp_mb,
        new_condvar,
        new_spinlock,
        rcu,
        Arc,
        CondVar,
        SpinLock,
        SpinLockGuard, //
    },
};
use core::{
    cell::UnsafeCell,
    marker::PhantomPinned,
    mem,
    ptr::{
        self,
        NonNull, //
    },
};

/// What a registry knows of a slot.
///
/// # Invariants
///
/// - The header is on the list of a registry while the state is a device, `REVOKED` or `DROPPING`,
///   or says that the resource is being evicted, and on no list otherwise.
/// - The resource is initialised while the state is a device or `REVOKED`. While it is `DROPPING`,
///   or says that the resource is being evicted, the resource belongs to the thread that has stored
///   that.
/// - While the header is on the list, `older` and `newer` are its neighbours there, or null at the
///   ends. They are accessed with the lock of the registry held.
/// - Otherwise `older` is [`sys::current_task()`] of a thread only while that thread populates the
///   slot, and only that thread writes `older`.
pub(super) struct Header {
    pub(super) state: State,
    older: Atomic<*mut Header>,
    newer: UnsafeCell<*const Header>,
    /// Drops the resource in place. The thread that has claimed the resource calls this once.
    drop_value: unsafe fn(NonNull<Header>),
    /// The list knows the address. `!Unpin` types are also exempt from `&mut` uniqueness, so unbind
    /// may use the header while its owner has exclusive access to the slot and waits.
    _pin: PhantomPinned,
}

impl Header {
    /// Returns the header of an empty slot.
    pub(super) fn new(drop_value: unsafe fn(NonNull<Header>)) -> Self {
        // INVARIANT: The state is `EMPTY`, and the header on no list.
        Self {
            state: State::new(),
            older: Atomic::new(ptr::null_mut()),
            newer: UnsafeCell::new(ptr::null()),
            drop_value,
            _pin: PhantomPinned,
        }
    }

    /// Returns the state of a header.
    ///
    /// # Safety
    ///
    /// `header` is valid for `'a`.
    unsafe fn state<'a>(header: *const Self) -> &'a State {
        // SAFETY: The caller has a header that is valid for `'a`.
        unsafe { &(*header).state }
    }

    /// Returns the header's `older`.
    ///
    /// # Safety
    ///
    /// `header` is valid for `'a`.
    unsafe fn older<'a>(header: *const Self) -> &'a Atomic<*mut Self> {
        // SAFETY: The caller has a header that is valid for `'a`.
        unsafe { &(*header).older }
    }

    /// Returns whether the caller is populating the slot itself.
    ///
    /// No lock is needed: no other thread writes the number of this one, and this one overwrites
    /// its number before it ends a populate.
    pub(super) fn is_populated_by_caller(&self) -> bool {
        self.state.is_being_populated()
            && self.older.load(Relaxed).addr() == sys::current_task().get()
    }

    /// Drops the resource of a slot.
    ///
    /// # Safety
    ///
    /// The caller has claimed the resource, and has not called this since.
    unsafe fn drop_resource(header: NonNull<Self>) {
        // SAFETY: A header is valid until the caller has said that the resource is gone.
        let drop_value = unsafe { (*header.as_ptr()).drop_value };

        unwind::contained(header.addr(), || {
            // SAFETY: The resource was there when the caller claimed it, and belongs to the caller.
            unsafe { drop_value(header) }
        });
    }
}

/// Whether unbind is still to come to a registry.
enum Binding {
    /// Not looked up yet.
    Unknown,
    /// The device was found to be bound after the registry was added.
    Bound,
    /// Unbind released this registry, or had already passed and the registry was removed again.
    Revoked,
}

/// The outcome of [`Registry::claim()`].
pub(super) enum Claim {
    /// The slot was empty, and the caller populates it for this registry.
    Vacant(Arc<Registry>),
    /// The slot is populated for the caller's device.
    Populated,
}

/// The list, and everything else that the lock protects.
///
/// # Invariants
///
/// - `last` is null, or the header that was linked last. From there `older` leads to all headers on
///   the list. They are valid as long as they are on it.
/// - `unmarked` is null, or on the list.
struct List {
    last: *const Header,
    /// Where unbind goes on to mark.
    unmarked: *const Header,
    binding: Binding,
    /// How many threads wait for `changed`, at least.
    waiting: usize,
}

// SAFETY: The headers belong to slots whose resources may be dropped on any thread:
// `Registry::link()` requires that.
unsafe impl Send for List {}

impl List {
    /// Returns the next newer neighbour of a header.
    ///
    /// # Safety
    ///
    /// `header` is on this list, or its links are the caller's alone.
    unsafe fn newer(&mut self, header: *const Header) -> &mut *const Header {
        // SAFETY: `header` is valid: a header on the list is, and one whose links are the caller's.
        let newer = unsafe { &raw const (*header).newer };

        // SAFETY: Nobody else accesses the links: `self` is borrowed mutably, so the lock is held.
        unsafe { &mut *UnsafeCell::raw_get(newer) }
    }

    /// Links a header, as the last one.
    ///
    /// # Safety
    ///
    /// `header` is on no list, and valid until it is unlinked.
    unsafe fn push(&mut self, header: *const Header) {
        // INVARIANT: `header` leads to the one before.
        let older = mem::replace(&mut self.last, header);

        // SAFETY: `header` is valid.
        unsafe { Header::older(header) }.store(older.cast_mut(), Relaxed);
        // SAFETY: `header` was on no list, so its links are the caller's.
        *unsafe { self.newer(header) } = ptr::null();
        if !older.is_null() {
            // SAFETY: `older` was `last`, which is on the list by the type invariants.
            *unsafe { self.newer(older) } = header;
        }
    }

    /// Unlinks a header.
    ///
    /// # Safety
    ///
    /// `header` is on this list.
    unsafe fn unlink(&mut self, header: *const Header) {
        // SAFETY: The caller has a header that is on this list.
        let older = unsafe { Header::older(header) }.load(Relaxed);
        // SAFETY: The caller has a header that is on this list.
        let newer = *unsafe { self.newer(header) };

        // INVARIANT: The neighbours lead to each other, and `unmarked` stays on the list.
        if newer.is_null() {
            self.last = older;
        } else {
            // SAFETY: A neighbour of a header on the list is on the list.
            unsafe { Header::older(newer) }.store(older, Relaxed);
        }
        if !older.is_null() {
            // SAFETY: A neighbour of a header on the list is on the list.
            *unsafe { self.newer(older) } = newer;
        }
        if ptr::eq(self.unmarked, header) {
            self.unmarked = older;
        }
    }

    /// Marks the next slots whose resources nobody is dropping: accessors refuse them from now on.
    ///
    /// Returns whether there are more, and then the caller releases the lock in between.
    fn mark_some(&mut self) -> bool {
        for _ in 0..sys::MARKED_AT_ONCE {
            if self.unmarked.is_null() {
                break;
            }
            // SAFETY: By the type invariants `unmarked` is on the list, so it is valid.
            let state = unsafe { Header::state(self.unmarked) };
            // SAFETY: `unmarked` is on the list.
            let older = unsafe { Header::older(self.unmarked) }.load(Relaxed);

            // INVARIANT: The resource is there, and the header on the list.
            state.mark();
            // INVARIANT: `older` is on the list, or null.
            self.unmarked = older;
        }

        !self.unmarked.is_null()
    }
}

/// All populated slots of one device, in one binding of it.
#[pin_data]
pub(crate) struct Registry {
    pub(super) link: Link,
    #[pin]
    list: SpinLock<List>,
    /// Notified when a populate ends, and when a slot leaves the list.
    #[pin]
    changed: CondVar,
    /// Set by the first call of `try_access()`, and never cleared.
    tried: AtomicFlag,
    /// Set when `binding` becomes [`Binding::Bound`], and never cleared. That unbind has come
    /// meanwhile is found by [`link()`](Registry::link).
    is_confirmed: AtomicFlag,
}

impl Registry {
    fn new(dev: &Device<Bound>) -> impl PinInit<Self> {
        let link = Link::new(dev);

        // INVARIANT: The list is empty.
        pin_init!(Self {
            link,
            list <- new_spinlock!(
                List {
                    last: ptr::null(),
                    unmarked: ptr::null(),
                    binding: Binding::Unknown,
                    waiting: 0,
                },
                "devres::Registry::list"
            ),
            changed <- new_condvar!("devres::Registry::changed"),
            tried: AtomicFlag::new(false),
            is_confirmed: AtomicFlag::new(false),
        })
    }

    /// Returns the registry of a device, which is made if there is none, while unbind is still to
    /// come to it.
    ///
    /// Not generic: each crate with an instance would have names of its own for the lock classes.
    ///
    /// # Errors
    ///
    /// - `ENXIO` if unbind may have gone too far to find what is populated now.
    /// - `ENOMEM` if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep.
    fn of(dev: &Device<Bound>) -> Result<Arc<Self>> {
        sys::might_sleep();

        loop {
            let registry = match table::find(dev)? {
                Some(registry) => registry,
                None => table::add(dev, Arc::pin_init(Self::new(dev), GFP_KERNEL)?)?,
            };
            match registry.confirm(dev) {
                Ok(()) => return Ok(registry),
                // A devres group was released meanwhile, with the registry in it. The registry left
                // the table before it was revoked, so the next attempt finds or adds another one.
                Err(error) if error == ENXIO && sys::is_bound(dev) => (),
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes the registry of a device, if there is none.
    ///
    /// # Errors
    ///
    /// As [`prepare()`](super::lazy::prepare), whose work this is.
    pub(super) fn prepare(dev: &Device<Bound>) -> Result {
        Self::of(dev)?;
        Ok(())
    }

    /// Confirms that unbind is still to come to this registry.
    ///
    /// A callback of a devres node that is older than all slots may run after unbind has collected
    /// the nodes that it releases. It finds no registry and adds one, which this unbind misses. The
    /// registry has no slots at this point: they are linked only after this check.
    fn confirm(&self, dev: &Device<Bound>) -> Result {
        if self.is_confirmed.load(Relaxed) {
            return Ok(());
        }
        let mut list = self.list.lock();

        match list.binding {
            Binding::Bound => Ok(()),
            Binding::Revoked => Err(ENXIO),
            // `sys::is_bound()` is asked after the registry was added under the lock that unbind
            // takes to collect all nodes. If unbind had collected them before, it returns false.
            Binding::Unknown if sys::is_bound(dev) => {
                list.binding = Binding::Bound;
                self.is_confirmed.store(true, Relaxed);
                Ok(())
            }
            Binding::Unknown => {
                drop(list);
                // Another thread that was told the same may have withdrawn the registry first.
                devres_node::withdraw(dev, self);
                Err(ENXIO)
            }
        }
    }

    /// Claims a slot for the caller to populate, or finds it populated for `dev`. Where another
    /// thread is populating the slot, or evicting its resource, this waits for it.
    ///
    /// A caller that gets [`Claim::Vacant`] calls [`link()`](Self::link) or
    /// [`abandon()`](Self::abandon) of that registry, which is the one of `dev`.
    ///
    /// # Errors
    ///
    /// - `ENXIO` if the slot was revoked or retired, or if unbind may have gone too far to find
    ///   what is populated now.
    /// - `EINVAL` if the slot is populated for another device.
    /// - `EBUSY` if the slot is being populated for another device, or in another binding of `dev`,
    ///   or if its resource is being evicted from there.
    /// - `EDEADLK` if the caller is populating the slot itself.
    /// - `ENOMEM` if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Safety
    ///
    /// The slot of `header` is valid for the duration of the call, and stays where it is.
    pub(super) unsafe fn claim(header: NonNull<Header>, dev: &Device<Bound>) -> Result<Claim> {
        // SAFETY: The caller has a valid header.
        let this = unsafe { header.as_ref() };
        let registry = Self::of(dev)?;

        loop {
            match this.state.begin(&registry, dev) {
                Found::Empty => break,
                Found::Populated => return Ok(Claim::Populated),
                Found::PopulatedElsewhere => return Err(EINVAL),
                Found::BusyElsewhere => return Err(EBUSY),
                Found::Refused => return Err(ENXIO),
                Found::Populating if this.is_populated_by_caller() => return Err(EDEADLK),
                // A thread that evicts, and comes back, has found that.
                Found::Populating | Found::Evicting => registry.wait_while_busy(&this.state)?,
            }
        }
        let task: *mut Header = ptr::without_provenance_mut(sys::current_task().get());
        // INVARIANT: As of `begin()` the caller populates the slot.
        this.older.store(task, Relaxed);

        Ok(Claim::Vacant(registry))
    }

    /// Waits until nobody populates a slot for this registry, or evicts the resource from it, or
    /// for less long.
    ///
    /// # Errors
    ///
    /// `ENXIO` if unbind has begun.
    fn wait_while_busy(&self, state: &State) -> Result {
        let mut list = self.list.lock();
        // With the lock held, nobody ends either.
        if state.is_busy_for(self) {
            self.wait(&mut list);
        }

        match list.binding {
            Binding::Revoked => Err(ENXIO),
            _ => Ok(()),
        }
    }

    /// Ends a populate that has failed: the slot is empty again.
    ///
    /// # Safety
    ///
    /// The caller has claimed the slot of `header`, for this registry, and has called neither this
    /// nor [`link()`](Self::link) since.
    pub(super) unsafe fn abandon(&self, header: NonNull<Header>) {
        let list = self.list.lock();

        // SAFETY: The caller has claimed the slot, so the header is valid.
        let this = unsafe { header.as_ref() };
        // Or the caller would take a later populate of another thread for its own.
        this.older.store(ptr::null_mut(), Relaxed);
        this.state.abandon();
        self.wake(&list);
    }

    /// Waits until a populate or an eviction ends, or a slot leaves the list.
    fn wait(&self, list: &mut SpinLockGuard<'_, List>) {
        list.waiting += 1;
        self.changed.wait(list);
        list.waiting -= 1;
    }

    /// Wakes the threads that wait.
    fn wake(&self, list: &List) {
        if list.waiting != 0 {
            self.changed.notify_all();
        }
    }

    /// Links a slot, and so populates it for `dev`.
    ///
    /// # Errors
    ///
    /// `ENXIO` if unbind has come first; the slot is still being populated.
    ///
    /// # Safety
    ///
    /// - This is the registry of `dev`.
    /// - The caller has claimed the slot of `header`, for this registry, and has called neither
    ///   [`abandon()`](Self::abandon) nor this since. Its resource was initialised, and may be
    ///   dropped on any thread.
    /// - The slot stays where it is, and [`remove()`](Self::remove) is called before it is gone.
    pub(super) unsafe fn link(&self, header: NonNull<Header>, dev: &Device<Bound>) -> Result {
        let mut list = self.list.lock();
        if let Binding::Revoked = list.binding {
            return Err(ENXIO);
        }

        // SAFETY: The slot is being populated, so its header is on no list. It is valid until it is
        // removed.
        unsafe { list.push(header.as_ptr()) };

        // INVARIANT: The header is on the list, and the resource is there.
        // SAFETY: The header is valid until it is removed.
        unsafe { Header::state(header.as_ptr()) }.publish(dev);
        self.wake(&list);

        Ok(())
    }

    /// Drops the resource of a slot that was linked here, or waits until unbind has dropped it.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Safety
    ///
    /// - `header` was linked here, and its slot was neither made empty nor retired since.
    /// - Nobody else uses its slot, except unbind and code that dropping the resource calls.
    pub(super) unsafe fn remove(&self, header: NonNull<Header>) {
        sys::might_sleep();

        // SAFETY: The caller owns the slot, so the header is valid.
        let state = unsafe { Header::state(header.as_ptr()) };
        if state.claim() {
            // SAFETY: The resource was claimed above.
            drop(unsafe { self.drop_claimed(header) });
            return;
        }

        // The lock is needed also where the state already says `GONE`: it orders what unbind did to
        // the slot with what the owner does next.
        let mut list = self.list.lock();
        while state.is_dropping() {
            unwind::before_waiting_for(header.addr());
            self.wait(&mut list);
        }
    }

    /// Drops the resource of a slot without the lock, unlinks the slot, and returns with the lock
    /// held. When the lock is released, the other side may free the slot.
    ///
    /// # Safety
    ///
    /// The caller has claimed the resource of `header`, which is linked here.
    unsafe fn drop_claimed(&self, header: NonNull<Header>) -> SpinLockGuard<'_, List> {
        // SAFETY: The caller has claimed the resource, which is linked here.
        let list = unsafe { self.drop_and_unlink(header) };

        // INVARIANT: The resource is gone, and the header is on no list.
        // SAFETY: The other side waits for `GONE` before it frees the slot.
        unsafe { Header::state(header.as_ptr()) }.gone();
        self.wake(&list);

        list
    }

    /// Drops the resource of a slot without the lock, unlinks the slot, and returns with the lock
    /// held. The state still says that the caller is at it.
    ///
    /// # Safety
    ///
    /// The caller has claimed the resource of `header`, or evicts it. The slot is linked here.
    unsafe fn drop_and_unlink(&self, header: NonNull<Header>) -> SpinLockGuard<'_, List> {
        // Without the lock, as it may drop the last reference to another owner on this device.
        // SAFETY: The resource is the caller's, and it is dropped here only.
        unsafe { Header::drop_resource(header) };

        // Reports an author's destructor that leaves the thread in atomic context.
        sys::might_sleep();
        let mut list = self.list.lock();
        // SAFETY: By the invariants of `Header` it is on the list: the caller is not done.
        unsafe { list.unlink(header.as_ptr()) };

        list
    }

    /// Drops the resource of a slot that was linked here, unless somebody uses it. Returns whether
    /// there was one; the slot is empty then.
    ///
    /// `forget` is called when the resource is gone, and nobody else uses the slot.
    ///
    /// # Errors
    ///
    /// `EBUSY` if somebody else has a pin, or is populating the slot, evicting or dropping the
    /// resource, or if unbind has begun.
    ///
    /// # Context
    ///
    /// Waits for nothing but the lock of the list. Nobody allocates memory, sleeps or calls the
    /// author's code with that lock held, and it must stay so: a shrinker calls this, with any lock
    /// held under which memory is allocated. Dropping the resource may sleep.
    ///
    /// # Safety
    ///
    /// - `header` was linked here. It stays valid, and the owner shared, for the duration of the
    ///   call.
    /// - Everybody who uses the resource has a pin of `pins`, taken before the slot was found
    ///   populated. So has the caller: `hold`, taken before the slot was found linked here.
    pub(super) unsafe fn evict(
        &self,
        header: NonNull<Header>,
        pins: &Pins,
        hold: Hold<'_>,
        forget: impl FnOnce(),
    ) -> Result<bool> {
        // SAFETY: The caller keeps the header valid.
        let state = unsafe { Header::state(header.as_ptr()) };
        let list = self.list.lock();

        // INVARIANT: The header is on the list, and the resource is there, or is the caller's.
        let Some(dev) = state.begin_eviction(self)? else {
            return Ok(false);
        };

        // ORDERING: Pairs with the barrier in `Pins::pin()`: either its caller sees that the
        // resource is being evicted, or this sees the pin.
        smp_mb(Full);
        let is_unused = pins.is_only(&hold);
        // From here on the lock, or the state, keeps `self` and the slot together.
        drop(hold);
        if !is_unused {
            state.cancel_eviction(dev);
            return Err(EBUSY);
        }

        drop(list);
        pins.begin_eviction();
        // SAFETY: The resource is the caller's as of `begin_eviction()`: nobody has a pin, and
        // nobody gets one any more. The slot is linked here.
        let list = unsafe { self.drop_and_unlink(header) };
        forget();
        pins.end_eviction();
        // INVARIANT: The resource is gone, and the header is on no list.
        state.evicted();
        self.wake(&list);

        Ok(true)
    }

    /// Announces an access without a bound device.
    ///
    /// If unbind does not see the announcement, a load of the slot's state after this call sees
    /// `REVOKED`.
    #[inline]
    pub(super) fn announce(&self) {
        // Written only once, so that readers share the cache line.
        if !self.tried.load(Relaxed) {
            self.tried.store(true, Relaxed);
        }

        // ORDERING: Pairs with the barrier in `release()`. The barrier is also needed if another
        // reader has set the flag.
        smp_mb(Full);
    }

    /// Drops the resources of all slots, the last one first. Called when the device is unbound, or
    /// when the registry is withdrawn.
    ///
    /// Returns when all of them are gone. Where an owner is dropping its resource, or another
    /// thread is evicting it, this waits before it goes on to an older one.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(crate) fn release(&self) {
        // Before it is revoked, so that nobody finds it again and again.
        let _ours = table::remove(self);

        let mut list = self.list.lock();
        list.binding = Binding::Revoked;
        list.unmarked = list.last;
        while list.mark_some() {
            drop(list);
            list = self.list.lock();
        }
        drop(list);

        // ORDERING: Pairs with the barrier in `announce()`.
        smp_mb(Full);
        if self.tried.load(Relaxed) {
            // For guards that were handed out before the slots were marked.
            rcu::synchronize_rcu();
        }

        let mut list = self.list.lock();
        while let Some(header) = NonNull::new(list.last.cast_mut()) {
            // SAFETY: By the type invariants of `List` the header is valid while it is on the list,
            // and it leaves the list only with the lock held.
            if unsafe { Header::state(header.as_ptr()) }.claim() {
                drop(list);
                // SAFETY: The resource was claimed above.
                list = unsafe { self.drop_claimed(header) };
            } else {
                unwind::before_waiting_for(header.addr());
                self.wait(&mut list);
            }
        }
    }
}
