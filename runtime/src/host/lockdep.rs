// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The lock validator: locks that are taken in an order that can deadlock.
//!
//! Stands for `kernel/locking/lockdep.c`, as far as mutexes and spinlocks need it. C header:
//! `include/linux/lockdep.h`. `PROVE_LOCKING` is always on here. [`LockClassKey`] and
//! [`static_lock_class!`] are those of `rust/kernel/sync.rs`.
//!
//! The validator keeps three things:
//!
//! - the *class* of each lock, which is that of its [`LockClassKey`];
//! - the locks that each thread holds, with the place where it took each one;
//! - the orders between classes: one was held while the other one was taken. Each order has the
//!   two places of its first time.
//!
//! Each lock is checked before the thread sleeps for it. A report needs neither a deadlock nor a
//! second thread: it is enough that both orders occurred at any time.
//!
//! # Differences from the kernel
//!
//! The kernel reports once, and switches lockdep off. Here lockdep stays on, since one process runs
//! many tests. An order that was reported is not kept, so the order that was there first stays the
//! right one.
//!
//! # Threads
//!
//! The locks of a thread are a thread-local without a destructor, so the validator also works while
//! the thread ends. A thread that holds no other lock takes no lock of the validator. A thread that
//! holds others asks its own cache of orders first. This is cheap, and it does not synchronise
//! threads: an order that only the validator makes would hide data races from ThreadSanitizer.

use crate::{bindings, str::CStr, types::Opaque};
use core::{
    cell::Cell,
    fmt,
    panic::Location,
    pin::Pin,
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};
use pin_init::{pin_data, pin_init, pinned_drop, PinInit};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, OnceLock, PoisonError},
};

pub use crate::static_lock_class;

/// How many locks a thread can hold: `MAX_LOCK_DEPTH`.
const MAX_LOCK_DEPTH: usize = 48;

/// How many orders a thread remembers.
const KNOWN_ORDERS: usize = 64;

/// `struct lock_class_key`: the memory whose address is the identity of a class.
///
/// Zeroes are not a value of it, other than in C.
#[allow(non_camel_case_types, reason = "the name is the C one")]
pub struct lock_class_key {
    /// The class, from its first lock on; it also keeps two keys from having one address.
    class: OnceLock<LockClass>,
}

