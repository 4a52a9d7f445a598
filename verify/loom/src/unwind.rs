// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Panics in the middle of the protocol: the model checker has none.

use std::num::NonZero;

/// Runs `f`: nothing unwinds under the model checker.
pub(super) fn to_the_end<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Runs `f`: nothing unwinds under the model checker.
pub(super) fn postponed(_slot: NonZero<usize>, f: impl FnOnce()) {
    f();
}

/// Does nothing: no panic was postponed.
pub(super) fn resume(_slot: NonZero<usize>) {}

/// Runs `f`: nothing unwinds under the model checker.
pub(super) fn contained(_slot: NonZero<usize>, f: impl FnOnce()) {
    f();
}

/// Does nothing: the model checker finds threads that wait for ever.
pub(super) fn before_waiting_for(_slot: NonZero<usize>) {}
