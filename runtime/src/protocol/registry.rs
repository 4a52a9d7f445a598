// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The list of all populated slots of one device, in one binding of the device. Unbind goes through
//! this list.
//!
//! The host, the model checker and the kernel compile this file, under the rule of `lazy`.
//!
//! A device has one registry per binding, and one devres node for the registry. The first
//! population or `prepare()` makes both, and `table` finds the registry. Populating links a slot at
//! the end of the list, without an allocation. A slot leaves the list in constant time.
//!
//! A spinlock protects the list, as the critical sections are short. They allocate no memory, call
//! no code of an author, and do not sleep.
//!
//! Unbind marks all slots, waits for a grace period if `try_access()` was called, and then drops
//! the resources one by one, the newest one first. An owner that is freed meanwhile drops its own
//! resource. The side that changes the slot's state first drops the resource, and the other side
//! waits. The slot stays on the list until the resource is gone, so unbind does not overtake an
//! owner that is still dropping. `state` has the states, and the comments at the accesses say which
//! ordering pairs with which.

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

/// The part of a slot that its registry uses.
///
/// # Invariants
///
/// - The header is on the list of a registry while the state is a device, `REVOKED` or `DROPPING`,
///   and while the resource is being evicted. In all other states it is on no list.
/// - The resource is initialised while the state is a device or `REVOKED`. In the state `DROPPING`,
///   and while the resource is being evicted, the resource belongs to the thread that has stored
///   the state.
/// - While the header is on the list, `older` and `newer` are its neighbours there, or null at the
///   ends. They are accessed with the lock of the registry held.
/// - While the header is on no list, `older` is [`sys::current_task()`] of a thread only while that
///   thread populates the slot. Only that thread writes `older` meanwhile.
pub(super) struct Header {
    pub(super) state: State,
    older: Atomic<*mut Header>,
    newer: UnsafeCell<*const Header>,
    /// Drops the resource in place. The thread that the resource belongs to calls this once.
    drop_value: unsafe fn(NonNull<Header>),
    /// The list has pointers to the header. `!Unpin` types are also exempt from `&mut` uniqueness,
    /// so unbind may use the header while the owner has exclusive access to the slot and waits.
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
        // SAFETY: The caller promises that `header` is valid for `'a`.
        unsafe { &(*header).state }
    }

    /// Returns the header's `older`.
    ///
    /// # Safety
    ///
    /// `header` is valid for `'a`.
    unsafe fn older<'a>(header: *const Self) -> &'a Atomic<*mut Self> {
        // SAFETY: The caller promises that `header` is valid for `'a`.
        unsafe { &(*header).older }
    }

    /// Returns whether the caller is populating the slot itself.
    ///
    /// The caller needs no lock. Only a thread itself writes its number, and it overwrites the
    /// number before it ends the populate.
    pub(super) fn is_populated_by_caller(&self) -> bool {
        self.state.is_being_populated()
            && self.older.load(Relaxed).addr() == sys::current_task().get()
    }

    /// Makes a slot empty that has no resource.
    ///
    /// The caller has exclusive access to the slot, which may still say that a thread populates it:
    /// the thread has forgotten that.
    pub(super) fn reset(&self) {
        // Otherwise that thread would take a later populate of another thread for its own.
        self.older.store(ptr::null_mut(), Relaxed);
        self.state.reset();
    }

    /// Drops the resource of a slot.
    ///
    /// # Safety
    ///
    /// The caller has claimed the resource or evicts it, and has not called this since.
    unsafe fn drop_resource(header: NonNull<Self>) {
        // SAFETY: The header is valid until the caller stores that the resource is gone.
        let drop_value = unsafe { (*header.as_ptr()).drop_value };

        unwind::contained(header.addr(), || {
            // SAFETY: The caller promises that it has claimed the resource or evicts it. So the
            // resource is initialised, and no other code uses or drops it.
            unsafe { drop_value(header) }
        });
    }
}

