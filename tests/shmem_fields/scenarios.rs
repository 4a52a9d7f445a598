// SPDX-License-Identifier: Apache-2.0 OR MIT

//! What is expected of an object with two lazy fields, one scenario each.

use super::{
    driver::{
        Data,
        Driver, //
    },
    fault::Fault,
    object::{
        Object,
        Uses, //
    },
    resv::DmaResvGuard,
    scenario::{
        comes_true,
        ensure,
        Check,
        Wrong, //
    },
};
use kernel::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    devres::Lazy,
    drm, new_lazy,
    page::PAGE_SIZE,
    prelude::*,
    sync::aref::ARef,
    testing::{
        self,
        TestDevice, //
    },
};
use std::{
    ptr,
    sync::{
        atomic::AtomicU32,
        mpsc,
        Arc,
        Mutex, //
    },
    thread,
    time::Duration,
};

/// How large the objects are.
const SIZE: usize = 4 * PAGE_SIZE;

/// Where in an object the tests write.
const LAST: usize = SIZE - 4;

/// How long something that must not happen is given.
const GRACE: Duration = Duration::from_millis(200);

fn device() -> Result<TestDevice> {
    TestDevice::new(c"gpu0")
}

/// A DRM device for a device.
fn drm_device(dev: &Device<Bound>) -> Result<ARef<drm::Device<Driver>>> {
    let drm = drm::UnregisteredDevice::<Driver>::new(dev, Ok(Data::default()))?;

    Ok(ARef::from(&*drm))
}

/// An object.
fn object<F: Fault>(drm: &drm::Device<Driver>) -> Result<ARef<Object<F>>> {
    Object::new(drm, SIZE, None)
}

/// Exclusive access to an object, for as long as `obj` is borrowed.
///
/// # Safety
///
/// `obj` is the only reference to the object.
unsafe fn exclusive<F: Fault>(obj: &mut ARef<Object<F>>) -> Pin<&mut Object<F>> {
    let obj = ptr::from_ref::<Object<F>>(obj).cast_mut();

    // SAFETY: The object is valid while it is referred to, and nobody else uses it as required.
    let obj = unsafe { &mut *obj };

    // SAFETY: An object behind a reference count does not move.
    unsafe { Pin::new_unchecked(obj) }
}

/// The address of what is lent.
fn address<T: ?Sized>(lent: Result<&T>) -> Result<usize> {
    lent.map(|lent| ptr::from_ref(lent).cast::<u8>().addr())
}

/// Asserts how often the memory of an object is in use.
fn ensure_uses<F: Fault>(obj: &Object<F>, expected: Uses, when: &str) -> Check {
    let uses = obj.uses();
    ensure!(uses == expected, "{when}: {uses:?}");
    Ok(())
}

/// As the above, after the device was unbound, when nothing is to be left.
fn ensure_unmapped<F: Fault>(obj: &Object<F>, dev: &Device) -> Check {
    ensure_uses(obj, Uses::NONE, "after unbind")?;
    ensure!(!obj.has_table(), "the table is there after unbind");
    ensure!(testing::ledger(dev).live == 0, "mapped for DMA");
    Ok(())
}

pub(crate) fn success_path<F: Fault>() -> Check {
    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;
    let obj = object::<F>(&drm)?;

    let memory = obj.cached_vmap(&bound)?;
    ensure!(memory.size() == SIZE, "{} bytes of {SIZE}", memory.size());
    ensure_uses(&obj, Uses::MAPPED, "mapped")?;

    // Whoever maps takes this lock.
    let resv = DmaResvGuard::new(&*obj);
    let fault = testing::fail_nth(u64::MAX);
    for _ in 0..100 {
        let again = obj.cached_vmap(&bound)?;
        ensure!(ptr::eq(again, memory), "another mapping is lent");
    }
    ensure!(fault.allocations() == 0, "a later access allocates");
    drop((fault, resv));

    memory.try_write32(0x5eed_cafe, LAST)?;
    let other = obj.cached_vmap(&bound)?.try_read32(LAST)?;
    ensure!(other == 0x5eed_cafe, "through another view: {other:#x}");
    let by_hand = obj.vmap()?;
    let there = by_hand.memory().try_read32(LAST)?;
    ensure!(there == 0x5eed_cafe, "through one by hand: {there:#x}");
    by_hand.memory().try_write32(0x42, 0)?;
    let back = memory.try_read32(0)?;
    ensure!(back == 0x42, "and back: {back:#x}");
    ensure!(memory.try_read32(SIZE).is_err(), "there is more");
    drop(by_hand);

    bound.unbind();
    ensure_unmapped(&obj, &dev.device())
}

