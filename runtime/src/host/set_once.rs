// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A container that is filled at most once.
//!
//! Stands for `rust/kernel/sync/set_once.rs`.

use crate::sync::atomic::{Acquire, Atomic, Relaxed, Release};
use core::{cell::UnsafeCell, fmt, mem::MaybeUninit};

/// There is no value.
const EMPTY: u32 = 0;
/// One thread is writing the value.
const WRITING: u32 = 1;
/// The value is there for good.
const SET: u32 = 2;

/// A container that is filled at most once, and then read without a lock.
///
/// # Invariants
///
/// `state` is one of the above and only ever increases.
/// - `EMPTY`: `value` is not initialised, and nobody accesses it.
/// - `WRITING`: the thread that changed it from `EMPTY` has exclusive access to `value`.
/// - `SET`: `value` is initialised, and is not written to as long as it is shared.
///
/// # Examples
///
/// ```
/// use kernel::sync::SetOnce;
///
/// let id = SetOnce::new();
/// assert_eq!(id.as_ref(), None);
/// assert!(id.populate(7));
/// assert!(!id.populate(8));
/// assert_eq!(id.as_ref(), Some(&7));
/// ```
pub struct SetOnce<T> {
    state: Atomic<u32>,
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: The container owns its `T` and nothing else.
unsafe impl<T: Send> Send for SetOnce<T> {}

// SAFETY: A shared container lends `&T` (`Sync`), and takes and later drops a `T` of another thread
// (`Send`). By the type invariants there is no other access to a shared value.
unsafe impl<T: Send + Sync> Sync for SetOnce<T> {}

impl<T> SetOnce<T> {
    /// Makes an empty container.
    #[inline]
    pub const fn new() -> Self {
        // INVARIANT: It is empty.
        Self {
            state: Atomic::new(EMPTY),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Returns the value, or [`None`] if there is none, or if it is just being written.
    ///
    /// # Context
    ///
    /// Does not sleep: one acquire load.
    #[inline]
    pub fn as_ref(&self) -> Option<&T> {
        if self.state.load(Acquire) != SET {
            return None;
        }
        let value = self.value.get().cast::<T>();

        // SAFETY: By the type invariants the value is initialised and not written to. The load
        // above sees the store that said so, and with it the value.
        Some(unsafe { &*value })
    }

    /// Fills the container, and returns whether it did; if not, it was filled or is being filled,
    /// and `value` is dropped.
    ///
    /// # Context
    ///
    /// Does not sleep, and does not wait for another thread that fills it: the caller's `false` may
    /// come before the value is there.
    pub fn populate(&self, value: T) -> bool {
        // INVARIANT: The state increases, for one thread only, which has exclusive access from
        // here.
        if self.state.cmpxchg(EMPTY, WRITING, Relaxed).is_err() {
            return false;
        }

        // SAFETY: By the type invariants nobody else accesses the value, and there is nothing in it
        // that had to be dropped.
        unsafe { self.value.get().cast::<T>().write(value) };

        // INVARIANT: The value is initialised, and this thread does not write to it any more.
        self.state.store(SET, Release);
        true
    }

    /// Returns a copy of the value, or [`None`] if there is none.
    #[inline]
    pub fn copy(&self) -> Option<T>
    where
        T: Copy,
    {
        self.as_ref().copied()
    }
}

impl<T> Default for SetOnce<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for SetOnce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SetOnce").field(&self.as_ref()).finish()
    }
}

impl<T> Drop for SetOnce<T> {
    fn drop(&mut self) {
        if *self.state.get_mut() == SET {
            // SAFETY: By the type invariants the value is initialised; it is not used after this.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::{Arc, Barrier},
        thread,
    };

    #[test]
    fn one_thread_wins() {
        for _ in 0..200 {
            let cell = SetOnce::new();
            let start = Barrier::new(3);

            let winners: Vec<usize> = thread::scope(|s| {
                let threads: Vec<_> = (0..3)
                    .map(|i| {
                        let (cell, start) = (&cell, &start);
                        s.spawn(move || {
                            start.wait();
                            let won = cell.populate([i; 1024]);
                            if let Some(value) = cell.as_ref() {
                                assert!(value.iter().all(|v| *v == value[0]));
                            }
                            won.then_some(i)
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .filter_map(|t| t.join().unwrap())
                    .collect()
            });

            assert_eq!(winners.len(), 1);
            assert_eq!(cell.copy(), Some([winners[0]; 1024]));
        }
    }

    #[test]
    fn drops_the_value_it_has_and_the_one_it_does_not_take() {
        let value = Arc::new(());

        let cell = SetOnce::default();
        assert!(cell.populate(value.clone()));
        assert!(!cell.populate(value.clone()));
        assert_eq!(Arc::strong_count(&value), 2);
        drop(cell);
        assert_eq!(Arc::strong_count(&value), 1);

        drop(SetOnce::<Arc<()>>::new());
    }
}
