// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The lock behind `struct mutex` and `spinlock_t`, with the checks of `PROVE_LOCKING`.
//!
//! Has no counterpart in the kernel. A thread that has to wait for the lock spins for a moment, as
//! the holder may be about to unlock it, and then sleeps. It sleeps for a spinlock, too: a host
//! thread can lose its CPU at any time, so longer spinning would waste CPU time.

use crate::{
    bindings, fault,
    lockdep::{DepMap, LockClass, LockdepMap},
    parking::Parking,
    str::CStr,
    types::ScopeGuard,
    unwind,
};
use core::{
    hint,
    sync::atomic::{AtomicU64, Ordering},
};

/// How often a thread looks whether the lock is free before it sleeps.
const SPINNING: u32 = 200;

/// Where threads sleep that wait for a lock: one place for some of the locks each.
static PARKING: [Parking; 16] = [const { Parking::new() }; 16];

/// A lock that its holder unlocks without a guard, as in C. `SPINS` says that it is a spinlock.
///
/// After it has unlocked the lock, a thread does not access it any more, so that another thread may
/// lock it and then free it.
pub(crate) struct RawLock<const SPINS: bool> {
    dep_map: DepMap,
    /// The number of the thread that holds the lock, or zero.
    owner: AtomicU64,
}

impl<const SPINS: bool> RawLock<SPINS> {
    /// Makes a lock that is not locked.
    pub(crate) fn new(class: LockClass) -> Self {
        Self {
            dep_map: DepMap::new(class),
            owner: AtomicU64::new(0),
        }
    }

    /// Returns the lock as lockdep knows it.
    #[inline]
    fn map(&self) -> LockdepMap {
        self.dep_map.map(SPINS)
    }

    /// Returns the place where threads sleep that wait for this lock.
    fn parking(&self) -> &'static Parking {
        let address = core::ptr::from_ref(self).addr();
        &PARKING[address / align_of::<Self>() % PARKING.len()]
    }

    /// Returns whether the current thread holds the lock.
    #[inline]
    fn is_held(&self) -> bool {
        // Another thread's number may come and go, but that of this thread is stored and removed by
        // this thread only.
        self.owner.load(Ordering::Relaxed) == fault::current_task().get()
    }

    /// Locks if nobody holds the lock, and returns whether it did.
    #[inline]
    fn try_own(&self) -> bool {
        let task = fault::current_task().get();
        self.owner
            .compare_exchange(0, task, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    /// Locks, and waits until it can.
    #[inline]
    fn own(&self) {
        if !self.try_own() {
            self.wait();
        }
    }

    /// Spins, and then sleeps, until the lock is locked.
    #[cold]
    fn wait(&self) {
        for _ in 0..SPINNING {
            hint::spin_loop();
            // Only reads while another thread holds it, which then does not lose the cache line.
            if self.owner.load(Ordering::Relaxed) == 0 && self.try_own() {
                return;
            }
        }
        self.parking().wait_until(|| self.try_own());
    }

    /// Locks, and checks the lock before it waits.
    ///
    /// # Panics
    ///
    /// If the thread holds the lock already, and as `lockdep` does. It is not locked then.
    #[inline]
    #[track_caller]
    pub(crate) fn lock(&self) {
        if self.is_held() {
            self.recursion();
        }
        self.map().acquire();
        self.own();
    }

    /// Locks again after [`unlock()`](Self::unlock). [`check()`](Self::check) was called before.
    #[inline]
    #[track_caller]
    pub(crate) fn relock(&self) {
        self.own();
        self.map().hold();
    }

    /// Locks if nobody holds the lock, and returns whether it did.
    ///
    /// Since it does not wait, the thread may hold any other locks.
    #[inline]
    #[track_caller]
    pub(crate) fn try_lock(&self) -> bool {
        if !self.try_own() {
            return false;
        }

        // A thread that holds too many locks does not get this one.
        let disown = ScopeGuard::new(|| self.disown());
        self.map().hold();
        disown.dismiss();
        true
    }

    /// Unlocks.
    ///
    /// # Safety
    ///
    /// The current thread must hold the lock.
    #[inline]
    pub(crate) unsafe fn unlock(&self) {
        self.map().release();
        self.disown();
    }

    /// Makes nobody the holder.
    #[inline]
    fn disown(&self) {
        let parking = self.parking();
        self.owner.store(0, Ordering::SeqCst);
        parking.wake_all();
    }

    /// Checks whether the thread, which holds the lock, may wait for it after it has unlocked it.
    ///
    /// # Panics
    ///
    /// As `lockdep` does, if the thread holds other locks.
    #[track_caller]
    pub(crate) fn check(&self) {
        self.map().check();
    }

    /// Reports a thread that does not hold the lock: `lockdep_assert_held()`.
    #[inline]
    #[track_caller]
    pub(crate) fn assert_is_held(&self) {
        if !self.is_held() {
            let name = self.name().to_string_lossy();
            bindings::warn(format!("`{name}` is not held by this thread"));
        }
    }

    /// The report of [`lock()`](Self::lock).
    #[cold]
    #[track_caller]
    fn recursion(&self) -> ! {
        unwind::fatal(&format!(
            "deadlock: `{}` is already held by this thread",
            self.name().to_string_lossy()
        ));
    }

    /// Returns the name of the lock.
    fn name(&self) -> &'static CStr {
        self.dep_map.name()
    }
}
