// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Sleepable read-side sections that unplugging a DRM device waits for: `drm_unplug_srcu` of
//! `drivers/gpu/drm/drm_drv.c`, with what it uses of `kernel/rcu/srcutree.c`.
//!
//! One domain for all devices, as in C: unplugging one waits for the sections of all.

use crate::fault;
use core::{cell::Cell, ffi::c_int};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The sections under way. Those that begin now are counted at `current`, and a grace period waits
/// for the others.
struct Readers {
    current: usize,
    counts: [u64; 2],
}

static READERS: Mutex<Readers> = Mutex::new(Readers {
    current: 0,
    counts: [0; 2],
});
static EMPTY: Condvar = Condvar::new();

std::thread_local! {
    /// This thread's own sections.
    static OWN: Cell<[u64; 2]> = const { Cell::new([0; 2]) };
}

fn readers() -> MutexGuard<'static, Readers> {
    READERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins a section, and returns the index that ends it.
pub(crate) fn read_lock() -> c_int {
    let mut readers = readers();
    let idx = readers.current;
    readers.counts[idx] += 1;
    drop(readers);

    OWN.with(|own| {
        let mut counts = own.get();
        counts[idx] += 1;
        own.set(counts);
    });
    // CAST: It is 0 or 1.
    idx as c_int
}

/// Ends a section.
///
/// # Panics
///
/// If this thread has begun none of that index.
#[track_caller]
pub(crate) fn read_unlock(idx: c_int) {
    let idx = usize::from(idx != 0);

    OWN.with(|own| {
        let mut counts = own.get();
        assert!(
            counts[idx] != 0,
            "drm_dev_exit() without drm_dev_enter() on this thread"
        );
        counts[idx] -= 1;
        own.set(counts);
    });

    let mut readers = readers();
    readers.counts[idx] -= 1;
    if readers.counts[idx] == 0 {
        EMPTY.notify_all();
    }
}

/// Waits for all sections that have begun before: `synchronize_srcu()`. May sleep.
///
/// # Panics
///
/// If this thread is in a section, which it would wait for.
#[track_caller]
pub(crate) fn synchronize() {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    fault::might_sleep("synchronize_srcu");
    assert_eq!(
        OWN.with(Cell::get),
        [0; 2],
        "deadlock: drm_dev_unplug() between drm_dev_enter() and drm_dev_exit() of the same thread"
    );

    let _lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut readers = readers();
    // The last call has waited until nobody was at the other index.
    let before = readers.current;
    readers.current = 1 - before;
    while readers.counts[before] != 0 {
        readers = EMPTY.wait(readers).unwrap_or_else(PoisonError::into_inner);
    }
}
