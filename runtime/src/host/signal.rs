// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Signals: a thread that has one pending, and what sleeps in an interruptible way.
//!
//! Has no counterpart among the kernel's Rust files. It stands for `signal_pending()` and
//! `send_sig()` of `include/linux/sched/signal.h`. A signal stays pending until the thread flushes
//! its signals, and no thread has a handler.

use crate::{bindings, fault, wait};
use core::num::NonZeroU64;
use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The threads that have a signal pending.
fn pending() -> MutexGuard<'static, Option<HashSet<NonZeroU64>>> {
    static PENDING: Mutex<Option<HashSet<NonZeroU64>>> = Mutex::new(None);

    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the current thread has a signal pending: `signal_pending(current)`.
pub(crate) fn signal_pending() -> bool {
    pending()
        .as_ref()
        .is_some_and(|pending| pending.contains(&fault::current_task()))
}

/// A thread, as others send signals to it: what tests need of `struct task_struct`.
///
/// # Examples
///
/// ```
/// use kernel::testing::Task;
///
/// let task = Task::current();
/// task.send_signal();
/// // Here, waiting for a reservation lock in an interruptible way fails with `EINTR`.
/// Task::flush_signals();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task(NonZeroU64);

impl Task {
    /// Returns the current thread.
    pub fn current() -> Self {
        Self(fault::current_task())
    }

    /// Sends a signal to the thread: `send_sig()`.
    ///
    /// It ends an interruptible sleep, in `dma_resv_lock_interruptible()` or
    /// [`CondVar::wait_interruptible()`](crate::sync::CondVar::wait_interruptible), and the later
    /// ones, until the thread [flushes](Self::flush_signals) its signals.
    pub fn send_signal(self) {
        pending().get_or_insert_default().insert(self.0);
        bindings::wake_up_interruptible();
        wait::signal_wake_up(self.0);
    }

    /// Takes back all signals that were sent to the current thread: `flush_signals(current)`.
    pub fn flush_signals() {
        if let Some(pending) = pending().as_mut() {
            pending.remove(&fault::current_task());
        }
    }
}
