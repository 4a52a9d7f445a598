// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The functions of the runtime's `fault` that the copies use. The runtime's own are not public.

use std::{
    num::NonZeroU64,
    sync::atomic::{AtomicU64, Ordering},
};

thread_local! {
    static TASK: NonZeroU64 = {
        static LAST: AtomicU64 = AtomicU64::new(0);

        NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed))
    };
}

/// Returns a number that no other thread of this process has or had.
pub(crate) fn current_task() -> NonZeroU64 {
    TASK.with(|task| *task)
}

/// Does nothing: no thread is in atomic context here.
pub(crate) fn might_sleep(_what: &str) {}