/// Whether unbind is still to release a registry.
enum Binding {
    /// The driver core was not asked yet.
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
///   the list. A header is valid while it is on the list.
/// - `unmarked` is null, or on the list.
struct List {
    last: *const Header,
    /// The next header that unbind marks, or null.
    unmarked: *const Header,
    binding: Binding,
    /// The number of threads that wait for `changed`, or more.
    waiting: usize,
}

// SAFETY: The headers belong to slots whose resources may be dropped on any thread, as
// `Registry::link()` requires.
unsafe impl Send for List {}

impl List {
    /// Returns the next newer neighbour of a header.
    ///
    /// # Safety
    ///
    /// `header` is on this list, or it is valid and only the caller accesses its links.
    unsafe fn newer(&mut self, header: *const Header) -> &mut *const Header {
        // SAFETY: The caller promises that `header` is valid or on the list. By the type invariants
        // a header on the list is valid.
        let newer = unsafe { &raw const (*header).newer };

        // SAFETY: No other code accesses the links: `self` is borrowed mutably, so the lock is
        // held.
        unsafe { &mut *UnsafeCell::raw_get(newer) }
    }

    /// Links a header, as the last one.
    ///
    /// # Safety
    ///
    /// `header` is on no list, and valid until it is unlinked.
    unsafe fn push(&mut self, header: *const Header) {
        // INVARIANT: `header` is linked last, and its `older` leads to the header before it.
        let older = mem::replace(&mut self.last, header);

        // SAFETY: The caller promises that `header` is valid.
        unsafe { Header::older(header) }.store(older.cast_mut(), Relaxed);
        // SAFETY: The caller promises that `header` is valid, and was on no list. So only the
        // caller accesses its links.
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
        // SAFETY: The caller promises that `header` is on this list.
        let older = unsafe { Header::older(header) }.load(Relaxed);
        // SAFETY: The caller promises that `header` is on this list.
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
        // INVARIANT: The header is on no list now, and `older` is not the number of a thread.
        // SAFETY: The caller promises that `header` was on this list, so it is valid.
        unsafe { Header::older(header) }.store(ptr::null_mut(), Relaxed);
    }

    /// Marks the next slots: accessors refuse them from now on. A slot whose resource is being
    /// dropped or evicted is skipped.
    ///
    /// Returns whether there are more slots. The caller then releases the lock before the next
    /// call.
    fn mark_some(&mut self) -> bool {
        for _ in 0..sys::MARKED_AT_ONCE {
            if self.unmarked.is_null() {
                break;
            }
            // SAFETY: By the type invariants `unmarked` is on the list, so it is valid.
            let state = unsafe { Header::state(self.unmarked) };
            // SAFETY: By the type invariants `unmarked` is on the list, so it is valid.
            let older = unsafe { Header::older(self.unmarked) }.load(Relaxed);

            // INVARIANT: The header is on the list. If the state was a device, the resource is
            // initialised.
            state.mark();
            // INVARIANT: `older` is on the list, or null.
            self.unmarked = older;
        }

        !self.unmarked.is_null()
    }
}

/// The list of all populated slots of one device, in one binding of the device.
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
    /// Set when `binding` becomes [`Binding::Bound`], and never cleared. If unbind has come since,
    /// [`link()`](Registry::link) fails.
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

    /// Returns the registry of a device, if unbind is still to release it. Makes the registry if
    /// there is none.
    ///
    /// Not generic: each crate with an instance would have its own names for the lock classes.
    ///
    /// # Errors
    ///
    /// - `ENXIO` if unbind would come to a resource that is populated now too late, or not at all.
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
                // A devres group with the registry in it was released meanwhile. The registry left
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
    /// Those of [`prepare()`](super::lazy::prepare).
    ///
    /// # Context
    ///
    /// May sleep.
    pub(super) fn prepare(dev: &Device<Bound>) -> Result {
        Self::of(dev)?;
        Ok(())
    }

