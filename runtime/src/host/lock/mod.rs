// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Locks, and the guard that gives access to what a lock protects.
//!
//! Stands for `rust/kernel/sync/lock.rs`.

pub mod mutex;
pub mod spinlock;

use crate::{
    bindings,
    str::{CStr, CStrExt as _},
    sync::LockClassKey,
    types::{NotThreadSafe, Opaque, ScopeGuard},
};
use core::{
    cell::UnsafeCell,
    convert::Infallible,
    ffi::c_char,
    fmt,
    marker::PhantomPinned,
    ops::{Deref, DerefMut},
    pin::Pin,
};
use pin_init::{pin_data, pin_init, pin_init_from_closure, PinInit, Wrapper};

/// A kind of lock: [`MutexBackend`](mutex::MutexBackend) or
/// [`SpinLockBackend`](spinlock::SpinLockBackend).
///
/// # Safety
///
/// - From [`lock()`](Self::lock) to [`unlock()`](Self::unlock), no other thread may hold the lock.
/// - [`relock()`](Self::relock) must lock in the same way as [`lock()`](Self::lock).
pub unsafe trait Backend {
    /// The lock of C code.
    type State;

    /// The state that is kept while the lock is held.
    type GuardState;

    /// Initialises the lock.
    ///
    /// # Panics
    ///
    /// If `key` was used with another name before.
    ///
    /// # Safety
    ///
    /// `ptr` must be valid for a write. `name` and `key` must stay valid.
    #[track_caller]
    unsafe fn init(ptr: *mut Self::State, name: *const c_char, key: *mut bindings::lock_class_key);

    /// Locks.
    ///
    /// # Safety
    ///
    /// `ptr` must be initialised.
    #[must_use]
    #[track_caller]
    unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState;

    /// Locks if nobody holds the lock.
    ///
    /// # Safety
    ///
    /// `ptr` must be initialised.
    #[track_caller]
    unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState>;

    /// Unlocks.
    ///
    /// # Safety
    ///
    /// The current thread must hold the lock.
    unsafe fn unlock(ptr: *mut Self::State, guard_state: &Self::GuardState);

    /// Locks again, after the current thread has unlocked in order to wait.
    ///
    /// # Safety
    ///
    /// `ptr` must be initialised. `guard_state` must come from [`lock()`](Self::lock) or
    /// [`try_lock()`](Self::try_lock) of this lock, and the current thread must have unlocked the
    /// lock since.
    #[track_caller]
    unsafe fn relock(ptr: *mut Self::State, guard_state: &mut Self::GuardState) {
        // SAFETY: The caller promises that `ptr` is initialised.
        *guard_state = unsafe { Self::lock(ptr) };
    }

    /// Reports a thread that does not hold the lock.
    ///
    /// # Safety
    ///
    /// `ptr` must be initialised.
    #[track_caller]
    unsafe fn assert_is_held(ptr: *mut Self::State);

    /// Checks that [`relock()`](Self::relock) is not going to panic. On the host only.
    ///
    /// # Safety
    ///
    /// The current thread must hold the lock.
    #[doc(hidden)]
    #[track_caller]
    unsafe fn check_relock(_ptr: *mut Self::State) {}

    /// Ends the lock before its memory is freed. On the host only.
    ///
    /// # Safety
    ///
    /// `ptr` must be initialised, and is not any more after this.
    #[doc(hidden)]
    unsafe fn destroy(_ptr: *mut Self::State) {}
}

/// The lock of C code, which is ended with the [`Lock`].
///
/// # Invariants
///
/// It is initialised.
#[repr(transparent)]
struct State<B: Backend>(Opaque<B::State>);

impl<B: Backend> Drop for State<B> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; it is not used any more after this.
        unsafe { B::destroy(self.0.get()) };
    }
}

/// A value that one thread at a time may use, and the lock that protects it.
///
/// It has to be pinned. A thread that panics unlocks what it holds, and the value stays usable. A
/// thread that frees a lock that it holds, since it has forgotten the guard, panics.
#[repr(C)]
#[pin_data]
pub struct Lock<T: ?Sized, B: Backend> {
    #[pin]
    state: State<B>,
    #[pin]
    _pin: PhantomPinned,
    #[pin]
    data: UnsafeCell<T>,
}

// SAFETY: The lock owns its `T`, and nothing else that belongs to a thread.
unsafe impl<T: ?Sized + Send, B: Backend> Send for Lock<T, B> {}

// SAFETY: One thread at a time has access to the `T`, from any thread: so `T` has to be `Send`.
unsafe impl<T: ?Sized + Send, B: Backend> Sync for Lock<T, B> {}

