// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A supplier, whose consumer is unbound first.

use super::field;

field! {
    /// The consumer's resource is gone before the supplier's driver is asked to unbind.
    consumer_goes_first catches ReleaseKeeps, DropsTwice;
}

mod scenarios {
    use crate::{
        probe::Probe,
        scenario::{ensure, Check, Wrong},
        support::{balanced, Seen},
        tested::Tested,
    };
    use kernel::{
        prelude::*,
        testing::{Driver, TestDevice},
    };
    use std::sync::Arc;

    /// `__device_release_driver()` goes on to `device_remove()` when `device_links_busy()` finds no
    /// consumer with a driver; until then `device_links_unbind_consumers()` unbinds them.
    pub(super) fn consumer_goes_first<S: Tested>() -> Check {
        let (probe, suppliers): (Arc<Probe>, Arc<Probe>) = Default::default();
        let seen = Seen::default();
        let mut supplier = TestDevice::new(c"iommu0")?;
        let mut consumer = TestDevice::new(c"gpu0")?;

        let mut kept = Vec::new();
        {
            let driver = Driver::new(|dev| {
                let object = S::new(dev, &suppliers)?;
                object.access(dev)?;
                Ok(object)
            })
            .unbind({
                let (seen, probe) = (seen.clone(), probe.clone());
                move |dev, object| seen.note((probe.live(), object.access(dev)))
            });
            let bound = supplier.attach(driver)?;
            let consumer = bound.add_consumer(consumer.bind()?)?;
            let object = S::new(&consumer, &probe)?;
            object.access(&consumer)?;
            kept.push(object);
            bound.unbind();
        }
        let seen = seen.take();
        ensure!(
            seen == [(0, Ok(1))],
            "what the supplier's driver finds: {seen:?}"
        );
        balanced(&probe, "the consumer's")?;
        balanced(&suppliers, "the supplier's")?;

        // Both can be bound again; the object of the consumer stays revoked.
        let _supplier = supplier.bind()?;
        let bound = consumer.bind()?;
        let again = kept[0].access(&bound);
        ensure!(again == Err(ENXIO), "after a rebind: {again:?}");
        Ok(())
    }
}
