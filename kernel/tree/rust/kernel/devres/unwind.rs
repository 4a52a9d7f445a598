// SPDX-License-Identifier: GPL-2.0

//! Panics in the middle of the protocol. The kernel does not unwind: these functions are for the
//! host, which has its own version of this file.

use core::num::NonZero;

/// Runs `f`. On the host, a panic waits until `f` has ended.
#[inline]
pub(super) fn to_the_end<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Runs `f`. On the host, a panic waits for [`resume()`].
#[inline]
pub(super) fn postponed(_slot: NonZero<usize>, f: impl FnOnce()) {
    f();
}

/// Does nothing. On the host, a panic that [`postponed()`] has kept goes on here.
#[inline]
pub(super) fn resume(_slot: NonZero<usize>) {}

/// Runs `f`, which drops the resource of `slot`. On the host, a panic does not leave it.
#[inline]
pub(super) fn contained(_slot: NonZero<usize>, f: impl FnOnce()) {
    f();
}

/// Does nothing. The host reports a thread that waits for a resource that it drops itself.
#[inline]
pub(super) fn before_waiting_for(_slot: NonZero<usize>) {}
