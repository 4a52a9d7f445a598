// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The lock validator: locks that are taken in an order that can deadlock.
//!
//! Stands for `kernel/locking/lockdep.c`, as far as locks that may sleep need it. C header:
//! `include/linux/lockdep.h`. `PROVE_LOCKING` is always on here.
//!
//! The validator keeps three things:
//!
//! - the *class* of each lock, which is that of its [`LockClassKey`];
//! - the locks that each thread holds, with the place where it took each one;
//! - the orders between classes: one was held while the other one was taken. Each order has the
//!   two places of its first time.
//!
//! Each lock is checked before the thread sleeps for it. So a report needs no deadlock, and no
//! second thread: it is enough that both orders were taken at any time.
//!
//! # Differences from the kernel
//!
//! The kernel reports once, and switches lockdep off. Here lockdep stays on, since one process runs
//! many tests. An order that was reported is not kept, so the order that was there first stays the
//! right one.
//!
//! # Threads
//!
//! What a thread holds is a thread-local without a destructor, so that it also works while the
//! thread ends. A thread that holds no other lock takes no lock of the validator either. One that
//! does asks a cache of its own first. Apart from the cost, this keeps the validator from ordering
//! threads that are not ordered without it, which would hide data races from ThreadSanitizer.

use crate::{
    bindings,
    str::CStr, //
};
use core::{
    cell::Cell,
    fmt,
    marker::PhantomPinned,
    panic::Location,
    pin::Pin,
    ptr,
    sync::atomic::{
        AtomicU64,
        Ordering, //
    },
};
use pin_init::{
    pin_data,
    pin_init,
    pinned_drop,
    PinInit, //
};
use std::{
    collections::{
        BTreeMap,
        VecDeque, //
    },
    sync::{
        Mutex,
        MutexGuard,
        OnceLock,
        PoisonError, //
    },
};

pub use crate::static_lock_class;

/// How many locks a thread can hold: `MAX_LOCK_DEPTH`.
const MAX_LOCK_DEPTH: usize = 48;

/// How many orders a thread remembers.
const KNOWN_ORDERS: usize = 64;

/// What lockdep knows locks by: all locks that were made with the same key are one class.
///
/// Stands for `struct lock_class_key`. The class ends when its key is dropped; a key that is made
/// in the same memory later is another class.
#[pin_data(PinnedDrop)]
pub struct LockClassKey {
    /// The class, from its first lock on; it also keeps two keys from having one address.
    class: OnceLock<LockClass>,
    #[pin]
    _pin: PhantomPinned,
}

impl LockClassKey {
    /// Makes a key that is going to be a static: see [`static_lock_class!`].
    ///
    /// # Safety
    ///
    /// The key must be put into a static before it is used, and must not be dropped.
    pub const unsafe fn new_static() -> Self {
        Self {
            class: OnceLock::new(),
            _pin: PhantomPinned,
        }
    }

    /// Makes an initialiser of a key in allocated memory.
    pub fn new_dynamic() -> impl PinInit<Self> {
        pin_init!(Self {
            class: OnceLock::new(),
            _pin: PhantomPinned,
        })
    }

    /// Adds a lock of this name to the class: `register_lock_class()`.
    ///
    /// A class keeps the name of its first lock. A lock of another name is reported.
    #[track_caller]
    pub(crate) fn register(&self, name: &'static CStr) -> LockClass {
        let class = *self.class.get_or_init(|| LockClass::new(name));

        if class.name != name {
            report(format!(
                "looking for class {name:?}, but found a different class {:?} with the same key: \
                 the key is shared by code that names its locks differently",
                class.name
            ));
        }
        class
    }
}

#[pinned_drop]
impl PinnedDrop for LockClassKey {
    /// Ends the class: `lockdep_unregister_key()`.
    fn drop(self: Pin<&mut Self>) {
        if let Some(class) = self.class.get() {
            graph().remove(class.id);
        }
    }
}

/// Makes a lock class for the place where it stands, and returns its key.
///
/// In generic code it is one class for all instances, which must then have one name.
///
/// # Examples
///
/// ```
/// use devres_lazy::{prelude::*, static_lock_class, sync::Mutex};
///
/// let lock = KBox::pin_init(Mutex::new(0, c"counter", static_lock_class!()), GFP_KERNEL)?;
/// assert_eq!(*lock.lock(), 0);
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! static_lock_class {
    () => {{
        static CLASS: $crate::sync::LockClassKey =
            // SAFETY: The key is put into a static, which is never dropped.
            unsafe { $crate::sync::LockClassKey::new_static() };
        ::core::pin::Pin::static_ref(&CLASS)
    }};
}

/// A lock class. Stands for `struct lock_class`.
#[derive(Clone, Copy)]
pub(crate) struct LockClass {
    /// A number that no other class has or had. It is not zero.
    id: u64,
    name: &'static CStr,
}

impl LockClass {
    fn new(name: &'static CStr) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);

        Self {
            id: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            name,
        }
    }

