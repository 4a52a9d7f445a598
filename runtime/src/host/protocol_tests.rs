// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Host tests of states that annotated fields reach rarely or never. The KUnit suites have the
//! others.

use super::{
    devres_node::Node,
    evictable::{EvictableLazy, PinEntry},
    lazy::Lazy,
    pins::Pins,
    registry::Registry,
    table,
};
use crate::{
    device::Device,
    new_evictable_lazy, new_lazy,
    prelude::*,
    sync::{aref::ARef, atomic::Relaxed, Arc},
    testing::{fail_nth, TestDevice},
};
use std::thread;

/// A device whose bindings end with the test.
fn device() -> Result<TestDevice> {
    TestDevice::new(c"dev0")
}

#[test]
fn a_node_on_no_list_returns_its_reference() -> Result {
    let mut dev = device()?;
    let bound = dev.bind()?;
    Registry::prepare(&bound)?;
    let registry = table::find(&bound)?.ok_or(ENODEV)?;

    drop(Node::new(registry.clone())?);
    bound.unbind();
    assert!(Arc::into_unique_or_drop(registry).is_some());
    Ok(())
}

#[test]
fn a_retired_slot_refuses_devices() -> Result {
    let mut dev = device()?;
    let bound = dev.bind()?;
    let resource = Arc::new((), GFP_KERNEL)?;
    let mut lazy: Pin<KBox<Lazy<Arc<()>>>> = KBox::pin_init(new_lazy!(), GFP_KERNEL)?;
    let mut evictable: Pin<KBox<EvictableLazy<Arc<()>>>> =
        KBox::pin_init(new_evictable_lazy!(), GFP_KERNEL)?;
    lazy.get_or_populate(&bound, || Ok(resource.clone()))?;
    if let PinEntry::Vacant(vacant) = evictable.entry(&bound)? {
        drop(vacant.populate(|| Ok(resource.clone()))?);
    }

    lazy.as_mut().retire();
    evictable.as_mut().retire();
    assert!(Arc::into_unique_or_drop(resource).is_some());
    assert_eq!(lazy.entry(&bound).err(), Some(ENXIO));
    assert_eq!(evictable.entry(&bound).err(), Some(ENXIO));

    // A retired slot stays retired.
    lazy.as_mut().revoke();
    assert_eq!(lazy.entry(&bound).err(), Some(ENXIO));
    Ok(())
}

#[test]
fn a_binding_has_one_registry() -> Result {
    let mut dev = device()?;
    let bound = dev.bind()?;
    let lazy: Pin<KBox<Lazy<u32>>> = KBox::pin_init(new_lazy!(), GFP_KERNEL)?;
    let second: Pin<KBox<Lazy<u32>>> = KBox::pin_init(new_lazy!(), GFP_KERNEL)?;
    lazy.get_or_populate(&bound, || Ok(1))?;

    let fault = fail_nth(1);
    second.get_or_populate(&bound, || Ok(2))?;
    assert!(!fault.tripped());
    Ok(())
}

#[test]
fn a_slot_is_busy_for_other_devices_while_it_is_populated() -> Result {
    let [mut dev, mut other] = [device()?, device()?];
    let [bound, other] = [dev.bind()?, other.bind()?];
    let lazy: Pin<KBox<Lazy<u32>>> = KBox::pin_init(new_lazy!(), GFP_KERNEL)?;

    lazy.get_or_populate(&bound, || {
        let refused = || lazy.entry(&other).err();
        let error = thread::scope(|scope| scope.spawn(refused).join());
        assert_eq!(error.unwrap(), Some(EBUSY));
        Ok(1)
    })?;
    Ok(())
}

/// A resource whose destructor populates another slot.
struct Populates {
    slot: Arc<Lazy<Arc<()>>>,
    dev: ARef<Device>,
    resource: Arc<()>,
}

impl Drop for Populates {
    fn drop(&mut self) {
        // SAFETY: The test releases a group of the device, which stays bound.
        let dev = unsafe { self.dev.as_bound() };
        let populated = self.slot.get_or_populate(dev, || Ok(self.resource.clone()));
        assert!(populated.is_ok());
    }
}

#[test]
fn a_slot_is_populated_while_a_group_with_the_registry_is_released() -> Result {
    let mut dev = device()?;
    let mut bound = dev.bind()?;
    let resource = Arc::new((), GFP_KERNEL)?;
    let slot = Arc::pin_init(new_lazy!(), GFP_KERNEL)?;
    let populates = Populates {
        slot,
        dev: bound.device(),
        resource: resource.clone(),
    };
    let first: Pin<KBox<Lazy<Populates>>> = KBox::pin_init(new_lazy!(), GFP_KERNEL)?;

    let group = bound.open_group()?;
    first.get_or_populate(&bound, || Ok(populates))?;
    bound.close_group(&group);
    bound.release_group(group);
    assert!(Arc::into_unique_or_drop(resource.clone()).is_none());
    bound.unbind();
    drop(first);
    assert!(Arc::into_unique_or_drop(resource).is_some());
    Ok(())
}

#[test]
fn a_refused_access_allocates_nothing() -> Result {
    let [mut dev, mut other] = [device()?, device()?];
    let [bound, other] = [dev.bind()?, other.bind()?];
    let lazy: Pin<KBox<Lazy<u32>>> = KBox::pin_init(new_lazy!(), GFP_KERNEL)?;
    lazy.get_or_populate(&bound, || Ok(1))?;

    let fault = fail_nth(1);
    assert_eq!(lazy.entry(&other).err(), Some(EINVAL));
    assert!(!fault.tripped());
    Ok(())
}

#[test]
fn a_pin_too_many_is_refused_and_not_counted() -> Result {
    let pins = Pins::new();
    pins.count.store(isize::MAX, Relaxed);

    let last = pins.pin()?;
    assert_eq!(pins.pin().err(), Some(EOVERFLOW));
    drop(last);
    assert_eq!(pins.count.load(Relaxed), isize::MAX);
    Ok(())
}
