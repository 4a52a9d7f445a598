// SPDX-License-Identifier: Apache-2.0 OR MIT

//! All populated slots of one device, in one binding of it: the list that unbind goes through.
//!
//! One source for the host, the model checker and the kernel, under the same rule as the slot.
//!
//! A device has one registry per binding, made by the first slot that is populated, and one devres
//! node for it. Populating links a slot without an allocation, at the end of the list. A slot
//! leaves the list in constant time.
//!
//! Unbind marks all slots, waits for a grace period if somebody has called `try_access()`, and then
//! drops the resources one by one, the last one first. An owner that is freed meanwhile drops its
//! own resource. Whichever side changes the slot's state first drops the resource, and the other
//! side waits. The slot stays on the list until the resource is gone, so unbind does not overtake
//! an owner that is still dropping. `docs/protocol.md` has the states and explains why the
//! orderings suffice.

use super::sys;
use crate::{
    bindings,
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
            Relaxed,
            Release, //
        },
        barrier::smp_mb,
        new_condvar,
        new_mutex,
        rcu,
        Arc,
        CondVar,
        Mutex,
        MutexGuard, //
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

/// Nothing is mapped.
pub(super) const EMPTY: *mut bindings::device = ptr::null_mut();

/// Unbind has begun. The resource is not dropped yet.
const REVOKED: *mut bindings::device = ptr::without_provenance_mut(1);

/// Unbind or the exclusive owner is dropping the resource.
const DROPPING: *mut bindings::device = ptr::without_provenance_mut(2);

/// The resource was dropped.
const GONE: *mut bindings::device = ptr::without_provenance_mut(3);

/// The owner's destructor has begun, and the resource is gone.
pub(super) const RETIRED: *mut bindings::device = ptr::without_provenance_mut(4);

/// Returns whether a state is the address of a device.
///
/// No `struct device` has the address of another state.
#[inline]
pub(super) fn is_device(state: *mut bindings::device) -> bool {
    state.addr() > RETIRED.addr()
}

/// Returns whether a slot with this state is linked to a registry, or was until its resource was
/// dropped.
#[inline]
pub(super) fn has_registry(state: *mut bindings::device) -> bool {
    state != EMPTY && state != RETIRED
}

/// What a registry knows of a slot.
///
/// # Invariants
///
/// - The node is on the list of a registry while `state` is a device, `REVOKED` or `DROPPING`, and
///   on no list otherwise.
/// - The resource is initialised while `state` is a device or `REVOKED`. While `state` is
///   `DROPPING`, it belongs to the thread that has stored that.
/// - `links` are accessed with the lock of the node's registry held.
pub(super) struct Node {
    pub(super) state: Atomic<*mut bindings::device>,
    links: UnsafeCell<Links>,
    /// Drops the resource in place. The thread that has claimed the resource calls this once.
    drop_value: unsafe fn(NonNull<Node>),
    /// The list knows the address. `!Unpin` types are also exempt from `&mut` uniqueness, so unbind
    /// may use the node while its owner has exclusive access to the slot and waits.
    _pin: PhantomPinned,
}

/// The neighbours on the list; null at its ends.
struct Links {
    older: *const Node,
    newer: *const Node,
}

impl Node {
    /// Returns the node of an empty slot.
    pub(super) fn new(drop_value: unsafe fn(NonNull<Node>)) -> Self {
        // INVARIANT: `state` is `EMPTY`, and the node on no list.
        Self {
            state: Atomic::new(EMPTY),
            links: UnsafeCell::new(Links {
                older: ptr::null(),
                newer: ptr::null(),
            }),
            drop_value,
            _pin: PhantomPinned,
        }
    }

    /// Returns the state of a node.
    ///
    /// # Safety
    ///
    /// `node` is valid for `'a`.
    unsafe fn state<'a>(node: *const Self) -> &'a Atomic<*mut bindings::device> {
        // SAFETY: The caller has a node that is valid for `'a`.
        unsafe { &(*node).state }
    }

    /// Claims the resource of a slot. The caller that gets `true` drops the resource; every other
    /// caller gets `false`.
    ///
    /// # Safety
    ///
    /// `node` is valid.
    unsafe fn claim(node: NonNull<Self>) -> bool {
        // SAFETY: The caller has a valid node.
        let state = unsafe { Self::state(node.as_ptr()) };

        loop {
            let seen = state.load(Relaxed);
            if !is_device(seen) && seen != REVOKED {
                return false;
            }
            // ORDERING: The two sides that claim have each synchronised with the thread that has
            // populated the slot: unbind by the registry's lock, the owner by being exclusive.
            // INVARIANT: The node stays on its list, and the resource is this thread's.
            if state.cmpxchg(seen, DROPPING, Relaxed).is_ok() {
                return true;
            }
        }
    }