    /// Returns the name of the locks of this class.
    pub(crate) fn name(self) -> &'static CStr {
        self.name
    }
}

/// A lock, as the validator sees it. Stands for `struct lockdep_map`.
#[derive(Clone, Copy)]
pub(crate) struct LockdepMap {
    class: LockClass,
    /// The address of the lock: tells it from the others of its class.
    address: usize,
}

impl LockdepMap {
    /// Returns the map of `lock`, which is of the class `class`.
    #[inline]
    pub(crate) fn new<T: ?Sized>(class: LockClass, lock: &T) -> Self {
        Self {
            class,
            address: ptr::from_ref(lock).cast::<()>().addr(),
        }
    }

    /// Checks whether the thread may sleep for the lock, and keeps the orders that follow.
    ///
    /// If the thread holds the lock itself, this is the check for the time after it lets go of it.
    ///
    /// # Panics
    ///
    /// As [`report()`] does:
    ///
    /// - if the thread holds another lock of the class;
    /// - if it holds a lock that, directly or over other classes, was taken while a lock of this
    ///   class was held.
    #[inline]
    #[track_caller]
    pub(crate) fn check(self) {
        if THREAD.with(|thread| thread.depth.get()) != 0 {
            self.check_against_held();
        }
    }

    /// The part of [`check()`](Self::check) for a thread that holds locks.
    #[track_caller]
    fn check_against_held(self) {
        let taken = Taken {
            lock: self,
            place: Location::caller(),
        };
        let others = || held().filter(|other| !other.lock.is(self));

        if let Some(other) = others().find(|other| other.lock.class.id == self.class.id) {
            report(format!(
                "possible recursive locking detected: this thread takes {taken}, and holds \
                 another lock of the same class, {other}"
            ));
            return;
        }

        let orders = || {
            others()
                .map(|held| Order { held, taken })
                .filter(|order| !order.is_known())
        };
        if orders().next().is_none() {
            return;
        }

        // No report while the graph is locked: it runs the panic hook.
        match graph().add(orders) {
            Ok(()) => orders().for_each(Order::remember),
            Err(text) => report(text),
        }
    }

    /// Notes that the thread takes the lock, for which it does not sleep: a lock that was there to
    /// be taken gives no order.
    ///
    /// # Panics
    ///
    /// As [`report()`] does, if the thread holds too many locks.
    #[inline]
    #[track_caller]
    pub(crate) fn hold(self) {
        let taken = Taken {
            lock: self,
            place: Location::caller(),
        };

        if !THREAD.with(|thread| thread.push(taken)) {
            report(format!(
                "MAX_LOCK_DEPTH too low: this thread takes {taken}, and holds {MAX_LOCK_DEPTH} \
                 locks"
            ));
        }
    }

    /// Checks the lock, and notes that the thread takes it: `lock_acquire()`.
    ///
    /// Belongs before the thread sleeps for the lock.
    ///
    /// # Panics
    ///
    /// As [`check()`](Self::check) and [`hold()`](Self::hold). The lock is not held then.
    #[inline]
    #[track_caller]
    pub(crate) fn acquire(self) {
        self.check();
        self.hold();
    }

    /// Notes that the thread unlocks the lock: `lock_release()`.
    ///
    /// Locks need not be released in the reverse order.
    #[inline]
    pub(crate) fn release(self) {
        THREAD.with(|thread| thread.remove(self));
    }

    /// Returns whether both are the same lock.
    #[inline]
    fn is(self, other: Self) -> bool {
        self.class.id == other.class.id && self.address == other.address
    }
}

/// A lock, and the place where a thread takes it.
#[derive(Clone, Copy)]
struct Taken {
    lock: LockdepMap,
    place: &'static Location<'static>,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.lock.class.name.to_string_lossy();
        write!(f, "`{name}` at {}", self.place)
    }
}

/// A lock was taken while another one was held.
#[derive(Clone, Copy)]
struct Order {
    held: Taken,
    taken: Taken,
}

impl Order {
    /// The classes of the two locks: orders with the same key are the same order.
    fn key(&self) -> (u64, u64) {
        (self.held.lock.class.id, self.taken.lock.class.id)
    }

    /// Returns whether this thread knows that the graph has the order.
    fn is_known(&self) -> bool {
        THREAD.with(|thread| thread.known(self.key()).get() == self.key())
    }

    /// Has this thread know that the graph has the order.
    fn remember(self) {
        THREAD.with(|thread| thread.known(self.key()).set(self.key()));
    }
}

/// What a thread holds and knows.
///
/// # Invariants
///
/// - The first `depth` entries of `locks` are what the thread holds, oldest first.
/// - The graph has the orders in `known`, unless a class of theirs has ended. Zeroes are no order.
struct Thread {
    depth: Cell<usize>,
    locks: [Cell<Option<Taken>>; MAX_LOCK_DEPTH],
    known: [Cell<(u64, u64)>; KNOWN_ORDERS],
    /// How often the thread has locked the graph.
    #[cfg(test)]
    asked: Cell<usize>,
}