    /// Confirms that unbind is still to release this registry.
    ///
    /// A callback of a devres node that is older than all slots may run after unbind has collected
    /// the nodes that it releases. The callback finds no registry and adds one. This unbind comes
    /// to it only after those nodes, which its slots may need, or not at all: that depends on
    /// whether unbind looks for nodes again. The registry has no slots at this point: they are
    /// linked only after this check.
    ///
    /// # Errors
    ///
    /// `ENXIO` if unbind has released this registry, or might come to it too late or not at all.
    fn confirm(&self, dev: &Device<Bound>) -> Result {
        if self.is_confirmed.load(Relaxed) {
            return Ok(());
        }
        let mut list = self.list.lock();

        match list.binding {
            Binding::Bound => Ok(()),
            Binding::Revoked => Err(ENXIO),
            // The registry was added under the lock that unbind takes to collect all nodes. So if
            // unbind had collected them before, `sys::is_bound()` returns false here.
            Binding::Unknown if sys::is_bound(dev) => {
                list.binding = Binding::Bound;
                self.is_confirmed.store(true, Relaxed);
                Ok(())
            }
            Binding::Unknown => {
                drop(list);
                // Another thread may have come here as well, and withdrawn the registry first.
                devres_node::withdraw(dev, self);
                Err(ENXIO)
            }
        }
    }

    /// Claims a slot for the caller to populate, or finds it populated for `dev`. If another thread
    /// is populating the slot, or evicting its resource, this waits for that thread.
    ///
    /// A caller that gets [`Claim::Vacant`] calls [`link()`](Self::link) or
    /// [`abandon()`](Self::abandon) of that registry, which is the one of `dev`.
    ///
    /// # Errors
    ///
    /// - `ENXIO` if the slot was revoked or retired, or if unbind would come to a resource that is
    ///   populated now too late, or not at all.
    /// - `EINVAL` if the slot is populated for another device.
    /// - `EBUSY` if another thread is populating the slot, or evicting its resource, for another
    ///   device or in another binding of `dev`.
    /// - `ENOMEM` if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep. The caller is neither populating the slot nor evicting its resource: it would
    /// wait for itself.
    ///
    /// # Safety
    ///
    /// The slot of `header` is valid for the duration of the call, and does not move.
    pub(super) unsafe fn claim(header: NonNull<Header>, dev: &Device<Bound>) -> Result<Claim> {
        // SAFETY: The caller promises that the slot of `header` is valid.
        let this = unsafe { header.as_ref() };
        let registry = Self::of(dev)?;

        loop {
            match this.state.begin(&registry, dev) {
                Found::Empty => break,
                Found::Populated => return Ok(Claim::Populated),
                Found::PopulatedElsewhere => return Err(EINVAL),
                Found::BusyElsewhere => return Err(EBUSY),
                Found::Refused => return Err(ENXIO),
                // `Slot::look()` has refused the thread that populates the slot, and
                // `EvictableLazy::entry()` the thread that evicts the resource.
                Found::Busy => registry.wait_while_busy(&this.state)?,
            }
        }
        let task: *mut Header = ptr::without_provenance_mut(sys::current_task().get());
        // INVARIANT: The caller populates the slot since `begin()`, and the header is on no list.
        this.older.store(task, Relaxed);

        Ok(Claim::Vacant(registry))
    }