impl<T, B: Backend> Lock<T, B> {
    /// Makes an initialiser of a lock of the class `key`, unlocked.
    ///
    /// See [`new_mutex!`](crate::new_mutex) and [`new_spinlock!`](crate::new_spinlock), which make
    /// the class and the name.
    ///
    /// # Panics
    ///
    /// The initialiser does, if `key` was used with another name before.
    pub fn new(
        t: impl PinInit<T>,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        let init = move |slot: *mut State<B>| {
            // CAST: `State` and `Opaque` are transparent wrappers.
            // SAFETY: The slot is valid for writes, and both others are static.
            unsafe { B::init(slot.cast(), name.as_char_ptr(), key.as_ptr()) };
            Ok::<(), Infallible>(())
        };

        pin_init!(Self {
            data <- <UnsafeCell<T> as Wrapper<T>>::pin_init(t),
            _pin: PhantomPinned,
            // INVARIANT: The backend has initialised it.
            // SAFETY: It writes the slot, which is not moved.
            state <- unsafe { pin_init_from_closure(init) },
        })
    }
}

impl<B: Backend> Lock<(), B> {
    /// Wraps a lock of C code.
    ///
    /// # Safety
    ///
    /// `ptr` must be initialised, and stay valid during `'a`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut B::State) -> &'a Self {
        // CAST: `data` has no size, and `state` is a transparent wrapper that comes first.
        // SAFETY: The caller promises that `ptr` is initialised, and stays valid during `'a`.
        unsafe { &*ptr.cast() }
    }
}

impl<T: ?Sized, B: Backend> Lock<T, B> {
    /// Locks, and waits until it can. Stands for `mutex_lock()` or `spin_lock()`.
    ///
    /// # Context
    ///
    /// May sleep if this is a [`Mutex`](mutex::Mutex).
    ///
    /// # Panics
    ///
    /// - If the thread holds the lock already.
    /// - If this is a mutex, and the thread is in atomic context: it holds the RCU read lock or a
    ///   spinlock.
    /// - If it holds another lock of the same class.
    /// - If it holds a lock that was taken before while a lock of this class was held, also if that
    ///   follows from orders over other classes. The message names all classes of the cycle, and
    ///   for each order the two places where its locks were taken.
    ///
    /// The last two need neither a deadlock nor a second thread: the order is enough, as for
    /// lockdep. The lock is not held then, and the thread can go on. While the thread is panicking
    /// already, the message goes to stderr instead, and the lock is taken.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> Guard<'_, T, B> {
        // SAFETY: The lock is initialised.
        let state = unsafe { B::lock(self.state.0.get()) };
        // SAFETY: It was locked just now.
        unsafe { Guard::new(self, state) }
    }

    /// Locks if nobody holds the lock. Stands for `mutex_trylock()` or `spin_trylock()`.
    ///
    /// Since it does not wait, the thread may hold any other locks.
    ///
    /// # Context
    ///
    /// Does not sleep.
    #[must_use = "if unused, the lock will be immediately unlocked"]
    #[inline]
    #[track_caller]
    pub fn try_lock(&self) -> Option<Guard<'_, T, B>> {
        // SAFETY: The lock is initialised.
        let state = unsafe { B::try_lock(self.state.0.get()) }?;
        // SAFETY: It was locked just now.
        Some(unsafe { Guard::new(self, state) })
    }
}

impl<T: ?Sized, B: Backend> fmt::Debug for Lock<T, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

/// Access to what a [`Lock`] protects; unlocks it when it is dropped.
///
/// # Invariants
///
/// The thread that made it holds the lock as long as it exists.
#[must_use = "the lock unlocks immediately when the guard is unused"]
pub struct Guard<'a, T: ?Sized, B: Backend> {
    lock: &'a Lock<T, B>,
    state: B::GuardState,
    _not_send: NotThreadSafe,
}

// SAFETY: A shared guard gives shared access to the `T` and nothing else.
unsafe impl<T: ?Sized + Sync, B: Backend> Sync for Guard<'_, T, B> {}

impl<'a, T: ?Sized, B: Backend> Guard<'a, T, B> {
    /// Makes the guard of a lock that is held.
    ///
    /// # Panics
    ///
    /// If the lock is a mutex or a spinlock, and the current thread does not hold it.
    ///
    /// # Safety
    ///
    /// The current thread must hold the lock, and give it up by this call.
    #[inline]
    #[track_caller]
    pub unsafe fn new(lock: &'a Lock<T, B>, state: B::GuardState) -> Self {
        // SAFETY: The lock is initialised.
        unsafe { B::assert_is_held(lock.state.0.get()) };

        // INVARIANT: By the safety requirement.
        Self {
            lock,
            state,
            _not_send: NotThreadSafe,
        }
    }

