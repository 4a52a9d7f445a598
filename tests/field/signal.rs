// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A signal that interrupts a first access.

use super::field;

field! {
    /// The slot stays empty, and the restarted call maps.
    interrupted_and_restarted catches StaysFailed, Unbalanced;

    /// A thread that waits for the interrupted one maps in its place.
    interrupted_with_a_waiter catches StaysFailed, Unbalanced;
}

mod scenarios {
    use crate::{
        probe::Probe,
        scenario::{comes_true, ensure, Check, Wrong},
        support::{balanced, device, GRACE},
        tested::Tested,
    };
    use kernel::{
        device::{Bound, Device},
        prelude::*,
    };
    use std::{
        sync::{mpsc, Arc},
        thread,
    };

    /// An initialiser that sleeps interruptibly returns `-EINTR` or `-ERESTARTSYS`, such as
    /// `dma_resv_lock_interruptible()`, and `wait_for_completion_killable()` with a fatal signal. It
    /// is an error as any other: the call is restarted, or the task goes.
    pub(super) fn interrupted_and_restarted<S: Tested>() -> Check {
        let probe: Arc<Probe> = Arc::default();
        let mut dev = device()?;
        let bound = dev.bind()?;
        let object = S::new(&bound, &probe)?;

        for error in [EINTR, ERESTARTSYS, EINTR] {
            probe.next_make(move |_| Err(error));
            let interrupted = object.access(&bound);
            ensure!(
                interrupted == Err(error),
                "interrupted by {error:?}: {interrupted:?}"
            );
            let peek = object.peek(&bound);
            ensure!(peek == Ok(None), "after {error:?}: {peek:?}");
            balanced(&probe, "after a signal")?;
        }
        let restarted = object.access(&bound);
        ensure!(restarted == Ok(4), "restarted: {restarted:?}");
        bound.unbind();
        balanced(&probe, "after unbind")
    }

    /// The thread that waits does not get the other one's error: the signal was not its own.
    pub(super) fn interrupted_with_a_waiter<S: Tested>() -> Check {
        let probe: Arc<Probe> = Arc::default();
        let mut dev = device()?;
        let bound = dev.bind()?;
        let object = S::new(&bound, &probe)?;

        let (entered, enter) = mpsc::channel::<()>();
        let everybody = probe.clone();
        probe.next_make(move |_| {
            drop(entered);
            // Both threads have come to the slow path.
            comes_true(GRACE, || everybody.asked() == 2);
            Err(EINTR)
        });
        let (interrupted, waited) = thread::scope(|scope| {
            let dev: &Device<Bound> = &bound;
            let object = &object;
            let first = scope.spawn(move || object.access(dev));
            let _ = enter.recv();
            let second = scope.spawn(move || object.access(dev));
            (
                first.join().unwrap_or(Err(EIO)),
                second.join().unwrap_or(Err(EIO)),
            )
        });
        ensure!(interrupted == Err(EINTR), "interrupted: {interrupted:?}");
        ensure!(waited == Ok(2), "the one that waited: {waited:?}");
        drop(object);
        balanced(&probe, "after the free")
    }
}
