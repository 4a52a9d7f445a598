// SPDX-License-Identifier: GPL-2.0

//! What may use a slot while its device is being unbound: callbacks on other threads, what dropping
//! the resource calls, and what follows the release of a group.

use super::{
    kunit_support::{
        completion,
        ensure,
        TestDevice,
        Thread, //
    },
    prepare,
    register,
    Lazy, //
};
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    new_lazy,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    types::ScopeGuard, //
};
use core::ptr;

/// A resource that is counted when it is dropped.
struct Counted(Arc<Atomic<i32>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// An owner of one.
#[pin_data]
struct Owner {
    #[pin]
    counted: Lazy<Counted>,
}

impl Owner {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                counted <- new_lazy!("Owner::counted"),
            }),
            GFP_KERNEL,
        )
    }

    fn populate(&self, dev: &Device<Bound>, dropped: &Arc<Atomic<i32>>) -> Result {
        self.counted
            .lock()
            .populate(dev, || Ok(Counted(dropped.clone())))?;
        Ok(())
    }
}

/// What a resource finds in its own slot when it is dropped: is it lent, is there a guard to it,
/// and what another population ends with.
type Found = (bool, bool, Option<Error>);

/// A resource that looks into its own slot when it is dropped.
struct Dying {
    slot: *const Lazy<Self>,
    dev: ARef<Device>,
    found: Arc<Mutex<Option<Found>>>,
}

// SAFETY: The slot may be used on any thread.
unsafe impl Send for Dying {}

// SAFETY: As above.
unsafe impl Sync for Dying {}

impl Drop for Dying {
    fn drop(&mut self) {
        // SAFETY: The slot is there until its resource is dropped.
        let slot = unsafe { &*self.slot };
        // SAFETY: The device is bound, or being unbound.
        let dev = unsafe { self.dev.as_bound() };

        let again = slot.lock().populate(dev, || -> Result<Self> { Err(EIO) });
        let found = (
            slot.get(dev).is_some(),
            slot.try_access().is_some(),
            again.err(),
        );
        *self.found.lock() = Some(found);
    }
}

type DyingSlot = Pin<KBox<Lazy<Dying>>>;

/// A group of managed resources, which is released when this is dropped.
struct Group<'a> {
    dev: &'a Device<Bound>,
    id: *mut c_void,
}

impl<'a> Group<'a> {
    fn open(dev: &'a Device<Bound>) -> Result<Self> {
        // SAFETY: `dev` is valid; without an identity the group gets one.
        let id = unsafe {
            bindings::devres_open_group(dev.as_raw(), ptr::null_mut(), GFP_KERNEL.as_raw())
        };
        if id.is_null() {
            return Err(ENOMEM);
        }

        Ok(Self { dev, id })
    }

    fn close(&self) {
        // SAFETY: The group is on the device.
        unsafe { bindings::devres_close_group(self.dev.as_raw(), self.id) };
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        // SAFETY: As in `close()`.
        unsafe { bindings::devres_release_group(self.dev.as_raw(), self.id) };
    }
}

#[kunit_tests(rust_devres_lazy_callbacks)]
mod tests {
    use super::*;

    /// A callback on another thread, registered after `prepare()`, keeps what it is lent until it
    /// returns, which unbind waits for; the slots come later. Without that call they come first.
    #[test]
    fn lent_to_a_callback() -> Result {
        for is_prepared in [true, false] {
            let dropped = Arc::new(Atomic::new(0), GFP_KERNEL)?;
            let mut dev = TestDevice::new()?;
            let owner = Owner::new()?;
            if is_prepared {
                prepare(dev.bound()?.as_ref())?;
            }

            let (registered, lent, unbinding) = (completion()?, completion()?, completion()?);
            let callback = {
                let (owner, dropped) = (owner.clone(), dropped.clone());
                let (registered, lent) = (registered.clone(), lent.clone());
                let unbinding = unbinding.clone();
                let dev: &Device<Bound> = dev.bound()?.as_ref();
                let dev: ARef<Device> = dev.into();
                Thread::new(move || {
                    registered.wait_for_completion();
                    // SAFETY: Unbind waits for this thread.
                    let dev = unsafe { dev.as_bound() };
                    let populated = owner.populate(dev, &dropped);
                    lent.complete_all();

                    unbinding.wait_for_completion();
                    populated.map(|()| (owner.counted.get(dev).is_some(), dropped.load(Relaxed)))
                })?
            };
            callback.start();

            let found = Arc::pin_init(new_mutex!(Err(EAGAIN)), GFP_KERNEL)?;
            let release = {
                let found = found.clone();
                ScopeGuard::new(move || {
                    unbinding.complete_all();
                    *found.lock() = callback.join().and_then(|found| found);
                })
            };
            register(dev.bound()?.as_ref(), release, GFP_KERNEL)?;
            registered.complete_all();
            lent.wait_for_completion();

            dev.unbind();
            let found: Result<(bool, i32)> = *found.lock();
            let expected = if is_prepared {
                (true, 0)
            } else {
                (false, 1)
            };
            ensure!(
                found == Ok(expected),
                "prepared: {is_prepared}, found {found:?}"
            );
            let dropped = dropped.load(Relaxed);
            ensure!(dropped == 1, "dropped {dropped} times");
        }
        Ok(())
    }

    /// What dropping a resource finds in its own slot: nothing, and it cannot populate it, whoever
    /// drops it.
    #[test]
    fn slot_of_a_dying_resource() -> Result {
        let ends: [fn(DyingSlot) -> Option<DyingSlot>; 3] = [
            |slot| {
                drop(slot);
                None
            },
            |mut slot| {
                slot.as_mut().revoke();
                Some(slot)
            },
            Some,
        ];

        for end in ends {
            let mut dev = TestDevice::new()?;
            let found = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;
            let slot: DyingSlot = KBox::pin_init(new_lazy!("Dying::slot"), GFP_KERNEL)?;
            let bound: &Device<Bound> = dev.bound()?.as_ref();
            slot.lock().populate(bound, || {
                Ok(Dying {
                    slot: &raw const *slot,
                    dev: bound.into(),
                    found: found.clone(),
                })
            })?;

            let slot = end(slot);
            dev.unbind();
            let found: Option<Found> = *found.lock();
            ensure!(
                found == Some((false, false, Some(ENXIO))),
                "found {found:?}"
            );
            drop(slot);
        }
        Ok(())
    }

    /// A group that is released while the device stays bound takes the slots with it if the first
    /// population was in it, and not if the driver has called `prepare()` before.
    #[test]
    fn group() -> Result {
        for is_prepared in [true, false] {
            let dropped = Arc::new(Atomic::new(0), GFP_KERNEL)?;
            let dev = TestDevice::new()?;
            let (inside, behind) = (Owner::new()?, Owner::new()?);
            let bound: &Device<Bound> = dev.bound()?.as_ref();
            if is_prepared {
                prepare(bound)?;
            }

            let group = Group::open(bound)?;
            inside.populate(bound, &dropped)?;
            group.close();
            behind.populate(bound, &dropped)?;
            drop(group);

            let is_there = [&inside, &behind].map(|owner| owner.counted.get(bound).is_some());
            ensure!(
                is_there == [is_prepared; 2],
                "prepared: {is_prepared}, found {is_there:?}"
            );
            drop((inside, behind));
            let dropped = dropped.load(Relaxed);
            ensure!(dropped == 2, "dropped {dropped}, and not 2");
        }
        Ok(())
    }
}