pub(crate) fn wrong_device<F: Fault>() -> Check {
    let (mut dev, mut other) = (device()?, TestDevice::new(c"gpu1")?);
    let (bound, other) = (dev.bind()?, other.bind()?);
    let drm = drm_device(&bound)?;
    let obj = object::<F>(&drm)?;

    for _ in 0..2 {
        let before = address(obj.cached_vmap(&other));
        ensure!(before == Err(EINVAL), "before populate: {before:?}");
    }
    ensure_uses(&obj, Uses::NONE, "for a wrong device")?;

    let memory = address(obj.cached_vmap(&bound))?;
    let after = address(obj.cached_vmap(&other));
    ensure!(after == Err(EINVAL), "after populate: {after:?}");
    let again = address(obj.cached_vmap(&bound));
    ensure!(again == Ok(memory), "then the right device: {again:?}");
    Ok(())
}

pub(crate) fn racing_first_access<F: Fault>() -> Check {
    const THREADS: usize = 8;

    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;
    let obj = object::<F>(&drm)?;
    let dev: &Device<Bound> = &bound;
    let obj: &Object<F> = &obj;

    let (is_early, results) = thread::scope(|scope| {
        // Whoever maps takes this lock, so the first to come waits for the others.
        let resv = DmaResvGuard::new(obj);
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| address(obj.cached_vmap(dev))))
            .collect();
        let is_early = comes_true(GRACE, || threads.iter().any(|thread| thread.is_finished()));
        drop(resv);

        let results: Vec<Result<usize>> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Err(EIO)))
            .collect();
        (is_early, results)
    });

    ensure!(!is_early, "a thread got memory that is not mapped");
    ensure!(
        results
            .iter()
            .all(|result| *result == results[0] && result.is_ok()),
        "threads got {results:x?}"
    );
    ensure_uses(obj, Uses::MAPPED, "mapped")
}

pub(crate) fn failing_allocation<F: Fault>() -> Check {
    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;

    for nth in 1.. {
        let obj = object::<F>(&drm)?;
        let fault = testing::fail_nth(nth);
        let result = address(obj.cached_vmap(&bound));
        let tripped = fault.tripped();
        drop(fault);
        if !tripped {
            ensure!(nth > 1, "nothing is allocated");
            break;
        }

        ensure!(result == Err(ENOMEM), "allocation {nth}: {result:x?}");
        ensure_uses(&obj, Uses::NONE, "after a failure")?;
        obj.cached_vmap(&bound)?;
        ensure_uses(&obj, Uses::MAPPED, "after a failure, and again")?;
    }
    Ok(())
}

pub(crate) fn unbind<F: Fault>() -> Check {
    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;
    let obj = object::<F>(&drm)?;
    obj.sg_table(&bound)?;
    obj.cached_vmap(&bound)?.try_write32(0x5eed_cafe, LAST)?;

    bound.unbind();

    ensure_unmapped(&obj, &dev.device())?;
    let there = obj.vmap()?.memory().try_read32(LAST)?;
    ensure!(there == 0x5eed_cafe, "the object has {there:#x}");
    Ok(())
}

pub(crate) fn rebind<F: Fault>() -> Check {
    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;
    let obj = object::<F>(&drm)?;
    obj.cached_vmap(&bound)?;
    bound.unbind();

    for _ in 0..2 {
        let bound = dev.bind()?;
        for _ in 0..2 {
            let again = address(obj.cached_vmap(&bound));
            ensure!(again == Err(ENXIO), "after a rebind: {again:x?}");
        }
        ensure_uses(&obj, Uses::NONE, "after a rebind")?;

        let new = object::<F>(&drm)?;
        new.cached_vmap(&bound)?;
        bound.unbind();
        ensure_unmapped(&new, &dev.device())?;
    }
    Ok(())
}

pub(crate) fn free_before_unbind<F: Fault>() -> Check {
    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;
    let obj = object::<F>(&drm)?;
    obj.sg_table(&bound)?;
    obj.cached_vmap(&bound)?;

    // The C helper warns of uses that are left.
    let ((), warnings) = testing::collect_warnings(|| drop(obj));

    ensure!(warnings.is_empty(), "freed with {warnings:?}");
    ensure!(testing::ledger(&bound).live == 0, "mapped for DMA");
    bound.unbind();
    Ok(())
}