    /// Drops the resource of a slot.
    ///
    /// # Safety
    ///
    /// The caller has claimed the resource, and has not called this since.
    unsafe fn drop_resource(node: NonNull<Self>) {
        // SAFETY: A node is valid until its state is `GONE`, which the caller has yet to store.
        let drop_value = unsafe { (*node.as_ptr()).drop_value };

        sys::contained(node.addr(), || {
            // SAFETY: The resource was there when the caller claimed it, and belongs to the caller.
            unsafe { drop_value(node) }
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

/// The list, and everything else that the lock protects.
///
/// # Invariants
///
/// `last` is null, or the node that was linked last. From there `older` leads to all nodes on the
/// list. They are valid as long as they are on it.
struct Slots {
    last: *const Node,
    binding: Binding,
}

// SAFETY: The nodes belong to slots whose resources may be dropped on any thread:
// `Registry::link()` requires that.
unsafe impl Send for Slots {}

impl Slots {
    /// Returns the links of a node.
    ///
    /// # Safety
    ///
    /// `node` is on this list, or its links are the caller's alone.
    unsafe fn links(&mut self, node: *const Node) -> &mut Links {
        // SAFETY: `node` is valid: a node on the list is, and one whose links are the caller's.
        let links = unsafe { &raw const (*node).links };

        // SAFETY: Nobody else accesses the links: `self` is borrowed mutably, so the lock is held.
        unsafe { &mut *UnsafeCell::raw_get(links) }
    }

    /// Links a node, as the last one.
    ///
    /// # Safety
    ///
    /// `node` is on no list, and valid until it is unlinked.
    unsafe fn push(&mut self, node: *const Node) {
        // INVARIANT: `node` leads to the one before.
        let older = mem::replace(&mut self.last, node);

        // SAFETY: `node` was on no list, so its links are the caller's.
        *unsafe { self.links(node) } = Links {
            older,
            newer: ptr::null(),
        };
        if !older.is_null() {
            // SAFETY: `older` was `last`, which is on the list by the type invariants.
            unsafe { self.links(older) }.newer = node;
        }
    }

    /// Unlinks a node.
    ///
    /// # Safety
    ///
    /// `node` is on this list.
    unsafe fn unlink(&mut self, node: *const Node) {
        // SAFETY: The caller has a node that is on this list.
        let &mut Links { older, newer } = unsafe { self.links(node) };

        // INVARIANT: The neighbours lead to each other.
        if newer.is_null() {
            self.last = older;
        } else {
            // SAFETY: A neighbour of a node on the list is on the list.
            unsafe { self.links(newer) }.older = older;
        }
        if !older.is_null() {
            // SAFETY: A neighbour of a node on the list is on the list.
            unsafe { self.links(older) }.newer = newer;
        }
    }

    /// Marks every slot whose resource nobody is dropping: accessors refuse it from now on.
    fn mark_all(&mut self) {
        let mut node = self.last;
        while !node.is_null() {
            // SAFETY: `node` is on the list, so it is valid by the type invariants.
            let state = unsafe { Node::state(node) };
            let seen = state.load(Relaxed);
            if is_device(seen) {
                // An owner that has claimed its resource in between keeps it: the exchange fails.
                // INVARIANT: The resource is there, and the node on the list.
                let _ = state.cmpxchg(seen, REVOKED, Relaxed);
            }

            // SAFETY: `node` is on the list.
            node = unsafe { self.links(node) }.older;
        }
    }
}

/// All populated slots of one device, in one binding of it.
#[pin_data]
pub(crate) struct Registry {
    #[pin]
    slots: Mutex<Slots>,
    /// Notified when a slot leaves the list after unbind has begun.
    #[pin]
    dropped: CondVar,
    /// Set by the first call of `try_access()`, and never cleared.
    tried: AtomicFlag,
}

impl Registry {
    fn new() -> impl PinInit<Self> {
        // INVARIANT: The list is empty.
        pin_init!(Self {
            slots <- new_mutex!(
                Slots {
                    last: ptr::null(),
                    binding: Binding::Unknown,
                },
                "devres::Registry::slots"
            ),
            dropped <- new_condvar!("devres::Registry::dropped"),
            tried: AtomicFlag::new(false),
        })
    }

    /// Returns the registry of a device for as long as it is bound, and makes it if there is none.
    ///
    /// # Errors
    ///
    /// - `ENXIO` if unbind may have gone too far to find what is populated now.
    /// - `ENOMEM` if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(super) fn of(dev: &Device<Bound>) -> Result<Arc<Self>> {
        loop {
            let registry = match sys::find(dev) {
                Some(registry) => registry,
                None => sys::add(dev, Arc::pin_init(Self::new(), GFP_KERNEL)?)?,
            };
            match registry.confirm(dev) {
                // A devres group was released meanwhile, with the registry in it. The registry is
                // off the list now, so the next attempt finds or adds another one.
                Err(error) if error == ENXIO && sys::is_bound(dev) => (),
                result => return result.map(|()| registry),
            }
        }
    }

    /// Confirms that unbind is still to come to this registry.
    ///
    /// A callback of a devres node that is older than all slots may run after unbind has collected
    /// the nodes that it releases. It finds no registry and adds one, which this unbind misses. The
    /// registry has no slots at this point: they are linked only after this check.
    fn confirm(&self, dev: &Device<Bound>) -> Result {
        let mut slots = self.slots.lock();

        match slots.binding {
            Binding::Bound => Ok(()),
            Binding::Revoked => Err(ENXIO),
            // `sys::is_bound()` is asked after the registry was added under the lock that unbind
            // takes to collect all nodes. If unbind had collected them before, it returns false.
            Binding::Unknown if sys::is_bound(dev) => {
                slots.binding = Binding::Bound;
                Ok(())
            }
            Binding::Unknown => {
                drop(slots);
                // Another thread that was told the same may have withdrawn the registry first.
                sys::withdraw(dev, self);
                Err(ENXIO)
            }
        }
    }

    /// Links a slot, and so populates it for `dev`.
    ///
    /// # Errors
    ///
    /// `ENXIO` if unbind has come first; the slot is as it was.
    ///
    /// # Safety
    ///
    /// - This is the registry of `dev`.
    /// - `node` is that of an empty slot, whose lock is held, and whose resource was initialised,
    ///   and may be dropped on any thread.
    /// - The slot stays where it is, and [`remove()`](Self::remove) is called before it is gone.
    pub(super) unsafe fn link(&self, node: NonNull<Node>, dev: &Device<Bound>) -> Result {
        let mut slots = self.slots.lock();
        if let Binding::Revoked = slots.binding {
            return Err(ENXIO);
        }

        // SAFETY: The slot is empty, so its node is on no list. It is valid until it is removed.
        unsafe { slots.push(node.as_ptr()) };

        // SAFETY: The node is valid until it is removed.
        let state = unsafe { Node::state(node.as_ptr()) };
        // ORDERING: Pairs with the acquires in `Container`: a reader that sees the device there
        // also sees the resource.
        // INVARIANT: The node is on the list, and the resource is there.
        state.store(dev.as_raw(), Release);

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
    /// - `node` was linked here, and its state is neither `EMPTY` nor `RETIRED`.
    /// - Nobody else uses its slot, except unbind and code that dropping the resource calls.
    pub(super) unsafe fn remove(&self, node: NonNull<Node>) {
        // SAFETY: The caller owns the slot, so the node is valid.
        if unsafe { Node::claim(node) } {
            // SAFETY: The resource was claimed above.
            drop(unsafe { self.drop_claimed(node) });
            return;
        }

        // SAFETY: The caller owns the slot, so the node is valid.
        let state = unsafe { Node::state(node.as_ptr()) };
        // The lock is needed also where the state already says `GONE`: it orders what unbind did to
        // the slot with what the owner does next.
        let mut slots = self.slots.lock();
        while state.load(Relaxed) == DROPPING {
            sys::before_waiting_for(node.addr());
            self.dropped.wait(&mut slots);
        }
    }

    /// Drops the resource of a slot without the lock, unlinks the slot, and returns with the lock
    /// held. When the lock is released, the other side may free the slot.
    ///
    /// # Safety
    ///
    /// The caller has claimed the resource of `node`, which is linked here.
    unsafe fn drop_claimed(&self, node: NonNull<Node>) -> MutexGuard<'_, Slots> {
        // Without the lock, as it may drop the last reference to another owner on this device.
        // SAFETY: The caller has claimed the resource, and it is dropped here only.
        unsafe { Node::drop_resource(node) };

        let mut slots = self.slots.lock();
        // SAFETY: By the invariants of `Node` it is on the list: its state is `DROPPING`.
        unsafe { slots.unlink(node.as_ptr()) };
        // SAFETY: The other side waits for `GONE` before it frees the slot.
        let state = unsafe { Node::state(node.as_ptr()) };
        // INVARIANT: The resource is gone, and the node is on no list.
        state.store(GONE, Relaxed);
        // Before unbind has begun, nobody waits.
        if let Binding::Revoked = slots.binding {
            self.dropped.notify_all();
        }

        slots
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
    /// Returns when all of them are gone. Where an owner is dropping its resource, this waits
    /// before it goes on to an older one.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(crate) fn release(&self) {
        let mut slots = self.slots.lock();
        slots.binding = Binding::Revoked;
        slots.mark_all();
        drop(slots);

        // ORDERING: Pairs with the barrier in `announce()`.
        smp_mb(Full);
        if self.tried.load(Relaxed) {
            // For guards that were handed out before the slots were marked.
            rcu::synchronize_rcu();
        }

        let mut slots = self.slots.lock();
        while let Some(node) = NonNull::new(slots.last.cast_mut()) {
            // SAFETY: By the type invariants of `Slots` the node is valid while it is on the list,
            // and it leaves the list only with the lock held.
            if unsafe { Node::claim(node) } {
                drop(slots);
                // SAFETY: The resource was claimed above.
                slots = unsafe { self.drop_claimed(node) };
            } else {
                sys::before_waiting_for(node.addr());
                self.dropped.wait(&mut slots);
            }
        }
    }
}
