// SPDX-License-Identifier: Apache-2.0 OR MIT

//! An object in the driver's private data.

use super::field;

field! {
    /// Its resource is dropped with the data, before devres releases anything.
    object_in_driver_data catches DropKeeps, DropsTwice;

    /// The driver's unbind callback still uses it, also for the first time if the slots have their
    /// place.
    object_in_unbind_callback catches StaysFailed, Unbalanced;
}

mod scenarios {
    use crate::{
        probe::Probe,
        scenario::{ensure, Check, Wrong},
        support::{balanced, device, Seen},
        tested::Tested,
    };
    use kernel::{
        devres::{prepare, Devres},
        prelude::*,
        testing::Driver,
        types::ScopeGuard,
    };
    use std::sync::Arc;

    /// `device_unbind_cleanup()` calls `post_unbind_rust()`, which drops the private data, and then
    /// `devres_release_all()`. The owner is freed first, so its slot leaves the list, and the drop is
    /// not one of unbind's: a `Devres` that is newer than the slot is still there.
    pub(super) fn object_in_driver_data<S: Tested>() -> Check {
        let probe: Arc<Probe> = Arc::default();
        let live = Seen::default();
        let mut dev = device()?;

        let mut newer = None;
        let bound = dev.probe(|dev| {
            let object = S::new(dev, &probe)?;
            object.access(dev)?;
            let (probe, live) = (probe.clone(), live.clone());
            newer = Some(Devres::new(
                dev,
                ScopeGuard::new(move || live.note(probe.live())),
            )?);
            Ok(object)
        })?;
        let id = bound.data().access(&bound)?;
        ensure!(id == 1, "resource {id} in place of the one of the probe");
        ensure!(probe.live() == 1, "dropped while bound");

        bound.unbind();
        let live = live.take();
        ensure!(live == [0], "left when devres began to release: {live:?}");
        balanced(&probe, "after unbind")
    }

    /// `device_remove()` comes before `device_unbind_cleanup()`: all is there in the callback. The
    /// state is `DL_DEV_UNBINDING` by then, so a first access needs a registry that is there.
    pub(super) fn object_in_unbind_callback<S: Tested>() -> Check {
        let probe: Arc<Probe> = Arc::default();
        let seen = Seen::default();
        let mut dev = device()?;

        let driver = Driver::new(|dev| {
            prepare(dev)?;
            S::new(dev, &probe)
        })
        .unbind({
            let (seen, probe) = (seen.clone(), probe.clone());
            move |dev, object| {
                probe.next_make(|_| Err(EAGAIN));
                seen.note(object.access(dev));
                seen.note(object.access(dev));
            }
        });
        let late = Seen::default();
        let bound = dev.attach(driver)?;
        let newer = {
            let (probe, late) = (probe.clone(), late.clone());
            Devres::new(&bound, ScopeGuard::new(move || late.note(probe.live())))?
        };
        bound.unbind();
        drop(newer);

        let seen = seen.take();
        ensure!(
            seen == [Err(EAGAIN), Ok(2)],
            "in the unbind callback: {seen:?}"
        );
        let late = late.take();
        ensure!(late == [0], "left when devres began to release: {late:?}");
        balanced(&probe, "after unbind")
    }
}