pub(crate) fn beside_vmap_by_hand<F: Fault>() -> Check {
    const TWICE: Uses = Uses {
        vmap: 2,
        ..Uses::MAPPED
    };
    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;

    // By hand first, and last.
    let obj = object::<F>(&drm)?;
    let by_hand = obj.vmap()?;
    let memory = obj.cached_vmap(&bound)?;
    ensure_uses(&obj, TWICE, "mapped twice")?;
    memory.try_write32(0x5eed_cafe, 0)?;
    bound.unbind();
    ensure_uses(&obj, Uses::MAPPED, "after unbind")?;
    let there = by_hand.memory().try_read32(0)?;
    ensure!(there == 0x5eed_cafe, "by hand: {there:#x}");
    drop(by_hand);
    ensure_uses(&obj, Uses::NONE, "after both")?;

    // By hand second, and gone first.
    let bound = dev.bind()?;
    let obj = object::<F>(&drm)?;
    let memory = obj.cached_vmap(&bound)?;
    let by_hand = obj.vmap()?;
    by_hand.memory().try_write32(0xfeed_f00d, 0)?;
    ensure_uses(&obj, TWICE, "mapped twice")?;
    drop(by_hand);
    ensure_uses(&obj, Uses::MAPPED, "after that by hand")?;
    let there = memory.try_read32(0)?;
    ensure!(there == 0xfeed_f00d, "cached: {there:#x}");
    Ok(())
}

pub(crate) fn imported_object<F: Fault>() -> Check {
    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;
    let obj = object::<F>(&drm)?;

    let mut buf = bindings::dma_buf {
        size: SIZE,
        attachments: AtomicU32::new(1),
        mappings: AtomicU32::new(0),
        ..bindings::dma_buf::default()
    };
    let mut attachment = bindings::dma_buf_attachment {
        dmabuf: &mut buf,
        ..bindings::dma_buf_attachment::default()
    };
    // SAFETY: Only this thread uses the object, and it is taken back below.
    unsafe { obj.set_import_attach(&mut attachment) };
    let result = address(obj.cached_vmap(&bound));
    // SAFETY: As above.
    unsafe { obj.set_import_attach(ptr::null_mut()) };

    ensure!(result == Err(EOPNOTSUPP), "imported: {result:x?}");
    ensure_uses(&obj, Uses::NONE, "imported")?;

    // It was refused before anything was stored.
    obj.cached_vmap(&bound)?;
    Ok(())
}

pub(crate) fn object_outlives_drm_device<F: Fault>() -> Check {
    let mut dev = device()?;
    let below = dev.device();

    for is_unbound_first in [true, false] {
        let bound = dev.bind()?;
        let drm = drm_device(&bound)?;
        let obj = object::<F>(&drm)?;

        let (result, warnings) = testing::collect_warnings(|| -> Check {
            drop(drm);
            let peek = obj.cached_vmap_if_mapped(&bound)?.is_some();
            ensure!(!peek, "lent while empty");
            obj.cached_vmap(&bound)?;
            obj.sg_table(&bound)?;

            if is_unbound_first {
                bound.unbind();
                ensure_unmapped(&obj, &below)?;
                drop(obj);
            } else {
                drop(obj);
                bound.unbind();
            }
            Ok(())
        });

        result?;
        ensure!(
            warnings.is_empty(),
            "freed as the last holder: {warnings:?}"
        );
        ensure!(testing::ledger(&below).live == 0, "mapped for DMA");
    }
    Ok(())
}