impl lock_class_key {
    const fn new() -> Self {
        Self {
            class: OnceLock::new(),
        }
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

/// The identity of a lock class: all locks that were made with one key are one class.
///
/// The class ends when its key is dropped; a key that is made in the same memory later is another
/// class.
///
/// # Invariants
///
/// The key is initialised, and is changed by its own lock only.
#[pin_data(PinnedDrop)]
#[repr(transparent)]
pub struct LockClassKey {
    #[pin]
    inner: Opaque<lock_class_key>,
}

// SAFETY: A key may be used and dropped on any thread.
unsafe impl Send for LockClassKey {}

// SAFETY: A key is changed by its own lock only.
unsafe impl Sync for LockClassKey {}

impl LockClassKey {
    /// Makes a key that is going to be a static: see [`static_lock_class!`].
    ///
    /// # Safety
    ///
    /// The key must be put into a static before it is used, and must not be dropped.
    pub const unsafe fn new_static() -> Self {
        // INVARIANT: It is initialised.
        Self {
            inner: Opaque::new(lock_class_key::new()),
        }
    }

    /// Makes an initialiser of a key in allocated memory: `lockdep_register_key()`.
    pub fn new_dynamic() -> impl PinInit<Self> {
        // INVARIANT: It is initialised.
        pin_init!(Self {
            inner <- Opaque::ffi_init(|slot: *mut lock_class_key| {
                // SAFETY: The slot is valid for writes.
                unsafe { slot.write(lock_class_key::new()) };
            }),
        })
    }

    /// Returns the key as C code takes it.
    pub fn as_ptr(&self) -> *mut lock_class_key {
        self.inner.get()
    }

    /// As [`lock_class_key::register()`].
    #[track_caller]
    pub(crate) fn register(&self, name: &'static CStr) -> LockClass {
        // SAFETY: By the type invariant.
        unsafe { &*self.as_ptr() }.register(name)
    }
}

#[pinned_drop]
impl PinnedDrop for LockClassKey {
    /// Ends the class: `lockdep_unregister_key()`.
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant; it is not used any more after this.
        let key = unsafe { self.as_ptr().read() };

        if let Some(class) = key.class.get() {
            with_graph(|graph| graph.remove(class.id));
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
/// use kernel::{prelude::*, static_lock_class, sync::Mutex};
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
#[derive(Clone, Copy, Debug, PartialEq)]
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
}

/// The validator's part of a lock, which is a field of it.
///
/// A thread that frees a lock must not hold it: `debug_check_no_locks_freed()`.
pub(crate) struct DepMap(LockClass);

impl DepMap {
    /// Makes the part of a lock of the class `class`.
    pub(crate) fn new(class: LockClass) -> Self {
        Self(class)
    }

    /// Returns the name of the lock.
    pub(crate) fn name(&self) -> &'static CStr {
        self.0.name
    }

    /// Returns the lock, which stays where it is while a thread holds it. `spins` says that it is a
    /// spinlock.
    #[inline]
    pub(crate) fn map(&self, spins: bool) -> LockdepMap {
        LockdepMap {
            spins,
            ..LockdepMap::new(self.0, self)
        }
    }
}

impl Drop for DepMap {
    fn drop(&mut self) {
        // Whether it spins does not tell one lock from another.
        let lock = self.map(false);

        if let Some(taken) = held().find(|taken| taken.lock.is(lock)) {
            lock.release();
            report(format!(
                "held lock freed: this thread frees a lock that it holds, {taken}"
            ));
        }
    }
}

/// A lock, as the validator sees it. Stands for `struct lockdep_map`.
#[derive(Clone, Copy)]
pub(crate) struct LockdepMap {
    class: LockClass,
    /// The address of the lock: tells it from the others of its class.
    address: usize,
    /// Whether it is a spinlock.
    spins: bool,
}

impl LockdepMap {
    /// Returns the map of `lock`, which is of the class `class` and may sleep.
    #[inline]
    pub(crate) fn new<T: ?Sized>(class: LockClass, lock: &T) -> Self {
        Self {
            class,
            address: ptr::from_ref(lock).cast::<()>().addr(),
            spins: false,
        }
    }

    /// Checks whether the thread may sleep for the lock, and keeps the orders that follow.
    ///
    /// The thread may hold the lock itself: a wait for a condition releases it before it takes it
    /// again.
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

        // The graph is unlocked again before the report, which runs the panic hook.
        match with_graph(|graph| graph.add(orders)) {
            Ok(()) => orders().for_each(Order::remember),
            Err(text) => report(text),
        }
    }

    /// Adds the lock to those that the thread holds.
    ///
    /// Alone, this is for a lock that the thread took without sleeping, which gives no order.
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

    /// Checks the lock, and adds it to those that the thread holds: `lock_acquire()`.
    ///
    /// Call it before the thread sleeps for the lock.
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

    /// Removes the lock from those that the thread holds: `lock_release()`.
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

/// The state of one thread.
///
/// # Invariants
///
/// - The first `depth` entries of `locks` are the locks that the thread holds, oldest first.
/// - The graph has the orders in `known`, unless one of their classes has ended. Zeroes are no
///   order.
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
        // INVARIANT: The thread holds no lock and knows no order.
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

        // A lock that exceeded `MAX_LOCK_DEPTH` was not added.
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

/// Returns the locks that the current thread holds, oldest first.
fn held() -> impl Iterator<Item = Taken> {
    let depth = THREAD.with(|thread| thread.depth.get());
    (0..depth).filter_map(|at| THREAD.with(|thread| thread.locks[at].get()))
}

/// Returns the class of the lock that the current thread has taken last, if it holds one.
#[cfg(feature = "attribute")]
pub(crate) fn last_class() -> Option<LockClass> {
    held().last().map(|taken| taken.lock.class)
}

/// Returns the text for a report about a spinlock that the current thread holds, the newest one.
pub(crate) fn held_spinlock() -> String {
    match held().filter(|taken| taken.lock.spins).last() {
        Some(taken) => format!("the spinlock {taken}"),
        None => "a spinlock".into(),
    }
}

/// All orders that threads have taken locks in, by their keys.
///
/// # Invariants
///
/// No class comes before itself, directly or over others.
struct Graph(BTreeMap<(u64, u64), Order>);

/// Calls `f` with the graph, which is locked meanwhile.
fn with_graph<R>(f: impl FnOnce(&mut Graph) -> R) -> R {
    // INVARIANT: There are no orders.
    static GRAPH: Mutex<Graph> = Mutex::new(Graph(BTreeMap::new()));

    #[cfg(test)]
    THREAD.with(|thread| thread.asked.set(thread.asked.get() + 1));

    f(&mut GRAPH.lock().unwrap_or_else(PoisonError::into_inner))
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
    /// Returns the report of this order, where `path` leads from the class taken to the one held.
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

/// Reports a finding. All reports of this file go through this function.
///
/// # Panics
///
/// Unless the thread is panicking already, or warnings are collected: see [`bindings::warn()`].
#[cold]
#[track_caller]
fn report(text: String) {
    bindings::warn(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bindings::collect_warnings,
        prelude::*,
        sync::{new_condvar, new_mutex, CondVar, Mutex, MutexGuard},
    };
    use core::mem::MaybeUninit;
    use std::{
        panic::{catch_unwind, AssertUnwindSafe},
        thread,
    };

    type Lock = Pin<KBox<Mutex<()>>>;

    /// Makes a lock with a class of its own.
    macro_rules! lock {
        ($name:literal) => {
            KBox::pin_init(new_mutex!((), $name), GFP_KERNEL).unwrap()
        };
    }

    fn text(f: impl FnOnce()) -> String {
        let report = catch_unwind(AssertUnwindSafe(f)).expect_err("no report");
        report.downcast_ref::<String>().cloned().expect("no text")
    }

    /// Locks, and returns the place as reports have it.
    #[track_caller]
    fn take(lock: &Lock) -> (MutexGuard<'_, ()>, String) {
        (lock.lock(), Location::caller().to_string())
    }

    /// Takes the second one while the first one is held.
    #[track_caller]
    fn nest(first: &Lock, second: &Lock) {
        let _first = first.lock();
        drop(second.lock());
    }

    #[track_caller]
    fn expect_cycle(first: &Lock, second: &Lock) -> String {
        let text = text(|| nest(first, second));
        assert!(
            text.starts_with("WARNING: possible circular locking dependency detected"),
            "{text}"
        );
        text
    }

    fn depth() -> usize {
        THREAD.with(|thread| thread.depth.get())
    }

    fn asked() -> usize {
        THREAD.with(|thread| thread.asked.get())
    }

    #[test]
    fn one_class_has_one_name() {
        fn with_name(name: &'static CStr) {
            let lock = KBox::pin_init(Mutex::new((), name, static_lock_class!()), GFP_KERNEL);
            drop(lock.unwrap().lock());
        }

        with_name(c"first");
        with_name(c"first");
        let text = text(|| with_name(c"second"));
        assert!(
            text.contains("\"second\"") && text.contains("\"first\""),
            "{text}"
        );
    }

    #[test]
    fn two_locks_of_one_class_do_not_nest() {
        let [one, two] = [(), ()].map(|()| lock!("child"));

        let (guard, place) = take(&one);
        let mut second = String::new();
        let report = text(|| {
            second = format!("{}:{}:", file!(), line!() + 1);
            drop(two.lock());
        });
        assert!(
            report.starts_with("WARNING: possible recursive locking detected"),
            "{report}"
        );
        assert!(
            report.contains(&format!("takes `child` at {second}")),
            "{report}"
        );
        assert!(report.contains(&format!("`child` at {place}")), "{report}");

        // The report has left nothing behind.
        assert_eq!(depth(), 1);
        drop(guard);
        assert_eq!(depth(), 0);
        drop(two.lock());
        drop(one.lock());
    }

    #[test]
    fn both_orders_are_a_cycle() {
        let (a, b) = (lock!("a"), lock!("b"));

        let (first_a, place_a) = take(&a);
        let (first_b, place_b) = take(&b);
        drop((first_a, first_b));
        // The first time counts, also against a thread that does not know it.
        thread::scope(|scope| scope.spawn(|| nest(&a, &b)).join()).unwrap();

        let (second_b, second_place_b) = take(&b);
        let report = text(|| drop(a.lock()));
        for part in [
            "takes `a` at ",
            &format!("holds `b` at {second_place_b}."),
            &format!("`a` at {place_a} was held, then `b` at {place_b} was taken"),
        ] {
            assert!(report.contains(part), "{part}: {report}");
        }
        assert_eq!(report.matches(file!()).count(), 4, "{report}");
        drop(second_b);

        // Both are usable, the first order is right, and the other one is still wrong.
        nest(&a, &b);
        expect_cycle(&b, &a);
        nest(&a, &b);
        assert_eq!(depth(), 0);
    }

    #[test]
    fn the_other_order_on_another_thread() {
        let (a, b) = (lock!("a"), lock!("b"));

        nest(&a, &b);
        thread::scope(|scope| scope.spawn(|| expect_cycle(&b, &a)).join()).unwrap();
    }

    #[test]
    fn a_cycle_of_many() {
        let (a, b, c, d) = (lock!("a"), lock!("b"), lock!("c"), lock!("d"));

        for (first, second) in [(&a, &b), (&b, &c), (&c, &d)] {
            thread::scope(|scope| scope.spawn(|| nest(first, second)).join()).unwrap();
        }
        nest(&a, &d);

        let report = expect_cycle(&c, &a);
        for name in ["`a`", "`b`", "`c`"] {
            assert!(report.contains(name), "{name}: {report}");
        }
        // The direct order is enough.
        let report = expect_cycle(&d, &a);
        assert!(!report.contains("`b`"), "{report}");

        nest(&a, &c);
    }

    #[test]
    fn the_shortest_cycle_is_reported() {
        let (a, short, long, longer) = (lock!("a"), lock!("short"), lock!("long"), lock!("longer"));
        let b = lock!("b");

        nest(&a, &long);
        nest(&long, &longer);
        nest(&longer, &b);
        nest(&a, &short);
        nest(&short, &b);

        let report = expect_cycle(&b, &a);
        assert!(report.contains("`short`"), "{report}");
        assert!(!report.contains("`long"), "{report}");
    }

    #[test]
    fn a_refused_lock_leaves_no_order() {
        let (a, b, other) = (lock!("a"), lock!("b"), lock!("other"));
        nest(&a, &b);

        {
            let _other = other.lock();
            expect_cycle(&b, &a);
        }
        // `other` was held before `b`, but `a` was never taken.
        nest(&a, &other);
    }

    #[test]
    fn try_lock_does_not_wait() {
        let (a, b, c) = (lock!("a"), lock!("b"), lock!("c"));
        let [one, two] = [(), ()].map(|()| lock!("child"));

        // Against the order, and nested: no thread sleeps for these.
        nest(&a, &b);
        let guard = b.lock();
        drop(a.try_lock().unwrap());
        drop(guard);
        let guard = one.lock();
        drop(two.try_lock().unwrap());
        drop(guard);

        // The order is that of the one that slept.
        expect_cycle(&b, &a);
        nest(&a, &b);

        // But others may sleep for what was taken so.
        let guard = c.try_lock().unwrap();
        drop(a.lock());
        let report = text(|| drop(c.lock()));
        assert!(report.contains("deadlock: `c`"), "{report}");
        drop(guard);
        expect_cycle(&a, &c);
    }

    #[test]
    fn unlocked_in_any_order() {
        let (a, b, c) = (lock!("a"), lock!("b"), lock!("c"));

        let first = a.lock();
        let second = b.try_lock().unwrap();
        drop(first);
        assert_eq!(depth(), 1);
        // `a` is not held.
        drop(c.lock());
        assert_eq!(depth(), 1);
        drop(second);
        assert_eq!(depth(), 0);

        nest(&c, &a);
        expect_cycle(&c, &b);
    }

    #[test]
    fn waiting_lets_go_of_the_mutex() {
        let (mutex, other): (Lock, Lock) = (lock!("mutex"), lock!("other"));
        let changed: Pin<KBox<CondVar>> = KBox::pin_init(new_condvar!(), GFP_KERNEL).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);

        thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    changed.notify_all();
                    thread::yield_now();
                }
            });
            let finish = crate::types::ScopeGuard::new(|| stop.store(true, Ordering::Relaxed));

