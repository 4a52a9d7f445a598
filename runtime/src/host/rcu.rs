// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Read-copy-update, with real grace periods.
//!
//! Stands for `rust/kernel/sync/rcu.rs`. C header: `include/linux/rcupdate.h`.
//!
//! # How it works
//!
//! There is one counter of grace periods, `PERIOD`, and one slot for each thread that has ever
//! read. A reader writes the counter into its slot on entry, and zero when it leaves. Both writes
//! are releases: a thread that sees one of them sees all earlier sections of the reader as over. To
//! wait for a grace period, a thread increments the counter. It then waits for each slot until the
//! slot is zero or no less than the new value.
//!
//! # Why it is right
//!
//! Let a writer do W, then `synchronize_rcu()`, then free something, and let a reader's section
//! contain R, which finds out whether W has happened. To show: if R does not see W, then the
//! section ends before the freeing begins, and happens before it.
//!
//! - *The writer finds the slot in use, with a lower value*: it waits until the slot changes. The
//!   new value was written when the section ended or later, by a release, and the writer's load is
//!   an acquire.
//! - *The writer finds the slot in use, with a value no lower*: the reader has read the counter
//!   after this writer's increment. The increment is a release, and the reader's load is made an
//!   acquire by the fence behind it, so R sees W.
//! - *The writer finds the slot zero* (or a later section's value), since the section has not begun
//!   or is over. There are two fences, sequentially consistent: the reader's, between its write to
//!   the slot and R, and the writer's, between W and its load of the slot. If the reader's fence
//!   comes first, the writer sees the reader's write to the slot or a later one. The value is not
//!   the section's, so the section is over, and as above it happens before the freeing. If the
//!   writer's comes first, R sees W.
//! - *The writer does not look at the slot*, as the thread was given it after the writer had taken
//!   its list. Both hold the lock of the list for that, the thread later, so R sees W.
//!
//! A reader may be interrupted between reading the counter and writing it to its slot. The slot
//! then holds too low a value, and a writer waits for longer than it had to. The counter has 64
//! bits and does not wrap around.

use super::{fault, unwind};
use crate::types::NotThreadSafe;
use core::{
    cell::Cell,
    sync::atomic::{fence, AtomicU64, Ordering},
};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The number of the current grace period, from 1 on.
static PERIOD: AtomicU64 = AtomicU64::new(1);

/// How many grace periods have been waited for.
static WAITED: AtomicU64 = AtomicU64::new(0);

/// All slots, those of ended threads included.
static SLOTS: Mutex<Slots> = Mutex::new(Slots {
    all: Vec::new(),
    free: Vec::new(),
});

/// How long [`synchronize_rcu()`] waits for one reader until it says so on stderr.
const STALL: Duration = Duration::from_secs(10);

/// Where one thread says that it reads; alone in its cache lines, as each read-side section writes
/// to it.
#[repr(align(128))]
struct Slot {
    /// The value of [`PERIOD`] when the outermost section was entered, zero outside of sections.
    entered: AtomicU64,
}

/// The slots. They are never freed: those of ended threads are given to new ones.
struct Slots {
    all: Vec<&'static Slot>,
    free: Vec<&'static Slot>,
}

fn slots() -> MutexGuard<'static, Slots> {
    SLOTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state of a thread as a reader. Without a destructor, so that it can be used until the very
/// end of the thread.
struct Reader {
    slot: Cell<Option<&'static Slot>>,
    nesting: Cell<usize>,
}

thread_local! {
    static READER: Reader = const {
        Reader {
            slot: Cell::new(None),
            nesting: Cell::new(0),
        }
    };

    /// Gives the slot back when the thread ends.
    static RETURN_SLOT: ReturnSlot = const { ReturnSlot };
}

struct ReturnSlot;

impl Drop for ReturnSlot {
    fn drop(&mut self) {
        READER.with(|reader| {
            if reader.nesting.get() != 0 {
                // The owner of the guard may still drop it. The slot stays this thread's.
                eprintln!("BUG: a thread ends while it holds the RCU read lock");
                return;
            }
            if let Some(slot) = reader.slot.take() {
                slots().free.push(slot);
            }
        });
    }
}