pub(crate) fn peek<F: Fault>() -> Check {
    let (mut dev, mut other) = (device()?, TestDevice::new(c"gpu1")?);
    let (bound, other) = (dev.bind()?, other.bind()?);
    let drm = drm_device(&bound)?;
    let obj = object::<F>(&drm)?;
    obj.sg_table(&bound)?;

    // It waits for neither of the locks that mapping takes. That the other field is mapped is of
    // no account.
    let resv = DmaResvGuard::new(&*obj);
    let fault = testing::fail_nth(u64::MAX);
    let empty = obj.cached_vmap_if_mapped(&bound).map(|m| m.is_some());
    let wrong = obj.cached_vmap_if_mapped(&other).map(|m| m.is_some());
    ensure!(fault.allocations() == 0, "peek allocates");
    drop((fault, resv));
    ensure!(empty == Ok(false), "while empty: {empty:?}");
    ensure!(wrong == Err(EINVAL), "wrong device, empty: {wrong:?}");
    ensure!(obj.uses().vmap == 0, "peek maps");

    let memory = address(obj.cached_vmap(&bound))?;
    let mapped = obj.cached_vmap_if_mapped(&bound)?;
    let mapped = mapped.map(|mapped| address(Ok(mapped)));
    ensure!(mapped == Some(Ok(memory)), "mapped: {mapped:x?}");
    let wrong = obj.cached_vmap_if_mapped(&other).map(|m| m.is_some());
    ensure!(wrong == Err(EINVAL), "wrong device, mapped: {wrong:?}");

    bound.unbind();
    let bound = dev.bind()?;
    let revoked = obj.cached_vmap_if_mapped(&bound).map(|m| m.is_some());
    ensure!(revoked == Ok(false), "after a rebind: {revoked:?}");
    Ok(())
}

pub(crate) fn try_access<F: Fault>() -> Check {
    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;
    let obj = object::<F>(&drm)?;

    ensure!(obj.try_cached_vmap().is_none(), "lent while empty");
    ensure_uses(&obj, Uses::NONE, "try_access maps")?;
    obj.cached_vmap(&bound)?.try_write32(0x5eed_cafe, 0)?;

    let obj: &Object<F> = &obj;
    let (held, may_unbind) = mpsc::channel();
    let (is_early, there) = thread::scope(|scope| {
        let guarding = scope.spawn(move || {
            let guard = obj.try_cached_vmap();
            // Nobody waits for this but the unbind.
            let _ = held.send(());
            let is_early = comes_true(GRACE, || obj.uses() != Uses::MAPPED);
            (is_early, guard.map(|guard| guard.try_read32(0)))
        });

        let _ = may_unbind.recv();
        bound.unbind();
        guarding.join().unwrap_or((true, None))
    });

    ensure!(!is_early, "unmapped while a guard was held");
    ensure!(there == Some(Ok(0x5eed_cafe)), "there is {there:x?}");
    ensure_unmapped(obj, &dev.device())?;
    ensure!(obj.try_cached_vmap().is_none(), "lent while revoked");
    Ok(())
}

pub(crate) fn revoke<F: Fault>() -> Check {
    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;
    let mut obj = object::<F>(&drm)?;

    // There is nothing to revoke.
    // SAFETY: There is one reference; no test below creates another one.
    unsafe { exclusive(&mut obj) }.revoke_vmap();

    obj.sg_table(&bound)?;
    let table_only = obj.uses();
    for round in 1..=3 {
        obj.cached_vmap(&bound)?;
        ensure!(obj.uses().vmap == 1, "round {round}: {:?}", obj.uses());

        // SAFETY: As above.
        unsafe { exclusive(&mut obj) }.revoke_vmap();
        ensure_uses(&obj, table_only, "revoked")?;
        ensure!(obj.has_table(), "round {round}: the table is gone");
        let peek = obj.cached_vmap_if_mapped(&bound).map(|m| m.is_some());
        ensure!(peek == Ok(false), "round {round}: revoked, peek: {peek:?}");
        ensure!(obj.try_cached_vmap().is_none(), "lent while revoked");
    }

    // Nor does revoking the other one unmap this one.
    obj.cached_vmap(&bound)?;
    // SAFETY: As above.
    unsafe { exclusive(&mut obj) }.unmap_sg_table();
    ensure_uses(&obj, Uses::MAPPED, "without the table")?;

    // Also what unbind has revoked.
    bound.unbind();
    // SAFETY: As above.
    unsafe { exclusive(&mut obj) }.revoke_vmap();
    let bound = dev.bind()?;
    obj.cached_vmap(&bound)?;
    ensure_uses(&obj, Uses::MAPPED, "after a rebind")?;
    bound.unbind();
    ensure_unmapped(&obj, &dev.device())
}

pub(crate) fn owner_is_held_weakly<F: Fault>() -> Check {
    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;
    let obj = object::<F>(&drm)?;

    obj.cached_vmap(&bound)?;
    let mapped = obj.refs();
    bound.unbind();
    let unbound = obj.refs();

    ensure!(
        (mapped, unbound) == (1, 1),
        "{mapped} references while mapped, {unbound} after unbind"
    );
    Ok(())
}

