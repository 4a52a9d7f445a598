// SPDX-License-Identifier: Apache-2.0 OR MIT

//! `driver_override`: another driver binds the same device.

use super::field;

field! {
    /// An object of the first driver is refused by the binding of the second.
    object_of_the_driver_before catches NoRevokedCheck, EmptyAfterUnbind, ReleaseKeeps;
}

mod scenarios {
    use crate::{
        probe::Probe,
        scenario::{ensure, Check, Wrong},
        support::{balanced, device},
        tested::Tested,
    };
    use kernel::{prelude::*, testing::Driver};
    use std::sync::Arc;

    /// `device_match_driver_override()` lets only the named driver match; the `struct device` stays,
    /// as with vfio-pci. `__device_set_driver_override()` does not unbind the driver that is bound.
    pub(super) fn object_of_the_driver_before<S: Tested>() -> Check {
        let probe: Arc<Probe> = Arc::default();
        let mut dev = device()?;

        let mut kept = None;
        let first = dev.attach(Driver::new(|dev| {
            let object = S::new(dev, &probe)?;
            object.access(dev)?;
            kept = Some(object);
            Ok(())
        }))?;
        let object = kept.ok_or(EINVAL)?;
        ensure!(object.access(&first) == Ok(1), "while the first is bound");
        first.unbind();
        balanced(&probe, "when the first driver was unbound")?;

        dev.set_driver_override(Some(c"vfio"));
        let refused = dev.bind().err();
        ensure!(refused == Some(ENODEV), "the first driver: {refused:?}");
        let other = dev.attach(
            Driver::new(|dev| {
                let stale = object.access(dev);
                let fresh = S::new(dev, &probe)?;
                let served = fresh.access(dev);
                Ok((stale, served, fresh))
            })
            .name(c"vfio"),
        )?;
        let (stale, served, _) = other.data();
        ensure!(*stale == Err(ENXIO), "in the other's probe: {stale:?}");
        ensure!(*served == Ok(2), "an object of the other's: {served:?}");
        let stale = object.access(&other);
        ensure!(stale == Err(ENXIO), "while the other is bound: {stale:?}");
        other.unbind();
        balanced(&probe, "when the other driver was unbound")?;

        // Back to the first one.
        dev.set_driver_override(None);
        let first = dev.bind()?;
        let stale = object.access(&first);
        ensure!(stale == Err(ENXIO), "back with the first: {stale:?}");
        Ok(())
    }
}
