// SPDX-License-Identifier: Apache-2.0 OR MIT

//! All populated slots of one device, in one binding of it: what unbind goes through.
//!
//! One source for the host, the model checker and the kernel, under the same rule as the slot.
//!
//! A device has one registry per binding, made by the first slot that is populated, and one devres
//! node for it. Slots are linked into it without an allocation, in the order in which they are
//! populated, and are taken out in constant time.
//!
//! Unbind marks all of them, waits for a grace period if somebody has asked for a guard by
//! `try_access()`, and then drops the resources one by one, the last one first. Owners that are
//! freed meanwhile drop theirs themselves: each resource belongs to who takes it off the list, and
//! the other side waits. `docs/protocol.md` has the states, and why the orderings suffice.

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
        Mutex, //
    },
    types::ScopeGuard,
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

/// Unbind has begun; the resource is still there, on the registry's list.
const REVOKED: *mut bindings::device = ptr::without_provenance_mut(1);

/// The resource is being dropped, by unbind or by the exclusive owner.
const DROPPING: *mut bindings::device = ptr::without_provenance_mut(2);

/// The resource was dropped.
const GONE: *mut bindings::device = ptr::without_provenance_mut(3);

/// The owner's destructor has begun.
pub(super) const RETIRED: *mut bindings::device = ptr::without_provenance_mut(4);

/// Is this state the address of a device? No `struct device` has the address of another state.
#[inline]
pub(super) fn is_device(state: *mut bindings::device) -> bool {
    state.addr() > RETIRED.addr()
}

/// What a registry knows of a slot.
///
/// # Invariants
///
/// - While `state` is a device, or `REVOKED`, the node is on the list of a registry, and the
///   resource is there. Otherwise it is on no list.
/// - Once `state` is a device, it is changed with the registry's lock held, until the node is off
///   the list and the resource is gone.
/// - `links` are accessed with the lock of the registry held that the node is on.
pub(super) struct Node {
    pub(super) state: Atomic<*mut bindings::device>,
    links: UnsafeCell<Links>,
    /// Drops the resource in place.
    ///
    /// Must be called at most once for each time that the slot was populated, by who has taken the
    /// node off its list.
    drop_value: unsafe fn(NonNull<Node>),
    /// The list knows the address. That also lets unbind use the node while the owner has exclusive
    /// access to the slot, and waits: no `&mut` to what is not [`Unpin`] says that there are no
    /// other pointers.
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
        // SAFETY: By the safety requirement.
        unsafe { &(*node).state }
    }

    /// Drops the resource of a node's slot.
    ///
    /// # Safety
    ///
    /// The caller has taken the node off its list, and has not called this since.
    unsafe fn drop_resource(node: NonNull<Self>) {
        // SAFETY: The node is valid until its state says that the resource is gone.
        let drop_value = unsafe { (*node.as_ptr()).drop_value };

        // SAFETY: The node was on the list, so by the type invariants the resource was there, and
        // it is the caller's.
        unsafe { drop_value(node) };
    }
}

/// Has a device been found to be bound, so that its unbind will find this registry?
enum Binding {
    /// Nobody has looked.
    Unknown,
    Bound,
    /// Unbind has come here, or had passed before the registry was there, which was withdrawn.
    Revoked,
}

/// The list, and what else the lock protects.
///
/// # Invariants
///
/// `last` is null, or the node that was linked last; from there `older` leads to all nodes on the
/// list. They are valid as long as they are on it.
struct Slots {
    last: *const Node,
    binding: Binding,
    /// How many owners have taken their node off the list, and have not yet dropped the resource.
    in_flight: usize,
}

// SAFETY: The nodes are those of slots whose resources may be dropped on any thread: that is what
// `Registry::link()` asks for.
unsafe impl Send for Slots {}

impl Slots {
    /// Returns the links of a node, which this list protects.
    ///
    /// # Safety
    ///
    /// `node` is on this list, or its links are the caller's alone.
    unsafe fn links(&mut self, node: *const Node) -> &mut Links {
        // SAFETY: By the safety requirement the node is valid.
        let links = unsafe { &raw const (*node).links };

        // SAFETY: Nobody else accesses them: `self` is borrowed mutably, so the lock is held.
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

        // SAFETY: By the safety requirement it is on no list, so the links are the caller's.
        *unsafe { self.links(node) } = Links {
            older,
            newer: ptr::null(),
        };
        if !older.is_null() {
            // SAFETY: By the type invariants it is on the list.
            unsafe { self.links(older) }.newer = node;
        }
    }

    /// Unlinks a node.
    ///
    /// # Safety
    ///
    /// `node` is on this list.
    unsafe fn unlink(&mut self, node: *const Node) {
        // SAFETY: By the safety requirement.
        let &mut Links { older, newer } = unsafe { self.links(node) };

        // INVARIANT: The neighbours lead to each other.
        if newer.is_null() {
            self.last = older;
        } else {
            // SAFETY: A neighbour of a node on the list is on it.
            unsafe { self.links(newer) }.older = older;
        }
        if !older.is_null() {
            // SAFETY: As above.
            unsafe { self.links(older) }.newer = newer;
        }
    }

    /// Calls `f` for the state of each node, from the last one on.
    fn for_each_state(&mut self, f: impl Fn(&Atomic<*mut bindings::device>)) {
        let mut node = self.last;
        while !node.is_null() {
            // SAFETY: By the type invariants the node is valid, as it is on the list.
            f(unsafe { Node::state(node) });

            // SAFETY: It is on the list.
            node = unsafe { self.links(node) }.older;
        }
    }
}