/// Gives the current thread a slot.
#[cold]
fn claim_slot(reader: &Reader) -> &'static Slot {
    let slot = {
        let mut slots = slots();
        slots.free.pop().unwrap_or_else(|| {
            let slot: &'static Slot = Box::leak(Box::new(Slot {
                entered: AtomicU64::new(0),
            }));
            slots.all.push(slot);
            slot
        })
    };
    reader.slot.set(Some(slot));

    // If the thread has come so far in ending that this fails, the slot stays its own for good; it
    // is zero then, and nobody waits for it.
    let _ = RETURN_SLOT.try_with(|_| ());
    slot
}

/// Begins a read-side section. Stands for `rcu_read_lock()`.
#[inline]
fn enter() {
    READER.with(|reader| {
        let nesting = reader.nesting.get();
        reader.nesting.set(nesting + 1);
        if nesting == 0 {
            let slot = match reader.slot.get() {
                Some(slot) => slot,
                None => claim_slot(reader),
            };
            slot.entered
                .store(PERIOD.load(Ordering::Relaxed), Ordering::Release);
            fence(Ordering::SeqCst);
        }
    });
}

/// Ends a read-side section. Stands for `rcu_read_unlock()`.
#[inline]
fn leave() {
    READER.with(|reader| {
        let nesting = reader.nesting.get() - 1;
        reader.nesting.set(nesting);
        if nesting == 0 {
            if let Some(slot) = reader.slot.get() {
                slot.entered.store(0, Ordering::Release);
            }
        }
    });
}

/// Returns whether the current thread is in a read-side section. Stands for `rcu_read_lock_held()`.
#[inline]
pub(crate) fn read_lock_held() -> bool {
    READER.with(|reader| reader.nesting.get() != 0)
}

/// Returns how many grace periods this process has waited for.
///
/// # Examples
///
/// ```
/// use kernel::{sync::rcu, testing};
///
/// let before = testing::rcu_grace_periods();
/// rcu::synchronize_rcu();
/// assert!(testing::rcu_grace_periods() > before);
/// ```
pub fn rcu_grace_periods() -> u64 {
    WAITED.load(Ordering::Relaxed)
}

/// Evidence that the current thread is in an RCU read-side critical section.
///
/// It may be nested, and the section lasts until the last one is dropped. Nothing may sleep
/// meanwhile; what would is a loud failure.
///
/// # Invariants
///
/// The thread that made it is in a read-side section as long as it exists.
///
/// # Examples
///
/// It belongs to its thread:
///
/// ```compile_fail,E0277
/// let guard = kernel::sync::rcu::read_lock();
/// std::thread::spawn(move || drop(guard));
/// ```
#[must_use = "the section ends immediately when the guard is unused"]
pub struct Guard(NotThreadSafe);

impl Guard {
    /// Begins a section. Stands for `rcu_read_lock()`.
    #[inline]
    pub fn new() -> Self {
        enter();
        // INVARIANT: The section was entered just now.
        Self(NotThreadSafe)
    }

    /// Ends the section, if it is the outermost one. Stands for `rcu_read_unlock()`.
    #[inline]
    pub fn unlock(self) {}
}

impl Default for Guard {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        leave();
    }
}

/// Begins an RCU read-side critical section. Stands for `rcu_read_lock()`.
///
/// # Context
///
/// Does not sleep, and nothing may until the guard is dropped.
#[inline]
pub fn read_lock() -> Guard {
    Guard::new()
}

/// Waits until all read-side sections have ended that exist when it is called.
///
/// Those that begin meanwhile do not matter to it. After ten seconds it says on stderr that it
/// still waits, and goes on waiting.
///
/// # Context
///
/// May sleep.
///
/// # Panics
///
/// If the thread is in a read-side section itself, which it would wait for, or holds a spinlock.
///
/// # Examples
///
/// ```should_panic
/// use kernel::sync::rcu;
///
/// let _guard = rcu::read_lock();
/// rcu::synchronize_rcu();
/// ```
#[track_caller]
pub fn synchronize_rcu() {
    assert_may_synchronize();
    fault::might_sleep("synchronize_rcu");

    // Orders what the caller has done before against the loads of the slots.
    fence(Ordering::SeqCst);
    let period = PERIOD.fetch_add(1, Ordering::AcqRel) + 1;

    let readers = slots().all.clone();
    for slot in readers {
        wait_for_reader(slot, period);
    }

    WAITED.fetch_add(1, Ordering::Relaxed);
}

/// Checks that the current thread would not wait for itself in [`synchronize_rcu()`].
///
/// # Panics
///
/// If it would; see [`unwind::fatal()`]. Going on would mean to wait for ever, or to free something
/// that the section uses.
#[inline]
#[track_caller]
pub(crate) fn assert_may_synchronize() {
    if read_lock_held() {
        unwind::fatal(
            "BUG: sleeping function called from invalid context: synchronize_rcu() waits for this \
             thread, which holds the RCU read lock",
        );
    }
}