thread_local! {
    static THREAD: Thread = const {
        // INVARIANT: The thread holds and knows nothing.
        Thread {
            depth: Cell::new(0),
            locks: [const { Cell::new(None) }; MAX_LOCK_DEPTH],
            known: [const { Cell::new((0, 0)) }; KNOWN_ORDERS],
            #[cfg(test)]
            asked: Cell::new(0),
        }
    };
}

impl Thread {
    /// Adds a lock, and returns whether there was room for it.
    #[inline]
    fn push(&self, taken: Taken) -> bool {
        let depth = self.depth.get();
        let Some(entry) = self.locks.get(depth) else {
            return false;
        };

        // INVARIANT: The newest lock comes last.
        entry.set(Some(taken));
        self.depth.set(depth + 1);
        true
    }

    /// Removes a lock, if it is there.
    #[inline]
    fn remove(&self, lock: LockdepMap) {
        let depth = self.depth.get();
        let held = &self.locks[..depth];
        let is_it = |entry: &Cell<Option<Taken>>| entry.get().is_some_and(|it| it.lock.is(lock));

        // One for which there was no room is not there.
        let Some(at) = held.iter().rposition(is_it) else {
            return;
        };

        // INVARIANT: The later ones move up, and keep their order.
        for pair in held[at..].windows(2) {
            pair[0].set(pair[1].get());
        }
        self.depth.set(depth - 1);
    }

    /// Returns where an order with this key is kept.
    fn known(&self, key: (u64, u64)) -> &Cell<(u64, u64)> {
        let hash = key.0.wrapping_mul(31).wrapping_add(key.1) % KNOWN_ORDERS as u64;
        &self.known[hash as usize]
    }
}

/// Returns what the current thread holds, oldest first.
fn held() -> impl Iterator<Item = Taken> {
    let depth = THREAD.with(|thread| thread.depth.get());
    (0..depth).filter_map(|at| THREAD.with(|thread| thread.locks[at].get()))
}

/// All orders that threads have taken locks in, by their keys.
///
/// # Invariants
///
/// No class comes before itself, directly or over others.
struct Graph(BTreeMap<(u64, u64), Order>);

/// Locks the graph.
fn graph() -> MutexGuard<'static, Graph> {
    // INVARIANT: There are no orders.
    static GRAPH: Mutex<Graph> = Mutex::new(Graph(BTreeMap::new()));

    #[cfg(test)]
    THREAD.with(|thread| thread.asked.set(thread.asked.get() + 1));

    GRAPH.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Graph {
    /// Adds orders to one class, of which no two are the same.
    ///
    /// # Errors
    ///
    /// If one of them closes a cycle: the text of the report. None of them is added.
    fn add<I: Iterator<Item = Order>>(&mut self, orders: impl Fn() -> I) -> Result<(), String> {
        for order in orders() {
            let (held, taken) = order.key();
            if let Some(path) = self.path(taken, held) {
                return Err(order.cycle(&path));
            }
        }

        // INVARIANT: A cycle would go through the class only once, so one order would close it
        // alone.
        for order in orders() {
            self.0.entry(order.key()).or_insert(order);
        }
        Ok(())
    }

    /// Returns the shortest chain of orders from one class to another one.
    fn path(&self, from: u64, to: u64) -> Option<Vec<Order>> {
        // How each class was reached.
        let mut reached: BTreeMap<u64, Order> = BTreeMap::new();
        let mut queue = VecDeque::from([from]);

        while let Some(class) = queue.pop_front() {
            for (&(_, next), order) in self.0.range((class, 0)..=(class, u64::MAX)) {
                reached.entry(next).or_insert_with(|| {
                    queue.push_back(next);
                    *order
                });
            }
            if reached.contains_key(&to) {
                break;
            }
        }

        let mut path = Vec::new();
        let mut class = to;
        while class != from {
            let order = reached.get(&class)?;
            path.push(*order);
            class = order.key().0;
        }
        path.reverse();
        Some(path)
    }

    /// Removes a class.
    fn remove(&mut self, class: u64) {
        self.0
            .retain(|&(held, taken), _| held != class && taken != class);
    }
}

impl Order {
    /// Returns the report of this order, which `path` is the way back of.
    fn cycle(&self, path: &[Order]) -> String {
        let mut text = format!(
            "possible circular locking dependency detected: this thread takes {}, and holds {}. \
             The order so far:",
            self.taken, self.held
        );
        for order in path {
            text.push_str(&format!(
                "\n    {} was held, then {} was taken",
                order.held, order.taken
            ));
        }
        text
    }
}

/// Reports what lockdep found. All reports of this file come here.
///
/// # Panics
///
/// Unless the thread is panicking already, or warnings are collected: see [`bindings::warn()`].
#[cold]
#[track_caller]
fn report(text: String) {
    bindings::warn(text);
}