    /// Waits while a thread populates a slot for this registry, or evicts the resource from it. May
    /// return earlier.
    ///
    /// # Errors
    ///
    /// `ENXIO` if unbind has begun.
    fn wait_while_busy(&self, state: &State) -> Result {
        let mut list = self.list.lock();
        // Without the lock, neither a populate nor an eviction ends.
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
        // Otherwise the caller would take a later populate of another thread for its own.
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
    /// `ENXIO` if unbind has come first. The slot is then still being populated.
    ///
    /// # Safety
    ///
    /// - This is the registry of `dev`.
    /// - The caller has claimed the slot of `header`, for this registry, and has called neither
    ///   [`abandon()`](Self::abandon) nor this since. Its resource was initialised, and may be
    ///   dropped on any thread.
    /// - The slot does not move. [`remove()`](Self::remove) is called before its memory is freed,
    ///   unless its resource was evicted.
    pub(super) unsafe fn link(&self, header: NonNull<Header>, dev: &Device<Bound>) -> Result {
        let mut list = self.list.lock();
        if let Binding::Revoked = list.binding {
            return Err(ENXIO);
        }

        // SAFETY: The slot is being populated, so its header is on no list. It is valid until it is
        // removed.
        unsafe { list.push(header.as_ptr()) };

        // INVARIANT: The header is on the list, and the resource is initialised.
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
    /// - No other code uses its slot, except unbind and code that dropping the resource calls.
    pub(super) unsafe fn remove(&self, header: NonNull<Header>) {
        sys::might_sleep();

        // SAFETY: The caller has exclusive access to the slot, so the header is valid.
        let state = unsafe { Header::state(header.as_ptr()) };
        if state.claim() {
            // SAFETY: The resource was claimed above.
            drop(unsafe { self.drop_claimed(header) });
            return;
        }

        // The lock is needed even if the state is already `GONE`: it orders the accesses of unbind
        // to the slot before the next ones of the owner.
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
        // SAFETY: The caller has claimed the resource of `header`, which is linked here.
        let list = unsafe { self.drop_and_unlink(header) };

        // INVARIANT: The resource is gone, and the header is on no list.
        // SAFETY: The header is valid: the owner waits for `GONE` before it frees the slot.
        unsafe { Header::state(header.as_ptr()) }.gone();
        self.wake(&list);

        list
    }

    /// Drops the resource of a slot without the lock, unlinks the slot, and returns with the lock
    /// held. The state does not change: it says that the caller drops or evicts the resource.
    ///
    /// # Safety
    ///
    /// The caller has claimed the resource of `header`, or evicts it. The slot is linked here.
    unsafe fn drop_and_unlink(&self, header: NonNull<Header>) -> SpinLockGuard<'_, List> {
        // Without the lock: a drop may release the last reference to another owner on this device.
        // SAFETY: The caller has claimed the resource or evicts it, and drops it only here.
        unsafe { Header::drop_resource(header) };

        // Reports an author's destructor that leaves the thread in atomic context.
        sys::might_sleep();
        let mut list = self.list.lock();
        // SAFETY: The state has not changed, so by the invariants of `Header` it is on the list.
        unsafe { list.unlink(header.as_ptr()) };

        list
    }

    /// Drops the resource of a slot that was linked here, unless it is in use. Returns `true` if
    /// there was a resource; the slot is empty then.
    ///
    /// Calls `forget` when the resource is gone, and while no other code uses the slot.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is another pin, if the slot is being populated, if the resource is being
    /// evicted or dropped, or if unbind has begun.
    ///
    /// # Context
    ///
    /// Waits only for the lock of the list. Its critical sections must not allocate memory, sleep
    /// or call the author's code: a shrinker calls this with any lock held under which memory is
    /// allocated. Dropping the resource may sleep.
    ///
    /// # Safety
    ///
    /// - `header` was linked here. It stays valid, and the owner shared, for the duration of the
    ///   call.
    /// - Each user of the resource has a pin of `pins`, taken before the slot was found populated.
    ///   The caller has `hold`, taken before the slot was found linked here.
    pub(super) unsafe fn evict(
        &self,
        header: NonNull<Header>,
        pins: &Pins,
        hold: Hold<'_>,
        forget: impl FnOnce(),
    ) -> Result<bool> {
        // SAFETY: The caller promises that the header stays valid.
        let state = unsafe { Header::state(header.as_ptr()) };
        let list = self.list.lock();

        // INVARIANT: The header is on the list, and the resource is initialised, or the caller's.
        let Some(dev) = state.begin_eviction(self)? else {
            return Ok(false);
        };

        // ORDERING: Pairs with the barrier in `Pins::pin()`: either its caller sees that the
        // resource is being evicted, or this thread sees the pin.
        smp_mb(Full);
        let is_unused = pins.is_only(&hold);
        // From here on the lock, or the state, keeps the slot linked to `self`.
        drop(hold);
        if !is_unused {
            state.cancel_eviction(dev);
            return Err(EBUSY);
        }

        drop(list);
        pins.begin_eviction();
        // SAFETY: The caller evicts the resource: there was no other pin after `begin_eviction()`,
        // and the user of a later pin sees the state. The slot is linked here.
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

    /// Drops the resources of all slots, the newest one first. Called when devres releases the node
    /// of the registry: when the device is unbound, or when the registry is withdrawn.
    ///
    /// Returns when all resources are gone. If an owner is dropping its resource, or another thread
    /// is evicting it, this waits before it drops an older one.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(crate) fn release(&self) {
        // The table comes first: `of()` would find a revoked registry again and again.
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
            // Waits for guards that were made before the slots were marked.
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