/// Waits until `slot` is not in a section from before `period`.
fn wait_for_reader(slot: &Slot, period: u64) {
    let reads = || {
        let entered = slot.entered.load(Ordering::Acquire);
        entered != 0 && entered < period
    };

    // A section is short: it may not sleep.
    for _ in 0..100 {
        if !reads() {
            return;
        }
        thread::yield_now();
    }

    let mut stalled = false;
    let begin = Instant::now();
    while reads() {
        if !stalled && begin.elapsed() > STALL {
            stalled = true;
            eprintln!("rcu: INFO: synchronize_rcu() waits for a reader for over {STALL:?}");
        }
        thread::sleep(Duration::from_micros(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::atomic::{Acquire, Atomic, AtomicFlag, Relaxed, Release};
    use std::panic::catch_unwind;

    #[test]
    fn nests() {
        assert!(!read_lock_held());
        let outer = read_lock();
        let inner = Guard::default();
        outer.unlock();
        assert!(read_lock_held());
        drop(inner);
        assert!(!read_lock_held());
    }

    #[test]
    fn waits_for_a_reader_from_before_but_not_for_one_from_after() {
        let (reading, written, waited) = (
            AtomicFlag::new(false),
            AtomicFlag::new(false),
            AtomicFlag::new(false),
        );

        thread::scope(|s| {
            s.spawn(|| {
                let guard = read_lock();
                reading.store(true, Release);
                while !written.load(Acquire) {
                    thread::yield_now();
                }
                thread::sleep(Duration::from_millis(30));
                assert!(
                    !waited.load(Acquire),
                    "the grace period ended under a reader"
                );
                drop(guard);
            });

            while !reading.load(Acquire) {
                thread::yield_now();
            }
            written.store(true, Release);
            synchronize_rcu();
            waited.store(true, Release);

            // One that begins and does not end does not hold up a grace period forever: only this
            // thread's own could, and the report of that is another test.
            let stop = AtomicFlag::new(false);
            thread::scope(|s| {
                s.spawn(|| {
                    while !stop.load(Acquire) {
                        drop(read_lock());
                    }
                });
                for _ in 0..100 {
                    synchronize_rcu();
                }
                stop.store(true, Release);
            });
        });
    }

    #[test]
    fn waiting_for_oneself_is_loud() {
        let guard = read_lock();
        let report = catch_unwind(synchronize_rcu).unwrap_err();
        let report = report.downcast_ref::<String>().unwrap();
        assert!(
            report.contains("invalid context: synchronize_rcu()"),
            "{report}"
        );
        drop(guard);

        let before = rcu_grace_periods();
        synchronize_rcu();
        assert!(rcu_grace_periods() > before);
    }

    /// Readers never see a value that a grace period has passed for since it was unpublished.
    #[test]
    fn a_reader_never_sees_what_was_freed() {
        const FREED: u64 = u64::MAX;
        let cells: [Atomic<u64>; 2] = [Atomic::new(0), Atomic::new(FREED)];
        let current = Atomic::new(0usize);
        let stop = AtomicFlag::new(false);

        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    while !stop.load(Relaxed) {
                        let _guard = read_lock();
                        let cell = &cells[current.load(Acquire)];
                        assert_ne!(cell.load(Relaxed), FREED);
                        thread::yield_now();
                        assert_ne!(cell.load(Relaxed), FREED);
                    }
                });
            }

            for round in 0..2000 {
                let old = current.load(Relaxed);
                cells[1 - old].store(round, Relaxed);
                current.store(1 - old, Release);
                synchronize_rcu();
                cells[old].store(FREED, Relaxed);
            }
            stop.store(true, Relaxed);
        });
    }

    #[test]
    fn slots_of_ended_threads_are_used_again() {
        let slot = || {
            drop(read_lock());
            READER.with(|reader| core::ptr::from_ref(reader.slot.get().unwrap()).addr())
        };

        // Other tests' threads take and return slots too, so it need not be the same one.
        let mut seen = std::collections::HashSet::new();
        for _ in 0..200 {
            seen.insert(thread::spawn(slot).join().unwrap());
        }
        assert!(
            seen.len() < 150,
            "{} slots for one thread at a time",
            seen.len()
        );
    }
}
