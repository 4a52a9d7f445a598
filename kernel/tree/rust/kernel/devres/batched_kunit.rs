// SPDX-License-Identifier: GPL-2.0

//! `Batched` in place of `Devres`.

use super::{
    kunit_support::{
        ensure,
        TestDevice, //
    },
    registry_kunit::Log,
    Batched,
    Devres,
    Lazy, //
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    new_lazy,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    types::ScopeGuard, //
};

/// A resource that notes its name when it is dropped.
struct Resource {
    name: i32,
    log: Arc<Log>,
}

impl Resource {
    fn new(name: i32, log: &Arc<Log>) -> Self {
        Self {
            name,
            log: log.clone(),
        }
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        self.log.note(self.name);
    }
}

fn batched(dev: &Device<Bound>, name: i32, log: &Arc<Log>) -> Result<Pin<KBox<Batched<Resource>>>> {
    KBox::pin_init(Batched::new(dev, Resource::new(name, log)), GFP_KERNEL)
}

#[kunit_tests(rust_devres_lazy_batched)]
mod tests {
    use super::*;

    /// Access by the right device and by another one, guards, drops, and the order at unbind.
    #[test]
    fn batched_stands_for_devres() -> Result {
        let log = Log::new()?;
        let (mut dev, other) = (TestDevice::new()?, TestDevice::new()?);

        let mut all = KVec::new();
        for name in 0..4 {
            all.push(batched(dev.bound()?.as_ref(), name, &log)?, GFP_KERNEL)?;
        }
        for (name, one) in (0..).zip(&all) {
            let bound: &Device<Bound> = dev.bound()?.as_ref();
            ensure!(one.access(bound)?.name == name, "access to {name}");
            let by_guard = one.try_access().map(|resource| resource.name);
            ensure!(by_guard == Some(name), "guard of {name}: {by_guard:?}");
            let is_same = one.device().as_raw() == bound.as_raw();
            ensure!(is_same, "the device of {name} is another one");
            let refused = one.access(other.bound()?.as_ref()).err();
            ensure!(refused == Some(EINVAL), "another device: {refused:?}");
        }

        drop(all.remove(1).map_err(|_| EINVAL)?);
        log.ensure(&[1])?;
        dev.unbind();
        log.ensure(&[3, 2, 0])?;
        ensure!(all[0].try_access().is_none(), "a guard after unbind");
        drop(all);
        log.ensure(&[])
    }

    /// A revoked resource stays revoked when the same device is bound again.
    #[test]
    fn batched_after_rebind() -> Result {
        let log = Log::new()?;
        let mut dev = TestDevice::new()?;
        let one = batched(dev.bound()?.as_ref(), 0, &log)?;
        dev.unbind();

        dev.rebind()?;
        let refused = one.access(dev.bound()?.as_ref()).err();
        ensure!(refused == Some(ENXIO), "after a rebind: {refused:?}");
        Ok(())
    }

    /// A failing initialiser leaves no resource, and no entry on the device's list.
    #[test]
    fn batched_that_fails() -> Result {
        let mut dev = TestDevice::new()?;

        // SAFETY: The closure fails, and has initialised nothing.
        let data = unsafe { pin_init::pin_init_from_closure(|_: *mut Resource| Err::<(), _>(EIO)) };
        let made = KBox::pin_init(Batched::new(dev.bound()?.as_ref(), data), GFP_KERNEL);
        let failed = made.err();
        ensure!(failed == Some(EIO), "{failed:?}");

        dev.unbind();
        dev.rebind()
    }

    /// `Batched::new()` fails while unbind is under way, and the resource is dropped.
    #[test]
    fn batched_during_unbind() -> Result {
        let log = Log::new()?;
        let mut dev = TestDevice::new()?;
        let refused = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;

        let callback = {
            let (log, refused) = (log.clone(), refused.clone());
            let dev: &Device<Bound> = dev.bound()?.as_ref();
            let dev: ARef<Device> = dev.into();
            ScopeGuard::new(move || {
                // SAFETY: Unbind is waiting for this callback.
                let dev = unsafe { dev.as_bound() };
                *refused.lock() = batched(dev, 0, &log).err();
            })
        };
        let _older = Devres::new(dev.bound()?.as_ref(), callback)?;
        dev.unbind();

        let refused: Option<Error> = *refused.lock();
        ensure!(
            refused == Some(ENXIO),
            "in the middle of unbind: {refused:?}"
        );
        log.ensure(&[0])?;
        dev.rebind()
    }

    /// Unbind drops `Batched` resources and those of slots in one order, the newest first.
    #[test]
    fn batched_among_slots() -> Result {
        let log = Log::new()?;
        let mut dev = TestDevice::new()?;
        let slots: [Pin<KBox<Lazy<Resource>>>; 2] = [
            KBox::pin_init(new_lazy!("first"), GFP_KERNEL)?,
            KBox::pin_init(new_lazy!("last"), GFP_KERNEL)?,
        ];

        let bound: &Device<Bound> = dev.bound()?.as_ref();
        slots[0].get_or_populate(bound, || Ok(Resource::new(0, &log)))?;
        let between = batched(bound, 1, &log)?;
        slots[1].get_or_populate(bound, || Ok(Resource::new(2, &log)))?;

        dev.unbind();
        log.ensure(&[2, 1, 0])?;
        drop(between);
        Ok(())
    }
}
