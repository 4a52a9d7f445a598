// SPDX-License-Identifier: GPL-2.0

//! Order while owners are being freed. Before unbind drops a resource, all resources that were
//! populated later have been dropped, by unbind or by their owners.

use super::{
    kunit_support::{
        comes_true,
        completion,
        ensure,
        TestDevice,
        Thread,
        GRACE, //
    },
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
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            AtomicFlag,
            Full,
            Relaxed, //
        },
        Arc,
        Completion, //
    },
};

/// The number of owners on the device.
const OWNERS: usize = 3;

/// The data that the resources of one run share.
struct Shared {
    /// The position of the owner that is freed, in the order of population.
    freed: usize,
    /// Completed when the freed owner has begun to drop its resource.
    begun: Arc<Completion>,
    /// The number of older resources that were dropped.
    older: Atomic<i32>,
    /// Set if an older resource was dropped while the freed owner was still dropping its own.
    overtaken: AtomicFlag,
}

/// A resource. Its number is its position in the order of population.
struct Resource {
    number: usize,
    shared: Arc<Shared>,
}

impl Drop for Resource {
    fn drop(&mut self) {
        let shared = &self.shared;
        if self.number < shared.freed {
            shared.older.fetch_add(1, Full);
        }
        if self.number == shared.freed {
            shared.begun.complete_all();
            // Gives a wrong drop the time to happen.
            if comes_true(GRACE, || shared.older.load(Relaxed) > 0) {
                shared.overtaken.store(true, Relaxed);
            }
        }
    }
}

/// An owner of one resource, which is registered with a device.
trait Owner: Sized + Send + 'static {
    fn new(dev: &Device<Bound>, resource: Resource) -> Result<Self>;
}

impl Owner for Pin<KBox<Lazy<Resource>>> {
    fn new(dev: &Device<Bound>, resource: Resource) -> Result<Self> {
        let slot: Self = KBox::pin_init(new_lazy!("Owner::slot"), GFP_KERNEL)?;
        slot.get_or_populate(dev, || Ok(resource))?;
        Ok(slot)
    }
}

impl Owner for Pin<KBox<Batched<Resource>>> {
    fn new(dev: &Device<Bound>, resource: Resource) -> Result<Self> {
        KBox::pin_init(Batched::new(dev, resource), GFP_KERNEL)
    }
}

impl Owner for Devres<Resource> {
    fn new(dev: &Device<Bound>, resource: Resource) -> Result<Self> {
        Devres::new(dev, resource)
    }
}

/// Frees the owner with the number `freed`, and unbinds while the owner is dropping its resource.
/// No older resource may be dropped meanwhile.
fn waits_for_an_owner<O: Owner>(freed: usize) -> Result {
    let mut dev = TestDevice::new()?;
    let shared = Arc::new(
        Shared {
            freed,
            begun: completion()?,
            older: Atomic::new(0),
            overtaken: AtomicFlag::new(false),
        },
        GFP_KERNEL,
    )?;

    let mut owners = KVec::new();
    for number in 0..OWNERS {
        let resource = Resource {
            number,
            shared: shared.clone(),
        };
        owners.push(O::new(dev.bound()?.as_ref(), resource)?, GFP_KERNEL)?;
    }

    let owner = owners.remove(freed).map_err(|_| EINVAL)?;
    let free = Thread::new(move || drop(owner))?;
    free.start();
    shared.begun.wait_for_completion();
    dev.unbind();
    free.join()?;

    let overtaken = shared.overtaken.load(Relaxed);
    ensure!(!overtaken, "unbind has overtaken the owner of {freed}");
    let older = shared.older.load(Relaxed);
    ensure!(older == freed as i32, "{older} older ones are dropped");
    Ok(())
}

#[kunit_tests(rust_devres_lazy_order)]
mod tests {
    use super::*;

    /// The owner of the resource that was populated last is being freed.
    #[test]
    fn order_while_an_owner_drops() -> Result {
        waits_for_an_owner::<Pin<KBox<Lazy<Resource>>>>(2)?;
        waits_for_an_owner::<Devres<Resource>>(2)
    }

    /// The owner of a resource between two others is being freed.
    #[test]
    fn order_beside_an_owner_that_drops() -> Result {
        waits_for_an_owner::<Pin<KBox<Lazy<Resource>>>>(1)?;
        waits_for_an_owner::<Devres<Resource>>(1)
    }

    /// The same for `Batched`.
    #[test]
    fn batched_order_while_an_owner_drops() -> Result {
        waits_for_an_owner::<Pin<KBox<Batched<Resource>>>>(2)?;
        waits_for_an_owner::<Pin<KBox<Batched<Resource>>>>(1)
    }
}
