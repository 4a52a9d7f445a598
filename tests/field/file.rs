// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A file that user space holds open, and whose object outlives the binding.

use super::field;

field! {
    /// The file is closed while the driver's unbind callback waits for that.
    closed_in_unbind_callback catches DropKeeps, DropsTwice;

    /// Unbind is dropping the resource when the file is closed: the close waits.
    closed_during_release catches DropDoesNotWait, DropsTwice;

    /// The close is dropping the resource when unbind comes there: unbind waits.
    closed_before_release catches ReleaseDoesNotWait, DropsTwice;

    /// The file is still open when the device is bound again: every access to the object fails.
    open_across_a_rebind catches NoRevokedCheck, EmptyAfterUnbind, ReleaseKeeps;
}

mod scenarios {
    use crate::{
        probe::Probe,
        scenario::{comes_true, ensure, Check, Wrong},
        support::{balanced, device, Seen, GRACE},
        tested::Tested,
    };
    use kernel::{prelude::*, testing::Driver};
    use std::{
        sync::{
            atomic::{AtomicBool, Ordering::SeqCst},
            mpsc, Arc,
        },
        thread,
    };

    /// `device_remove()` holds the device's lock and nothing of devres: a free in that time is an
    /// ordinary one, on another thread, and finds the resource populated.
    pub(super) fn closed_in_unbind_callback<S: Tested>() -> Check {
        let probe: Arc<Probe> = Arc::default();
        let live = Seen::default();
        let mut dev = device()?;

        let (unplug, unplugged) = mpsc::channel::<()>();
        let (closed, close) = mpsc::channel::<()>();
        let driver = Driver::new(|_| Ok(())).unbind({
            let (probe, live) = (probe.clone(), live.clone());
            move |_, _| {
                drop(unplug);
                let _ = close.recv();
                live.note(probe.live());
            }
        });
        let bound = dev.attach(driver)?;
        let object = S::new(&bound, &probe)?;
        object.access(&bound)?;

        thread::scope(|scope| {
            scope.spawn(move || {
                let _ = unplugged.recv();
                drop(object);
                drop(closed);
            });
            bound.unbind();
        });
        let live = live.take();
        ensure!(live == [0], "left when the file was closed: {live:?}");
        balanced(&probe, "after unbind")
    }

    /// `Devres::drop()` and `devres_node_release()` of `rust/kernel/devres.rs` wait for each other:
    /// the second of the two returns when the resource is gone.
    pub(super) fn closed_during_release<S: Tested>() -> Check {
        let probe: Arc<Probe> = Arc::default();
        let mut dev = device()?;
        let bound = dev.bind()?;
        let object = S::new(&bound, &probe)?;
        object.access(&bound)?;
        probe.drop_gate.close();

        let is_closed = AtomicBool::new(false);
        let early = thread::scope(|scope| {
            scope.spawn(|| bound.unbind());
            probe.drop_gate.wait_for_a_thread();

            scope.spawn(|| {
                drop(object);
                is_closed.store(true, SeqCst);
            });
            let early = comes_true(GRACE, || is_closed.load(SeqCst));
            probe.drop_gate.open();
            early
        });
        ensure!(!early, "the file was closed before the resource was gone");
        balanced(&probe, "after both")
    }

    /// The other order: when `device_release_driver()` returns, what the binding had is gone, and
    /// the driver's module may go. So it waits for a close that is in the middle of the drop.
    pub(super) fn closed_before_release<S: Tested>() -> Check {
        let probe: Arc<Probe> = Arc::default();
        let mut dev = device()?;
        let bound = dev.bind()?;
        let object = S::new(&bound, &probe)?;
        object.access(&bound)?;
        probe.drop_gate.close();

        let is_unbound = AtomicBool::new(false);
        let early = thread::scope(|scope| {
            scope.spawn(|| drop(object));
            probe.drop_gate.wait_for_a_thread();

            scope.spawn(|| {
                bound.unbind();
                is_unbound.store(true, SeqCst);
            });
            let early = comes_true(GRACE, || is_unbound.load(SeqCst));
            probe.drop_gate.open();
            early
        });
        ensure!(!early, "unbind returned before the resource was gone");
        balanced(&probe, "after both")
    }

    /// The file's object belongs to the binding in which it was mapped. A later binding of the same
    /// `struct device` gives it a `Device<Bound>` of the right address, and nothing else:
    /// `Devres::access()` compares only the address, which is not enough.
    pub(super) fn open_across_a_rebind<S: Tested>() -> Check {
        let probe: Arc<Probe> = Arc::default();
        let mut dev = device()?;

        let bound = dev.bind()?;
        let object = S::new(&bound, &probe)?;
        object.access(&bound)?;
        bound.unbind();
        balanced(&probe, "when unbind returned")?;

        let bound = dev.bind()?;
        let again = object.access(&bound);
        ensure!(again == Err(ENXIO), "in the next binding: {again:?}");
        // A file that is opened now.
        let other = S::new(&bound, &probe)?;
        let fresh = other.access(&bound);
        ensure!(fresh == Ok(2), "a new object: {fresh:?}");
        drop(object);
        ensure!(probe.live() == 1, "{} resources are live", probe.live());
        Ok(())
    }
}
