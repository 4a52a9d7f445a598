// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Waiting until another thread is done.
//!
//! Stands for `rust/kernel/sync/completion.rs`. C header: `include/linux/completion.h`.

use crate::fault;
use core::marker::PhantomPinned;
use pin_init::{pin_data, pin_init, PinInit};
use std::sync::{Condvar, Mutex, PoisonError};

/// One thread waits for what another one completes, once and for all.
///
/// Stands for `struct completion`.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, sync::{Arc, Completion}};
///
/// let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
/// let worker = std::thread::spawn({
///     let done = done.clone();
///     move || done.complete_all()
/// });
///
/// done.wait_for_completion();
/// # worker.join().unwrap();
/// # Ok::<(), Error>(())
/// ```
#[pin_data]
pub struct Completion {
    done: Mutex<bool>,
    wait: Condvar,
    #[pin]
    _pin: PhantomPinned,
}

impl Completion {
    /// Makes an initialiser of a completion that is not done. Stands for `init_completion()`.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            done: Mutex::new(false),
            wait: Condvar::new(),
            _pin: PhantomPinned,
        })
    }

    /// Wakes up all threads that wait, now and from now on.
    ///
    /// # Context
    ///
    /// Does not sleep.
    pub fn complete_all(&self) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wait.notify_all();
    }

    /// Waits until [`complete_all()`](Self::complete_all) is called, without a limit.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Panics
    ///
    /// If the thread holds the RCU read lock.
    #[track_caller]
    pub fn wait_for_completion(&self) {
        fault::might_sleep("wait_for_completion");

        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        drop(
            self.wait
                .wait_while(done, |done| !*done)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{
        atomic::{Atomic, Relaxed},
        rcu,
    };
    use pin_init::stack_pin_init;
    use std::{
        panic::{catch_unwind, AssertUnwindSafe},
        thread,
        time::Duration,
    };

    #[test]
    fn all_wait_until_it_is_done() {
        stack_pin_init!(let done = Completion::new());
        let done = &*done;
        let started = Atomic::new(0u32);

        thread::scope(|s| {
            let waiters: Vec<_> = (0..3)
                .map(|_| {
                    s.spawn(|| {
                        started.add(1, Relaxed);
                        done.wait_for_completion();
                    })
                })
                .collect();

            while started.load(Relaxed) < 3 {
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(20));
            assert!(waiters.iter().all(|w| !w.is_finished()));

            done.complete_all();
        });
        done.wait_for_completion();
    }

    #[test]
    fn waiting_under_rcu_is_loud() {
        stack_pin_init!(let done = Completion::new());
        done.complete_all();

        let _guard = rcu::read_lock();
        assert!(catch_unwind(AssertUnwindSafe(|| done.wait_for_completion())).is_err());
    }
}