    /// Returns the lock.
    ///
    /// # Examples
    ///
    /// A function that needs proof that a lock is held:
    ///
    /// ```
    /// use kernel::{new_spinlock, prelude::*, sync::{SpinLock, SpinLockGuard}};
    ///
    /// #[pin_data]
    /// struct Ring {
    ///     #[pin]
    ///     head: SpinLock<u32>,
    /// }
    ///
    /// impl Ring {
    ///     fn advance(&self, head: &mut SpinLockGuard<'_, u32>) {
    ///         assert!(core::ptr::eq(head.lock_ref(), &self.head));
    ///         **head += 1;
    ///     }
    /// }
    ///
    /// let ring = KBox::pin_init(pin_init!(Ring { head <- new_spinlock!(0) }), GFP_KERNEL)?;
    /// let mut head = ring.head.lock();
    /// ring.advance(&mut head);
    /// assert_eq!(*head, 1);
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn lock_ref(&self) -> &'a Lock<T, B> {
        self.lock
    }

    /// Unlocks, calls `cb`, and locks again, also if `cb` panics.
    ///
    /// # Panics
    ///
    /// As [`Lock::lock()`], if the thread holds other locks. `cb` is not called then, and the lock
    /// stays held.
    #[track_caller]
    pub(crate) fn do_unlocked<U>(&mut self, cb: impl FnOnce() -> U) -> U {
        let lock = self.lock.state.0.get();

        // SAFETY: By the type invariant the lock is held.
        unsafe { B::check_relock(lock) };
        // SAFETY: By the type invariant the lock is held. It is locked again below.
        unsafe { B::unlock(lock, &self.state) };
        let relock = ScopeGuard::new_with_data(&mut self.state, |state| {
            // SAFETY: By the type invariant of `State` the lock is initialised. It was unlocked
            // above, and `state` is its state.
            unsafe { B::relock(lock, state) }
        });

        let result = cb();

        // Here, so that lockdep has the place of the caller.
        let state = relock.dismiss();
        // SAFETY: By the type invariant of `State` the lock is initialised. It was unlocked above,
        // and `state` is its state.
        unsafe { B::relock(lock, state) };
        result
    }

    /// Returns a pinned reference to the value, for types that are not [`Unpin`].
    #[inline]
    pub fn as_mut(&mut self) -> Pin<&mut T> {
        let data = self.lock.data.get();

        // SAFETY: By the type invariant nobody else has access, and `self` is borrowed mutably.
        let data = unsafe { &mut *data };

        // SAFETY: The lock is pinned, and does not move its value.
        unsafe { Pin::new_unchecked(data) }
    }
}

impl<T: ?Sized, B: Backend> Deref for Guard<'_, T, B> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant nobody else has access, and `self` is borrowed.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized + Unpin, B: Backend> DerefMut for Guard<'_, T, B> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.as_mut().get_mut()
    }
}

impl<T: ?Sized, B: Backend> Drop for Guard<'_, T, B> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant the lock is held.
        unsafe { B::unlock(self.lock.state.0.get(), &self.state) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bindings::collect_warnings,
        sync::{new_mutex, new_spinlock, Mutex, SpinLock},
    };
    use core::mem;
    use pin_init::stack_pin_init;

    #[test]
    fn the_lock_of_c_code_is_wrapped() {
        stack_pin_init!(let lock = new_mutex!(5));
        // SAFETY: The lock exists for longer.
        let raw: &Mutex<()> = unsafe { Mutex::from_raw(lock.state.0.get()) };

        let guard = raw.lock();
        assert!(lock.try_lock().is_none());
        drop(guard);
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn a_guard_without_the_lock_is_loud() {
        fn warnings<B: Backend<GuardState = ()>>(lock: &Lock<(), B>) -> Vec<String> {
            // SAFETY: It is forgotten.
            collect_warnings(|| mem::forget(unsafe { Guard::new(lock, ()) })).1
        }

        stack_pin_init!(let lock = new_mutex!((), "mutex"));
        assert_eq!(warnings(&lock), ["`mutex` is not held by this thread"]);
        let held = lock.lock();
        assert!(warnings(&lock).is_empty());
        drop(held);

        stack_pin_init!(let lock = new_spinlock!((), "spin"));
        assert_eq!(warnings(&lock), ["`spin` is not held by this thread"]);
    }

    #[test]
    fn a_value_of_its_own_type_is_pinned() {
        #[pin_data]
        struct Both {
            #[pin]
            mutex: Mutex<PhantomPinned>,
            #[pin]
            spinlock: SpinLock<PhantomPinned>,
        }

        stack_pin_init!(let both = pin_init!(Both {
            mutex <- new_mutex!(PhantomPinned),
            spinlock <- new_spinlock!(PhantomPinned),
        }));
        let _: Pin<&mut PhantomPinned> = both.mutex.lock().as_mut();
        let _: Pin<&mut PhantomPinned> = both.spinlock.lock().as_mut();
    }
}