            // With another mutex that is always taken first.
            {
                let _other = other.lock();
                let mut guard = mutex.lock();
                changed.wait(&mut guard);
                assert_eq!(depth(), 2);
            }
            assert_eq!(depth(), 0);

            // It is held again, and since the line that waits.
            {
                let mut guard = mutex.lock();
                let place = format!("`mutex` at {}:{}:", file!(), line!() + 1);
                changed.wait(&mut guard);
                let report = text(|| drop(other.lock()));
                assert!(report.contains(&place), "{report}");
                assert_eq!(depth(), 1);
            }
            assert_eq!(depth(), 0);
            drop(finish);
        });
    }

    #[test]
    fn waiting_takes_the_mutex_again() {
        let (mutex, inner): (Lock, Lock) = (lock!("mutex"), lock!("inner"));
        let changed: Pin<KBox<CondVar>> = KBox::pin_init(new_condvar!(), GFP_KERNEL).unwrap();

        let mut guard = mutex.lock();
        let inner = inner.lock();
        let report = text(|| changed.wait(&mut guard));
        assert!(report.contains("takes `mutex`"), "{report}");
        assert!(report.contains("holds `inner`"), "{report}");

        assert!(mutex.try_lock().is_none(), "it has let go of the mutex");
        assert_eq!(depth(), 2);
        drop((guard, inner));
        assert!(mutex.try_lock().is_some());
        assert_eq!(depth(), 0);
    }

    #[test]
    fn collected_reports_do_not_keep_from_locking() {
        let (a, b) = (lock!("a"), lock!("b"));
        let [one, two] = [(), ()].map(|()| lock!("child"));
        nest(&a, &b);

        let ((), reports) = collect_warnings(|| {
            let guards = (one.lock(), two.lock(), b.lock(), a.lock());
            assert_eq!(depth(), 4);
            assert!(two.try_lock().is_none());
            assert!(a.try_lock().is_none());
            drop(guards);
        });
        assert_eq!(reports.len(), 2, "{reports:?}");
        assert_eq!(depth(), 0);
        nest(&a, &b);
    }

    #[test]
    fn no_second_panic_while_panicking() {
        struct LockOnDrop<'a>(&'a Lock, &'a Lock);

        impl Drop for LockOnDrop<'_> {
            fn drop(&mut self) {
                let guards = (self.0.lock(), self.1.lock());
                assert_eq!(depth(), 2);
                drop(guards);
            }
        }

        let (a, b) = (lock!("a"), lock!("b"));
        nest(&a, &b);
        let report = text(|| {
            let _locks = LockOnDrop(&b, &a);
            panic!("{}", "first");
        });
        assert_eq!(report, "first");
        assert_eq!(depth(), 0);
    }

    #[test]
    fn a_class_ends_with_its_key() {
        fn with(key: &LockClassKey, name: &'static CStr, f: impl FnOnce(&Lock)) {
            let key = ptr::from_ref(key);
            // SAFETY: No lock of the class is left when this function returns.
            let key: &'static LockClassKey = unsafe { &*key };
            f(&KBox::pin_init(Mutex::new((), name, Pin::static_ref(key)), GFP_KERNEL).unwrap());
        }

        let other = lock!("other");
        let mut memory = MaybeUninit::<LockClassKey>::uninit();

        // SAFETY: The memory is good for a key, and stays where it is.
        unsafe { LockClassKey::new_dynamic().__pinned_init(memory.as_mut_ptr()) }.unwrap();
        // SAFETY: It is initialised.
        let key = unsafe { memory.assume_init_ref() };
        with(key, c"first", |first| {
            nest(first, &other);
            expect_cycle(&other, first);
        });
        // SAFETY: The key is initialised.
        let class = unsafe { &*key.as_ptr() }.class.get().unwrap().id;
        let has_orders =
            || with_graph(|graph| graph.0.keys().any(|&(a, b)| a == class || b == class));
        assert!(has_orders());
        // SAFETY: It is initialised, and not used again.
        unsafe { memory.assume_init_drop() };
        assert!(!has_orders());

        // SAFETY: The memory is good for a key, and stays where it is.
        unsafe { LockClassKey::new_dynamic().__pinned_init(memory.as_mut_ptr()) }.unwrap();
        // SAFETY: It is initialised.
        let key = unsafe { memory.assume_init_ref() };
        with(key, c"second", |second| {
            nest(&other, second);
            expect_cycle(second, &other);
        });
        // SAFETY: It is initialised, and not used again.
        unsafe { memory.assume_init_drop() };
    }

    #[test]
    fn many_threads_in_one_order() {
        let locks = [lock!("a"), lock!("b"), lock!("c"), lock!("d")];

        thread::scope(|scope| {
            for first in 0..8 {
                let locks = &locks;
                scope.spawn(move || {
                    for round in 0..500 {
                        // Some of them, and always in the same order.
                        let chosen = (first + round) % 16;
                        let guards: Vec<_> = locks
                            .iter()
                            .enumerate()
                            .filter(|(bit, _)| chosen & (1 << bit) != 0)
                            .map(|(_, lock)| lock.lock())
                            .collect();
                        assert_eq!(depth(), guards.len());
                    }
                    assert_eq!(depth(), 0);
                });
            }
        });
        expect_cycle(&locks[3], &locks[0]);
    }

    #[test]
    fn the_graph_is_asked_once_for_each_order() {
        let (a, b) = (lock!("a"), lock!("b"));
        let before = asked();

        for _ in 0..3 {
            drop(a.lock());
            drop(b.lock());
        }
        assert_eq!(asked(), before, "asked with no lock held");
        for _ in 0..3 {
            nest(&a, &b);
        }
        assert_eq!(asked(), before + 1);
    }

    #[test]
    fn too_many_locks() {
        let locks: Vec<Lock> = (0..=MAX_LOCK_DEPTH).map(|_| lock!("child")).collect();

        let mut guards: Vec<_> = locks[1..]
            .iter()
            .map(|lock| lock.try_lock().unwrap())
            .collect();
        let report = text(|| drop(locks[0].try_lock()));
        assert!(report.contains("MAX_LOCK_DEPTH too low"), "{report}");
        assert_eq!(depth(), MAX_LOCK_DEPTH);

        let (extra, reports) = collect_warnings(|| locks[0].try_lock().unwrap());
        assert_eq!(reports.len(), 1);
        guards.truncate(1);
        drop(extra);
        assert_eq!(depth(), 1);
        drop(guards);
        assert_eq!(depth(), 0);
        drop(locks[0].lock());
    }

    #[test]
    fn a_lock_is_not_freed_while_it_is_held() {
        let lock: Lock = lock!("forgotten");
        let place = format!("`forgotten` at {}:{}:", file!(), line!() + 1);
        core::mem::forget(lock.lock());

        let report = text(|| drop(lock));
        assert!(report.starts_with("WARNING: held lock freed"), "{report}");
        assert!(report.contains(&place), "{report}");
        assert_eq!(depth(), 0);
    }

    #[test]
    fn works_while_a_thread_ends() {
        struct LockOnExit(Lock, Lock);

        impl Drop for LockOnExit {
            fn drop(&mut self) {
                nest(&self.0, &self.1);
                expect_cycle(&self.1, &self.0);
                assert_eq!(depth(), 0);
                DONE.store(true, Ordering::Relaxed);
            }
        }

        thread_local! {
            static LOCKS: Cell<Option<LockOnExit>> = const { Cell::new(None) };
        }

        static DONE: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

        thread::spawn(|| {
            LOCKS.set(Some(LockOnExit(lock!("a"), lock!("b"))));
            // Thread-locals end in the reverse order of their first use.
            drop(lock!("last").lock());
        })
        .join()
        .unwrap();
        assert!(DONE.load(Ordering::Relaxed));
    }
}
