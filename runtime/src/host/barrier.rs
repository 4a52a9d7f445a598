// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Memory barriers.
//!
//! Stands for `rust/kernel/sync/barrier.rs`, as far as the slot needs it.

pub use super::atomic::Full;

use core::sync::atomic::{fence, Ordering};

/// Orders all accesses before it with all after it. Stands for `smp_mb()`.
///
/// # Examples
///
/// Of two threads that each write and then look for what the other one has written, at least one
/// finds it:
///
/// ```
/// use kernel::sync::{
///     atomic::{AtomicFlag, Relaxed},
///     barrier::{smp_mb, Full},
/// };
///
/// let (mine, theirs) = (AtomicFlag::new(false), AtomicFlag::new(false));
/// let meet = |written: &AtomicFlag, looked_for: &AtomicFlag| {
///     written.store(true, Relaxed);
///     smp_mb(Full);
///     looked_for.load(Relaxed)
/// };
///
/// std::thread::scope(|scope| {
///     let other = scope.spawn(|| meet(&theirs, &mine));
///     let found = meet(&mine, &theirs);
///     assert!(found || other.join().unwrap());
/// });
/// ```
#[inline]
pub fn smp_mb(_: Full) {
    fence(Ordering::SeqCst);
}
