// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The mutex.
//!
//! Stands for `rust/kernel/sync/lock/mutex.rs`, and what `rust/kernel/sync/lock.rs` has for it. C
//! header: `include/linux/mutex.h`.
//!
//! A thread that locks what it holds panics. Each lock is also checked by `lockdep`.

use super::lockdep::{
    DepMap,
    LockClassKey, //
};
use crate::{
    fault,
    str::CStr,
    types::NotThreadSafe,
    unwind, //
};
use core::{
    cell::UnsafeCell,
    fmt,
    marker::PhantomPinned,
    ops::{
        Deref,
        DerefMut, //
    },
    pin::Pin,
    sync::atomic::{
        AtomicU64,
        Ordering, //
    },
};
use pin_init::{
    pin_data,
    pin_init,
    PinInit,
    Wrapper, //
};
use std::{
    sync::{
        self,
        PoisonError,
        TryLockError, //
    },
    time::Duration,
};

pub use crate::new_mutex;

/// Makes an initialiser of a [`Mutex`], with a lock class of its own.
///
/// The name is `file:line` unless it is given.
///
/// # Examples
///
/// ```
/// use devres_lazy::{new_mutex, prelude::*};
///
/// let jobs = KBox::pin_init(new_mutex!(Vec::<u32>::new(), "jobs"), GFP_KERNEL)?;
/// jobs.lock().push(1);
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! new_mutex {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::sync::Mutex::new(
            $inner,
            {
                static NAME: &$crate::str::CStr = $crate::optional_name!($($name)?);
                NAME
            },
            $crate::static_lock_class!(),
        )
    };
}

/// A value that one thread at a time may use; others sleep until it is their turn.
///
/// Stands for `struct mutex`. It has to be pinned. A thread that panics unlocks what it holds, and
/// the value stays usable. A thread that frees a mutex with the lock held, since it has forgotten
/// the guard, panics.
///
/// # Examples
///
/// ```
/// use devres_lazy::{new_mutex, prelude::*, sync::Mutex};
///
/// #[pin_data]
/// struct Queue {
///     #[pin]
///     length: Mutex<u32>,
/// }
///
/// let queue = KBox::pin_init(
///     pin_init!(Queue {
///         length <- new_mutex!(3, "Queue::length"),
///     }),
///     GFP_KERNEL,
/// )?;
/// *queue.length.lock() += 1;
/// assert_eq!(*queue.length.lock(), 4);
/// # Ok::<(), Error>(())
/// ```
///
/// The guard belongs to its thread:
///
/// ```compile_fail,E0277
/// # use devres_lazy::{new_mutex, prelude::*};
/// let lock = KBox::pin_init(new_mutex!(3), GFP_KERNEL).unwrap();
/// let guard = lock.lock();
/// std::thread::scope(|s| {
///     s.spawn(|| drop(guard));
/// });
/// ```
#[pin_data]
pub struct Mutex<T: ?Sized> {
    dep_map: DepMap,
    lock: sync::Mutex<()>,
    /// The number of the thread that holds the lock, or zero.
    owner: AtomicU64,
    #[pin]
    _pin: PhantomPinned,
    #[pin]
    data: UnsafeCell<T>,
}

// SAFETY: The mutex owns its `T`, and nothing else that belongs to a thread.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}

// SAFETY: One thread at a time has access to the `T`, from any thread: so `T` has to be `Send`.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// Makes an initialiser of a mutex of the class `key`, unlocked. Stands for `mutex_init()`.
    ///
    /// See [`new_mutex!`](crate::new_mutex), which makes the class and the name.
    ///
    /// # Panics
    ///
    /// The initialiser does, if `key` was used with another name before.
    pub fn new(
        t: impl PinInit<T>,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            dep_map: DepMap::new(key.register(name)),
            lock: sync::Mutex::new(()),
            owner: AtomicU64::new(0),
            _pin: PhantomPinned,
            data <- <UnsafeCell<T> as Wrapper<T>>::pin_init(t),
        })
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Locks the mutex, and sleeps until it can. Stands for `mutex_lock()`.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Panics
    ///
    /// - If the thread holds the mutex already, or the RCU read lock.
    /// - If it holds another mutex of the same class.
    /// - If it holds a lock that was taken before while a mutex of this class was held, also if that
    ///   follows from orders over other classes. The message names all classes of the cycle, and for
    ///   each order the two places where its locks were taken.
    ///
    /// The last two need neither a deadlock nor a second thread: the order is enough, as for
    /// lockdep. The mutex is not locked then, and the thread can go on. While the thread is
    /// panicking already, the message goes to stderr instead, and the mutex is locked.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        fault::might_sleep("mutex_lock");

        let task = fault::current_task().get();
        // Another thread's number may come and go, but that of this thread is stored and removed
        // by this thread only.
        if self.owner.load(Ordering::Relaxed) == task {
            self.recursion();
        }

        self.dep_map.map().acquire();
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        MutexGuard::new(self, lock, task)
    }

    /// The report of [`lock()`](Self::lock).
    #[cold]
    #[track_caller]
    fn recursion(&self) -> ! {
        unwind::fatal(&format!(
            "deadlock: `{}` is already held by this thread",
            self.dep_map.name().to_string_lossy()
        ));
    }

    /// Locks the mutex if nobody holds it. Stands for `mutex_trylock()`.
    ///
    /// Since it does not wait, the thread may hold any other locks.
    ///
    /// # Context
    ///
    /// Does not sleep.
    #[must_use = "if unused, the lock will be immediately unlocked"]
    #[inline]
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let lock = match self.lock.try_lock() {
            Ok(lock) => lock,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        self.dep_map.map().hold();
        Some(MutexGuard::new(self, lock, fault::current_task().get()))
    }
}