/// What an observer in the middle of unbind sees of an object: whether it has a table, and how
/// often its memory is in use.
type Seen = Arc<Mutex<Option<(bool, Uses)>>>;

/// Looks at an object when it is dropped.
struct Observer<F: Fault> {
    obj: ARef<Object<F>>,
    seen: Seen,
}

impl<F: Fault> Drop for Observer<F> {
    fn drop(&mut self) {
        if let Ok(mut seen) = self.seen.lock() {
            *seen = Some((self.obj.has_table(), self.obj.uses()));
        }
    }
}

/// Populates a slot with an observer, which looks at the object when the device is unbound: after
/// what is mapped from here on was unmapped, and before what is mapped already.
fn observe<F: Fault>(
    dev: &Device<Bound>,
    obj: &ARef<Object<F>>,
    seen: &Seen,
) -> Result<Pin<KBox<Lazy<Observer<F>>>>> {
    let slot: Pin<KBox<Lazy<_>>> = KBox::pin_init(new_lazy!("observer"), GFP_KERNEL)?;
    slot.lock().populate(dev, || {
        Ok(Observer {
            obj: obj.clone(),
            seen: seen.clone(),
        })
    })?;

    Ok(slot)
}

pub(crate) fn order_at_unbind<F: Fault>() -> Check {
    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;

    let obj = object::<F>(&drm)?;
    obj.sg_table(&bound)?;
    let seen = Seen::default();
    let _observer = observe(&bound, &obj, &seen)?;
    obj.cached_vmap(&bound)?;
    bound.unbind();
    let between = seen.lock().map_or(None, |seen| *seen);
    let table_only = Uses {
        pages: 1,
        ..Uses::NONE
    };
    ensure!(
        between == Some((true, table_only)),
        "between the mapping and the table: {between:?}"
    );
    ensure_unmapped(&obj, &dev.device())?;

    let bound = dev.bind()?;
    let obj = object::<F>(&drm)?;
    obj.cached_vmap(&bound)?;
    let seen = Seen::default();
    let _observer = observe(&bound, &obj, &seen)?;
    obj.sg_table(&bound)?;
    bound.unbind();
    let between = seen.lock().map_or(None, |seen| *seen);
    ensure!(
        between == Some((false, Uses::MAPPED)),
        "between the table and the mapping: {between:?}"
    );
    ensure_unmapped(&obj, &dev.device())
}

pub(crate) fn order_at_free<F: Fault>() -> Check {
    /// How long the free is given to begin.
    const LIMIT: Duration = Duration::from_secs(10);

    /// Which of the fields are lent: the table, and the mapping.
    fn lent<F: Fault>(obj: &Object<F>, dev: &Device<Bound>) -> Result<(bool, bool)> {
        Ok((
            obj.sg_table_if_mapped(dev)?.is_some(),
            obj.cached_vmap_if_mapped(dev)?.is_some(),
        ))
    }

    let mut dev = device()?;
    let bound = dev.bind()?;
    let drm = drm_device(&bound)?;
    let parent = object::<F>(&drm)?;

    for is_table_first in [true, false] {
        let obj = Object::new(&drm, SIZE, Some(&parent))?;
        if is_table_first {
            obj.sg_table(&bound)?;
        }
        obj.cached_vmap(&bound)?;
        obj.sg_table(&bound)?;

        // Whoever unmaps takes this lock. So the free gets as far as the field that it begins with,
        // and has not come to the other one.
        let resv = DmaResvGuard::new(&*parent);
        let dying = ptr::from_ref(&*obj);
        let freeing = thread::spawn(move || drop(obj));
        // SAFETY: The object is whole until both fields are unmapped, which waits for us. The tests
        // below read what is atomic, or not written meanwhile.
        let dying = unsafe { &*dying };
        let has_begun = comes_true(LIMIT, || lent(dying, &bound) != Ok((true, true)));
        let lent = lent(dying, &bound);
        let (has_table, uses) = (dying.has_table(), dying.uses());
        drop(resv);

        ensure!(freeing.join().is_ok(), "the free panics");
        ensure!(has_begun, "nothing is unmapped");
        ensure!(
            lent == Ok((true, false)),
            "lent while the first one is unmapped: {lent:?} (table, mapping)"
        );
        ensure!(
            has_table && uses.vmap == 1 && uses.pages == 2,
            "unmapped without the lock: {uses:?}"
        );
        ensure!(testing::ledger(&bound).live == 0, "mapped for DMA");
    }
    Ok(())
}