/// All populated slots of one device, in one binding of it.
#[pin_data]
pub(crate) struct Registry {
    #[pin]
    slots: Mutex<Slots>,
    /// Notified when a resource is gone that somebody may wait for.
    #[pin]
    dropped: CondVar,
    /// Has anybody tried to get a guard? It stays so.
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
                    in_flight: 0,
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
        let registry = match sys::find(dev) {
            Some(registry) => registry,
            None => sys::add(dev, Arc::pin_init(Self::new(), GFP_KERNEL)?)?,
        };
        registry.confirm(dev)?;

        Ok(registry)
    }

    /// Makes sure that unbind is still to come here.
    ///
    /// Who runs in the middle of unbind, as callbacks of devres nodes do that were added before,
    /// finds no registry, and adds one that this unbind has no eyes for. That is found out here,
    /// where the registry has no slots yet: they are linked only after this.
    fn confirm(&self, dev: &Device<Bound>) -> Result {
        let mut slots = self.slots.lock();

        match slots.binding {
            Binding::Bound => Ok(()),
            Binding::Revoked => Err(ENXIO),
            // The registry was added before the question, in a critical section of the lock that
            // unbind takes to collect all nodes. If that was after unbind has collected them, the
            // answer is no.
            Binding::Unknown if sys::is_bound(dev) => {
                slots.binding = Binding::Bound;
                Ok(())
            }
            Binding::Unknown => {
                drop(slots);
                // Unless somebody else has, who was told the same.
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

        // SAFETY: The slot is empty, so its node is on no list; it is valid until it is removed.
        unsafe { slots.push(node.as_ptr()) };

        // SAFETY: As above.
        let state = unsafe { Node::state(node.as_ptr()) };
        // ORDERING: Pairs with the acquires of who reads the slot: who sees the device there also
        // sees the resource.
        // INVARIANT: The node is on the list, and the resource is there.
        state.store(dev.as_raw(), Release);

        Ok(())
    }

    /// Drops the resource of a slot that was linked here, unless unbind has; if unbind is at it,
    /// waits until it is done.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Safety
    ///
    /// `node` was linked here, was not removed since, and nobody else uses its slot, but unbind,
    /// and what dropping the resource calls.
    pub(super) unsafe fn remove(&self, node: NonNull<Node>) {
        // SAFETY: By the safety requirement the node is valid.
        let state = unsafe { Node::state(node.as_ptr()) };

        let mut slots = self.slots.lock();
        while state.load(Relaxed) == DROPPING {
            self.dropped.wait(&mut slots);
        }
        if state.load(Relaxed) == GONE {
            return;
        }

        // SAFETY: By the invariants of `Node` it is on the list that it was linked to: its state is
        // neither of the two that say that it is not.
        unsafe { slots.unlink(node.as_ptr()) };
        // INVARIANT: The node is on no list.
        state.store(DROPPING, Relaxed);
        slots.in_flight += 1;
        drop(slots);

        let _landed = ScopeGuard::new(|| {
            let mut slots = self.slots.lock();
            // INVARIANT: The resource is gone.
            state.store(GONE, Relaxed);
            slots.in_flight -= 1;
            if slots.in_flight == 0 {
                self.dropped.notify_all();
            }
        });
        // SAFETY: It was taken off the list above.
        unsafe { Node::drop_resource(node) };
    }

    /// Says that somebody is about to look for a resource without a bound device.
    ///
    /// If unbind does not see this, whoever loads the state of a slot behind it sees that it was
    /// revoked.
    #[inline]
    pub(super) fn announce(&self) {
        // Written once only, so that readers share it.
        if !self.tried.load(Relaxed) {
            self.tried.store(true, Relaxed);
        }

        // ORDERING: Pairs with the barrier in `release()`. It is also needed by who finds the flag
        // set: whose write that was does not matter.
        smp_mb(Full);
    }

    /// Drops the resources of all slots, the last one first. Called when the device is unbound, or
    /// the registry withdrawn.
    ///
    /// Returns when they are gone, those included that their owners are dropping.
    ///
    /// # Context
    ///
    /// May sleep.
    pub(crate) fn release(&self) {
        let mut slots = self.slots.lock();
        slots.binding = Binding::Revoked;
        // INVARIANT: The resources are there, and the nodes on the list.
        slots.for_each_state(|state| state.store(REVOKED, Relaxed));
        drop(slots);

        // ORDERING: Pairs with the barrier in `announce()`.
        smp_mb(Full);
        if self.tried.load(Relaxed) {
            // Guards that were given before the slots were marked.
            rcu::synchronize_rcu();
        }

        while self.drop_last() {}

        let mut slots = self.slots.lock();
        while slots.in_flight != 0 {
            self.dropped.wait(&mut slots);
        }
    }

    /// Drops the resource of the slot that was linked last; returns whether there was one.
    ///
    /// Without the lock, as it may drop the last reference to another owner, which then comes to
    /// [`remove()`](Self::remove).
    fn drop_last(&self) -> bool {
        let mut slots = self.slots.lock();
        let Some(node) = NonNull::new(slots.last.cast_mut()) else {
            return false;
        };

        // SAFETY: By the type invariants it is on the list.
        unsafe { slots.unlink(node.as_ptr()) };
        // SAFETY: It is valid until `state` is `GONE`, which its owner waits for.
        let state = unsafe { Node::state(node.as_ptr()) };
        // INVARIANT: The node is on no list.
        state.store(DROPPING, Relaxed);
        drop(slots);

        let _gone = ScopeGuard::new(|| {
            let _slots = self.slots.lock();
            // INVARIANT: The resource is gone.
            state.store(GONE, Relaxed);
            self.dropped.notify_all();
            // When the lock is released, the owner may free the slot.
        });
        // SAFETY: It was taken off the list above.
        unsafe { Node::drop_resource(node) };

        true
    }
}
