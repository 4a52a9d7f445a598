// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A device that is removed, and found again by a rescan.

use super::field;
use kernel::{devres::Lazy, new_lazy, prelude::*, testing::TestDevice};

field! {
    /// The rescan finds another `struct device`, of the same name: the object does not belong to
    /// it.
    removed_and_found_elsewhere catches ReleaseKeeps, NoDeviceCheck, DropsTwice;
}

/// The rescan finds a `struct device` at the address of the one before, which no object has held.
/// A slot of the device before is still revoked, and a new one is served.
///
/// `device_release()` frees the memory with the last reference, and a slot holds none: it compares
/// addresses. So the slot stays revoked when the device is gone.
#[test]
fn removed_and_found_at_the_same_address() -> Result {
    let slot = KBox::pin_init(new_lazy!("hotplug::slot"), GFP_KERNEL)?;
    let slot: Pin<KBox<Lazy<u32>>> = slot;
    let mut dev = TestDevice::new(c"gpu0")?;
    let address = dev.device().as_raw().addr();
    let bound = dev.bind()?;
    assert_eq!(slot.get_or_populate(&bound, || Ok(1)).copied(), Ok(1));
    bound.unbind();
    drop(dev);

    // The allocator gives the memory back soon, but for those that keep it to find faults.
    let mut others = Vec::new();
    let mut dev = loop {
        let dev = TestDevice::new(c"gpu0")?;
        if dev.device().as_raw().addr() == address {
            break dev;
        }
        others.push(dev);
        if others.len() == 10_000 {
            println!("skipped: this allocator keeps the memory");
            return Ok(());
        }
    };
    let bound = dev.bind()?;
    assert!(slot.get(&bound).is_none(), "of the device before");
    let again = slot.get_or_populate(&bound, || Ok(2)).copied();
    assert_eq!(again, Err(ENXIO));

    let fresh = KBox::pin_init(new_lazy!("hotplug::slot"), GFP_KERNEL)?;
    let fresh: Pin<KBox<Lazy<u32>>> = fresh;
    assert_eq!(fresh.get_or_populate(&bound, || Ok(3)).copied(), Ok(3));
    Ok(())
}

mod scenarios {
    use crate::{
        probe::Probe,
        scenario::{ensure, Check, Wrong},
        support::{balanced, device},
        tested::Tested,
    };
    use kernel::prelude::*;
    use std::{mem, sync::Arc};

    /// `device_del()` unbinds the driver by `bus_remove_device()`. The `struct device` stays until
    /// `put_device()` by the object, so the one that the rescan makes has another address.
    pub(super) fn removed_and_found_elsewhere<S: Tested>() -> Check {
        let probe: Arc<Probe> = Arc::default();
        let mut dev = device()?;
        let bound = dev.bind()?;
        let object = S::new(&bound, &probe)?;
        object.access(&bound)?;
        // Surprise removal: the driver is bound.
        mem::forget(bound);
        drop(dev);
        balanced(&probe, "when the device was removed")?;

        let mut found = device()?;
        let bound = found.bind()?;
        let other = object.access(&bound);
        ensure!(other == Err(EINVAL), "on the new device: {other:?}");
        let fresh = S::new(&bound, &probe)?;
        let served = fresh.access(&bound);
        ensure!(served == Ok(2), "a new object: {served:?}");
        drop(object);
        ensure!(probe.live() == 1, "{} resources are live", probe.live());
        drop(fresh);
        balanced(&probe, "in the end")
    }
}
