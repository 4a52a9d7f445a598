// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A probe that fails or is deferred, and leaves an object behind.

use super::field;

field! {
    /// The probe's mapping is gone when it returns. The binding of a later probe refuses the object,
    /// and serves an object that was not mapped.
    object_left_by_failed_probe catches ReleaseKeeps, NoRevokedCheck, EmptyAfterUnbind, DropsTwice;

    /// The same for each retry of a deferred probe, which makes its own object.
    deferred_until_the_third_try catches ReleaseKeeps, DropsTwice;
}

mod scenarios {
    use crate::{
        probe::Probe,
        scenario::{ensure, Check, Wrong},
        support::{balanced, device},
        tested::Tested,
    };
    use kernel::prelude::*;
    use std::sync::Arc;

    /// `really_probe()` ends at `device_unbind_cleanup()` if `call_driver_probe()` returns an error,
    /// and so releases what devres has, as unbind does; `-EPROBE_DEFER` is one of these errors.
    pub(super) fn object_left_by_failed_probe<S: Tested>() -> Check {
        for error in [EIO, EPROBE_DEFER] {
            let probe: Arc<Probe> = Arc::default();
            let mut dev = device()?;

            let (mut mapped, mut empty) = (None, None);
            let failed = dev.probe(|dev| -> Result {
                let object = S::new(dev, &probe)?;
                object.access(dev)?;
                mapped = Some(object);
                empty = Some(S::new(dev, &probe)?);
                Err(error)
            });
            ensure!(failed.is_err(), "a failing probe binds");
            drop(failed);
            balanced(&probe, "when the probe had failed")?;
            let (mapped, empty) = mapped.zip(empty).ok_or(EINVAL)?;

            let bound = dev.probe(|dev| Ok(mapped.access(dev)))?;
            let while_probing = *bound.data();
            ensure!(
                while_probing == Err(ENXIO),
                "{error:?}, then {while_probing:?} in the next probe"
            );
            let again = mapped.access(&bound);
            ensure!(again == Err(ENXIO), "{error:?}, then {again:?}");
            let served = empty.access(&bound);
            ensure!(served == Ok(2), "{error:?}, an empty object: {served:?}");
            bound.unbind();
            drop((mapped, empty));
            balanced(&probe, "in the end")?;
        }
        Ok(())
    }

    /// `deferred_probe_work_func()` probes the same device again, as often as it takes.
    pub(super) fn deferred_until_the_third_try<S: Tested>() -> Check {
        let probe: Arc<Probe> = Arc::default();
        let mut dev = device()?;

        let mut left = Vec::new();
        for _ in 0..2 {
            let deferred = dev.probe(|dev| -> Result {
                let object = S::new(dev, &probe)?;
                object.access(dev)?;
                left.push(object);
                Err(EPROBE_DEFER)
            });
            let deferred = deferred.err();
            ensure!(deferred == Some(EPROBE_DEFER), "a retry: {deferred:?}");
            balanced(&probe, "after a retry")?;
        }

        let bound = dev.probe(|dev| {
            let object = S::new(dev, &probe)?;
            object.access(dev)?;
            Ok(object)
        })?;
        ensure!(probe.live() == 1, "{} resources are live", probe.live());
        drop(left);
        ensure!(probe.live() == 1, "an object of a failed probe dropped it");
        bound.unbind();
        balanced(&probe, "in the end")
    }
}