impl<T: ?Sized> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex")
            .field("name", &self.dep_map.name())
            .field("locked", &(self.owner.load(Ordering::Relaxed) != 0))
            .finish_non_exhaustive()
    }
}

/// Access to what a [`Mutex`] protects; unlocks it when it is dropped.
///
/// # Invariants
///
/// The thread that made it holds the mutex as long as it exists.
#[must_use = "the lock unlocks immediately when the guard is unused"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// Unlocks, after [`Drop`] has run. [`None`] only while it waits.
    lock: Option<sync::MutexGuard<'a, ()>>,
    _not_send: NotThreadSafe,
}

// SAFETY: A shared guard gives shared access to the `T` and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    #[inline]
    fn new(mutex: &'a Mutex<T>, lock: sync::MutexGuard<'a, ()>, task: u64) -> Self {
        mutex.owner.store(task, Ordering::Relaxed);
        // INVARIANT: `lock` is that of `mutex`, as all callers have it from there.
        Self {
            mutex,
            lock: Some(lock),
            _not_send: NotThreadSafe,
        }
    }

    /// Returns the mutex.
    #[inline]
    pub fn lock_ref(&self) -> &'a Mutex<T> {
        self.mutex
    }

    /// Unlocks the mutex, waits, and locks it again: for [`CondVar`](crate::sync::CondVar).
    ///
    /// Returns whether it waited for all of `limit`.
    ///
    /// # Panics
    ///
    /// As [`Mutex::lock()`], if the thread holds other locks. It has not waited then, and holds the
    /// mutex.
    #[track_caller]
    pub(crate) fn wait_on(&mut self, waiters: &sync::Condvar, limit: Duration) -> bool {
        // Locking it again may be against the order. This is checked first, so that the mutex is
        // still locked if it panics.
        self.mutex.dep_map.map().check();

        let Some(lock) = self.lock.take() else {
            return false;
        };
        self.mutex.dep_map.map().release();

        let task = self.mutex.owner.swap(0, Ordering::Relaxed);
        let (lock, timeout) = waiters
            .wait_timeout(lock, limit)
            .unwrap_or_else(PoisonError::into_inner);
        self.mutex.owner.store(task, Ordering::Relaxed);
        // INVARIANT: The mutex is locked again.
        self.lock = Some(lock);
        self.mutex.dep_map.map().hold();

        timeout.timed_out()
    }

    /// Returns a pinned reference to the value, for types that are not [`Unpin`].
    #[inline]
    pub fn as_mut(&mut self) -> Pin<&mut T> {
        let data = self.mutex.data.get();

        // SAFETY: By the type invariant nobody else has access, and `self` is borrowed mutably.
        let data = unsafe { &mut *data };

        // SAFETY: The mutex is pinned, and does not move its value.
        unsafe { Pin::new_unchecked(data) }
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant nobody else has access, and `self` is borrowed.
        unsafe { &*self.mutex.data.get() }
    }
}

impl<T: ?Sized + Unpin> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.as_mut().get_mut()
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.dep_map.map().release();
        self.mutex.owner.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::rcu;
    use pin_init::stack_pin_init;
    use std::{
        panic::{
            catch_unwind,
            AssertUnwindSafe, //
        },
        thread,
    };

    fn report(f: impl FnOnce()) -> String {
        let report = catch_unwind(AssertUnwindSafe(f)).expect_err("no failure");
        report.downcast_ref::<String>().cloned().expect("no text")
    }

    #[test]
    fn excludes() {
        stack_pin_init!(let count = new_mutex!(0u32));
        let count = &*count;

        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..1000 {
                        let mut count = count.lock();
                        let before = *count;
                        thread::yield_now();
                        *count = before + 1;
                    }
                });
            }
        });
        assert_eq!(*count.lock(), 4000);
    }

    #[test]
    fn recursion_is_loud() {
        stack_pin_init!(let lock = new_mutex!((), "outer"));

        let guard = lock.lock();
        assert!(core::ptr::eq(guard.lock_ref(), &*lock));
        assert!(lock.try_lock().is_none());
        let report = report(|| drop(lock.lock()));
        assert_eq!(report, "deadlock: `outer` is already held by this thread");

        drop(guard);
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn a_panic_unlocks_and_does_not_poison() {
        stack_pin_init!(let lock = new_mutex!(1));

        report(|| {
            let mut value = lock.lock();
            *value = 2;
            panic!("{}", "holder");
        });
        assert_eq!(*lock.lock(), 2);
        assert_eq!(*lock.try_lock().unwrap(), 2);
    }

    #[test]
    fn locking_under_rcu_is_loud() {
        stack_pin_init!(let lock = new_mutex!(()));
        let _guard = rcu::read_lock();

        assert!(report(|| drop(lock.lock())).contains("mutex_lock()"));
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn default_name_and_pinned_value() {
        struct Pinned(u32, PhantomPinned);

        // A constant of the caller does not collide with those of the macro.
        const NAME: u32 = 5;
        stack_pin_init!(let lock = new_mutex!(Pinned(NAME, PhantomPinned)));

        assert!(lock
            .dep_map
            .name()
            .to_str()
            .unwrap()
            .starts_with(concat!(file!(), ":")));
        assert_eq!(lock.lock().as_mut().0, 5);
    }
}
