// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Types without their lifetime, and resources that borrow the bound device.

use kernel::{
    device::{Bound, Device},
    devres::DevresLt,
    prelude::*,
    testing::{fail_nth, TestDevice},
    types::{CovariantForLt, ForLt},
};
use std::{
    any::type_name,
    cell::Cell,
    sync::{
        atomic::{AtomicU32, Ordering::Relaxed},
        Arc,
    },
};

/// A resource that borrows the device, and tells when it is dropped.
struct Window<'a> {
    dev: &'a Device<Bound>,
    dropped: Arc<AtomicU32>,
}

impl Drop for Window<'_> {
    fn drop(&mut self) {
        // The device is still there.
        assert_eq!(self.dev.name(), c"gpu0");
        self.dropped.fetch_add(1, Relaxed);
    }
}

/// One that is invariant over its lifetime.
struct Invariant<'a>(&'a Device<Bound>, Cell<Option<&'a str>>);

// SAFETY: The tests use it on one thread.
unsafe impl Send for Invariant<'_> {}

/// A [`Window`] without its lifetime.
type AnyWindow = CovariantForLt!(Window<'_>);

/// A window of a device.
fn window(dev: &Device<Bound>, dropped: &Arc<AtomicU32>) -> Result<DevresLt<AnyWindow>> {
    let window = Window {
        dev,
        dropped: dropped.clone(),
    };

    // SAFETY: The value borrows nothing but the bound device.
    unsafe { DevresLt::new(dev, window) }
}

#[test]
fn dropped_by_unbind() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let dropped = Arc::default();
    let bound = gpu.bind()?;
    let window = window(&bound, &dropped)?;

    assert_eq!(window.device().as_raw(), bound.as_raw());
    assert_eq!(window.access(&bound)?.dev.name(), c"gpu0");
    assert_eq!(
        window.access_with(&bound, |window| window.dev.as_raw())?,
        bound.as_raw()
    );
    {
        let guard = window.try_access().ok_or(ENXIO)?;
        assert_eq!(guard.dev.as_raw(), bound.as_raw());
    }
    assert_eq!(
        window.try_access_with(|window| window.dev.as_raw()),
        Some(bound.as_raw())
    );

    bound.unbind();
    assert_eq!(dropped.load(Relaxed), 1);
    assert!(window.try_access().is_none());
    assert!(window.try_access_with(|_| ()).is_none());
    drop(window);
    assert_eq!(dropped.load(Relaxed), 1);
    Ok(())
}

#[test]
fn dropped_before_unbind() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let dropped = Arc::default();
    let bound = gpu.bind()?;

    drop(window(&bound, &dropped)?);
    assert_eq!(dropped.load(Relaxed), 1);
    bound.unbind();
    assert_eq!(dropped.load(Relaxed), 1);
    Ok(())
}

#[test]
fn a_wrong_device_is_einval() -> Result {
    let (mut gpu, mut other) = (TestDevice::new(c"gpu0")?, TestDevice::new(c"gpu1")?);
    let (bound, other) = (gpu.bind()?, other.bind()?);
    let window = window(&bound, &Arc::default())?;

    assert_eq!(window.access(&other).err(), Some(EINVAL));
    assert_eq!(window.access_with(&other, |_| ()), Err(EINVAL));
    Ok(())
}

#[test]
fn a_failure_leaves_nothing() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let dropped = Arc::default();
    let bound = gpu.bind()?;

    let fault = fail_nth(1);
    assert_eq!(window(&bound, &dropped).err(), Some(ENOMEM));
    drop(fault);
    assert_eq!(dropped.load(Relaxed), 1);
    bound.unbind();
    assert_eq!(dropped.load(Relaxed), 1);
    Ok(())
}

#[test]
fn an_invariant_one_is_lent_to_a_closure() -> Result {
    let mut gpu = TestDevice::new(c"gpu0")?;
    let bound = gpu.bind()?;

    let dev: &Device<Bound> = &bound;
    // SAFETY: The value borrows nothing but the bound device.
    let slot = unsafe {
        DevresLt::<ForLt!(for<'x> Invariant<'x>)>::new(dev, Invariant(dev, Cell::new(None)))?
    };
    let name = slot.access_with(dev, |this| {
        this.1.set(Some("seen"));
        (this.0.name().to_owned(), this.1.get() == Some("seen"))
    })?;
    assert_eq!(name, (c"gpu0".to_owned(), true));
    Ok(())
}

#[test]
fn what_the_macros_take() {
    fn of<F: ForLt>() -> &'static str {
        type_name::<F::Of<'static>>()
    }
    fn covariant<F: CovariantForLt>() -> &'static str {
        of::<F>()
    }
    fn generic<T: 'static>() -> &'static str {
        covariant::<CovariantForLt!((&[T], *const &T))>()
    }

    assert_eq!(of::<ForLt!(u32)>(), "u32");
    assert_eq!(of::<ForLt!(&u32)>(), "&u32");
    assert_eq!(of::<ForLt!(for<'a> &'a mut &'a u32)>(), "&mut &u32");
    assert_eq!(of::<ForLt!(fn(&u32))>(), "fn(&u32)");
    assert_eq!(
        covariant::<CovariantForLt!(Option<&u32>)>(),
        "core::option::Option<&u32>"
    );
    assert_eq!(covariant::<CovariantForLt!(&mut u8)>(), "&mut u8");
    assert_eq!(generic::<u8>(), "(&[u8], *const &u8)");

    // The value whose lifetime is shortened stays the same.
    let long = &7_u32;
    assert_eq!(**<CovariantForLt!(&u32)>::cast_ref(&long), 7);
}
