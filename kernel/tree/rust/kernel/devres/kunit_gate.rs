// SPDX-License-Identifier: GPL-2.0

//! Gates, at which a test stops a thread in the middle of its work.

use crate::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            AtomicFlag,
            Release, //
        },
        Completion, //
    },
};

/// A gate that a test may close, once.
#[pin_data]
pub(super) struct Gate {
    is_closed: AtomicFlag,
    #[pin]
    reached: Completion,
    #[pin]
    opened: Completion,
}

impl Gate {
    /// Returns a gate that is open.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            is_closed: AtomicFlag::new(false),
            reached <- Completion::new(),
            opened <- Completion::new(),
        })
    }

    /// Closes the gate. From here on, a thread that comes to the gate waits.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Release);
    }

    /// Opens the gate, and lets all waiting threads through.
    pub(super) fn open(&self) {
        self.is_closed.store(false, Release);
        self.opened.complete_all();
    }

    /// Waits until the gate is open.
    pub(super) fn pass(&self) {
        if self.is_closed.load(Acquire) {
            self.reached.complete_all();
            self.opened.wait_for_completion();
        }
    }

    /// Waits until a thread has come to the closed gate.
    pub(super) fn wait_for_a_thread(&self) {
        self.reached.wait_for_completion();
    }
}
