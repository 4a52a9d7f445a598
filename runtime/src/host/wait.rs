// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Queues of threads that sleep until they are woken.
//!
//! Has no counterpart among the kernel's Rust files. It stands for `kernel/sched/wait.c`, and
//! `schedule_timeout()` of `kernel/time/sleep_timeout.c`. C header: `include/linux/wait.h`.
//!
//! Threads are woken in the order in which they began to wait, as exclusive waiters are in C.

use crate::{fault, signal::signal_pending, str::CStr, types::ScopeGuard};
use core::num::NonZeroU64;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long a thread sleeps without a limit until that is reported, again and again.
const STALL: Duration = Duration::from_secs(10);

/// A queue. Stands for `struct wait_queue_head`.
pub(crate) struct WaitQueue {
    name: &'static CStr,
    sleepers: Mutex<VecDeque<Arc<Sleeper>>>,
}

/// A thread that is about to sleep, or sleeps. Stands for `struct wait_queue_entry`.
struct Sleeper {
    woken: Mutex<bool>,
    wake_up: Condvar,
}

impl Sleeper {
    fn woken(&self) -> MutexGuard<'_, bool> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The threads in an interruptible sleep, by their numbers.
fn interruptible() -> MutexGuard<'static, Option<HashMap<NonZeroU64, Arc<Sleeper>>>> {
    static INTERRUPTIBLE: Mutex<Option<HashMap<NonZeroU64, Arc<Sleeper>>>> = Mutex::new(None);

    INTERRUPTIBLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has a thread look for signals, if it sleeps in an interruptible way: `signal_wake_up()`.
pub(crate) fn signal_wake_up(task: NonZeroU64) {
    let sleeper = interruptible()
        .as_ref()
        .and_then(|sleepers| sleepers.get(&task).cloned());

    if let Some(sleeper) = sleeper {
        // The thread holds this lock from before it looks for signals until it sleeps.
        let _woken = sleeper.woken();
        sleeper.wake_up.notify_all();
    }
}

impl WaitQueue {
    /// Makes a queue without threads.
    pub(crate) fn new(name: &'static CStr) -> Self {
        Self {
            name,
            sleepers: Mutex::new(VecDeque::new()),
        }
    }

    fn sleepers(&self) -> MutexGuard<'_, VecDeque<Arc<Sleeper>>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the current thread to the queue: `prepare_to_wait_exclusive()`.
    ///
    /// A thread that wakes the queue from now on wakes this one.
    pub(crate) fn prepare_to_wait(&self, interruptible: bool) -> Waiting<'_> {
        let sleeper = Arc::new(Sleeper {
            woken: Mutex::new(false),
            wake_up: Condvar::new(),
        });
        self.sleepers().push_back(sleeper.clone());

        Waiting {
            queue: self,
            sleeper,
            interruptible,
        }
    }

    /// Wakes the `count` threads that have waited longest, or all of them with 0: `__wake_up()`.
    pub(crate) fn wake_up(&self, count: usize) {
        let mut sleepers = self.sleepers();
        let count = match count {
            0 => sleepers.len(),
            count => count.min(sleepers.len()),
        };

        for sleeper in sleepers.drain(..count) {
            *sleeper.woken() = true;
            sleeper.wake_up.notify_all();
        }
    }
}

/// The current thread on a queue, which it leaves when this is dropped: `finish_wait()`.
pub(crate) struct Waiting<'a> {
    queue: &'a WaitQueue,
    sleeper: Arc<Sleeper>,
    interruptible: bool,
}

impl Waiting<'_> {
    /// Sleeps until the thread is woken, or `limit` has passed, or a signal is pending that the
    /// thread may be interrupted by. Returns what is left of the limit: `schedule_timeout()`.
    ///
    /// A thread that sleeps without a limit for long is reported on stderr, as the kernel's detector
    /// of hung tasks does.
    ///
    /// # Panics
    ///
    /// If the thread may not sleep.
    #[track_caller]
    pub(crate) fn schedule(&self, limit: Option<Duration>) -> Duration {
        self.schedule_reporting(limit, STALL, || {
            eprintln!(
                "INFO: task blocked for more than {STALL:?} on `{}`",
                self.queue.name.to_string_lossy()
            );
        })
    }

    /// [`schedule()`](Self::schedule) with the time of a report, and the report.
    #[track_caller]
    fn schedule_reporting(
        &self,
        limit: Option<Duration>,
        stall: Duration,
        report: impl Fn(),
    ) -> Duration {
        fault::might_sleep("schedule");

        let _watched = self.interruptible.then(|| self.watch());
        let begin = Instant::now();
        let left = || limit.map(|limit| limit.saturating_sub(begin.elapsed()));
        let mut woken = self.sleeper.woken();
        let interrupted = || self.interruptible && signal_pending();
        while !*woken && !interrupted() {
            let left = left();
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }

            let (guard, timeout) = self
                .sleeper
                .wake_up
                .wait_timeout(woken, left.unwrap_or(stall))
                .unwrap_or_else(PoisonError::into_inner);
            woken = guard;
            if left.is_none() && timeout.timed_out() && !*woken {
                report();
            }
        }
        left().unwrap_or_default()
    }

    /// Has [`signal_wake_up()`] find the current thread.
    fn watch(&self) -> impl Drop + use<> {
        let task = fault::current_task();
        interruptible()
            .get_or_insert_default()
            .insert(task, self.sleeper.clone());

        ScopeGuard::new(move || {
            if let Some(sleepers) = interruptible().as_mut() {
                sleepers.remove(&task);
            }
        })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue
            .sleepers()
            .retain(|sleeper| !Arc::ptr_eq(sleeper, &self.sleeper));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_sleep_without_an_end_is_reported_and_goes_on() {
        let queue = WaitQueue::new(c"nobody");
        let waiting = queue.prepare_to_wait(false);

        let (reported, reports) = mpsc::channel();
        std::thread::scope(|scope| {
            let queue = &queue;
            scope.spawn(move || {
                reports.recv().unwrap();
                reports.recv().unwrap();
                queue.wake_up(0);
            });
            waiting.schedule_reporting(None, Duration::from_millis(1), || {
                // The other side leaves after two.
                let _ = reported.send(());
            });
        });
    }

    #[test]
    fn a_thread_leaves_the_queue() {
        let queue = WaitQueue::new(c"queue");
        let first = queue.prepare_to_wait(false);
        let second = queue.prepare_to_wait(false);
        drop(first);
        assert_eq!(queue.sleepers().len(), 1);

        // This wake-up is for the one that is left, and comes before it sleeps.
        queue.wake_up(1);
        assert!(queue.sleepers().is_empty());
        let left = second.schedule(Some(Duration::from_secs(60)));
        assert!(left > Duration::from_secs(30));
    }
}
