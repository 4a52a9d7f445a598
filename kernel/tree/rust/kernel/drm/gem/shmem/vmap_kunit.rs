// SPDX-License-Identifier: GPL-2.0

//! A lazy field in an object of a driver's own: a kernel mapping of a GEM object's memory, which
//! is made on first use and then kept.
//!
//! The contract is that of `contract_kunit`. The driver's object and the GEM object are mapped
//! independently. Both share the pages with each other and with mappings by hand. So the tests
//! check all three counts of the C helper, and the order in which the two objects are unmapped.

use super::{
    contract_kunit::{
        is_mapped,
        race_to_first,
        refs,
        surplus_uses,
        DmaBuf,
        Gem,
        Gpu,
        KunitObject,
        SIZE, //
    },
    import_kunit::import,
    DmaResvGuard,
    ObjectConfig,
    VMapOwned, //
};
use crate::{
    bindings,
    device,
    devres::{
        kunit_support::{
            comes_true,
            comes_true_with,
            devres_nodes,
            ensure,
            ensure_ok,
            fail,
            skip,
            FailNth,
            TestDevice,
            Thread,
            GRACE, //
        },
        Lazy, //
    },
    devres_lazy,
    drm::gem::IntoGEMObject,
    io::{
        Io,
        IoBase, //
    },
    new_lazy,
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    processor::cpu_relax,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu,
        Arc,
        Mutex, //
    }, //
};
use core::{
    mem,
    ptr, //
};

/// The buffer of a driver that works on its memory with the CPU.
#[devres_lazy]
#[pin_data]
pub(super) struct Buffer {
    pub(super) obj: ARef<Gem>,

    /// The buffer's memory as the kernel sees it.
    ///
    /// The pages are pinned while the memory is mapped. Must not be called with the reservation
    /// lock of `obj` held, which mapping takes.
    #[lazy(
        pub(super) fn memory,
        device = self.obj.dev().as_ref().as_ref(),
        init = self.obj.owned_vmap(),
        peek = memory_if_mapped,
        try_access = try_memory,
        revoke = unmap_memory,
    )]
    memory: VMapOwned<KunitObject>,
}

impl Buffer {
    fn init(obj: ARef<Gem>) -> impl PinInit<Self> {
        pin_init!(Self {
            obj,
            memory <- new_lazy!("Buffer::memory"),
        })
    }

    pub(super) fn new(obj: ARef<Gem>) -> Result<Pin<KBox<Self>>> {
        KBox::pin_init(Self::init(obj), GFP_KERNEL)
    }
}

/// Returns the address of the memory, for comparison only.
fn start(memory: &VMapOwned<KunitObject>) -> usize {
    memory.as_view().as_ptr().addr()
}

/// The counts that the C helper keeps of an object's memory.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Uses {
    /// Uses of the kernel mapping.
    vmap: i32,
    /// Pins of the pages.
    pins: i32,
    /// Uses of the pages.
    pages: i32,
}

impl Uses {
    /// The memory is not used.
    const NONE: Self = Self {
        vmap: 0,
        pins: 0,
        pages: 0,
    };

    /// An importer is attached.
    const ATTACHED: Self = Self {
        vmap: 0,
        pins: 1,
        pages: 1,
    };

    /// The memory is mapped once.
    const MAPPED: Self = Self {
        vmap: 1,
        pins: 1,
        pages: 1,
    };

    /// Returns the counts of an object.
    fn of(obj: &Gem) -> Self {
        let shmem = obj.as_raw_shmem();

        Self {
            // SAFETY: The object is initialised.
            vmap: read(unsafe { &raw mut (*shmem).vmap_use_count }),
            // SAFETY: The object is initialised.
            pins: read(unsafe { &raw mut (*shmem).pages_pin_count }),
            // SAFETY: The object is initialised.
            pages: read(unsafe { &raw mut (*shmem).pages_use_count }),
        }
    }
}

/// Reads a count of an object, which is valid.
fn read(count: *mut bindings::refcount_t) -> i32 {
    // SAFETY: The count is part of an object that the caller has a reference to.
    let count = unsafe { &raw mut (*count).refs.counter };

    // SAFETY: The count is only ever accessed atomically.
    unsafe { Atomic::from_ptr(count) }.load(Relaxed)
}

/// The mappings of an object, as an observer in the middle of a teardown sees them.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    has_table: bool,
    uses: Uses,
}

/// Notes the mappings of an object when this is dropped.
struct Observer {
    obj: ARef<Gem>,
    seen: Arc<Mutex<Option<Seen>>>,
}

impl Drop for Observer {
    fn drop(&mut self) {
        *self.seen.lock() = Some(Seen {
            has_table: is_mapped(&self.obj),
            uses: Uses::of(&self.obj),
        });
    }
}

/// Populates a slot with an observer, which is dropped when the device is unbound. Unbind has
/// unmapped later mappings by then, and has not unmapped earlier ones yet.
fn observe(
    gpu: &Gpu,
    obj: &ARef<Gem>,
    seen: &Arc<Mutex<Option<Seen>>>,
) -> Result<Pin<KBox<Lazy<Observer>>>> {
    let slot: Pin<KBox<Lazy<Observer>>> = KBox::pin_init(new_lazy!("observer"), GFP_KERNEL)?;

    slot.get_or_populate(gpu.bound()?, || {
        Ok(Observer {
            obj: obj.clone(),
            seen: seen.clone(),
        })
    })?;

    Ok(slot)
}

/// Sets the size of the file behind an object, and returns the old one. Pages beyond the size are
/// not available.
fn set_file_size(obj: &Gem, size: bindings::loff_t) -> bindings::loff_t {
    // SAFETY: The object is initialised.
    let file = unsafe { (*obj.as_raw()).filp };
    // SAFETY: The object has a file.
    let inode = unsafe { (*file).f_inode };

    // SAFETY: The file has an inode, and only this thread uses it.
    mem::replace(unsafe { &mut (*inode).i_size }, size)
}

/// Returns whether the table of the object is accessible, and whether the memory of the buffer is.
fn lent(buffer: &Buffer, dev: &device::Device<device::Bound>) -> Result<(bool, bool)> {
    Ok((
        buffer.obj.sg_table_if_mapped(dev)?.is_some(),
        buffer.memory_if_mapped(dev)?.is_some(),
    ))
}

#[kunit_tests(rust_devres_lazy_vmap)]
mod tests {
    use super::*;

    /// Later accesses with the right device return the same memory, without a lock or an
    /// allocation. Other mappings of the object show the same memory.
    #[test]
    fn success_path() -> Result {
        let gpu = Gpu::new()?;
        let buffer = Buffer::new(gpu.object()?)?;
        let dev = gpu.bound()?;

        let memory = ensure_ok!(buffer.memory(dev), "the first access");
        ensure!(memory.size() == SIZE, "{} bytes of {SIZE}", memory.size());
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::MAPPED, "{uses:?}");

        // Mapping takes this lock.
        let resv = DmaResvGuard::new(&*buffer.obj);
        let fault = FailNth::AVAILABLE.then(|| FailNth::new(1)).transpose()?;
        for _ in 0..100 {
            let again = ensure_ok!(buffer.memory(dev), "a later access");
            ensure!(start(again) == start(memory), "another mapping is lent");
        }
        let has_allocated = fault.is_some_and(|fault| fault.tripped());
        drop(resv);
        ensure!(!has_allocated, "a later access allocates");

        memory.try_write32(0x5eed_cafe, SIZE - 4)?;
        let other = buffer.memory(dev)?.try_read32(SIZE - 4)?;
        ensure!(other == 0x5eed_cafe, "through another view: {other:#x}");
        let by_hand = buffer.obj.vmap::<SIZE>()?;
        let there = by_hand.read32(SIZE - 4);
        ensure!(there == 0x5eed_cafe, "through one by hand: {there:#x}");
        by_hand.write8(0x42, 0);
        let back = memory.try_read8(0)?;
        ensure!(back == 0x42, "and back: {back:#x}");

        let beyond = memory.try_read8(SIZE);
        ensure!(beyond == Err(EINVAL), "behind the end: {beyond:?}");
        Ok(())
    }

    /// Access with any device but the owner's fails with `EINVAL`, before anything is mapped.
    #[test]
    fn wrong_device() -> Result {
        let gpu = Gpu::new()?;
        let buffer = Buffer::new(gpu.object()?)?;
        let other = TestDevice::new()?;
        let other = other.bound()?.as_ref();

        for _ in 0..2 {
            let before = buffer.memory(other).map(start);
            ensure!(before == Err(EINVAL), "before populate: {before:?}");
        }
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::NONE, "for a wrong device: {uses:?}");

        let memory = ensure_ok!(buffer.memory(gpu.bound()?).map(start), "the right device");
        let after = buffer.memory(other).map(start);
        ensure!(after == Err(EINVAL), "after populate: {after:?}");

        let again = buffer.memory(gpu.bound()?).map(start);
        ensure!(again == Ok(memory), "then the right device: {again:?}");
        Ok(())
    }

    /// Racing first accesses map once, and return the same memory to all callers.
    #[test]
    fn racing_first_access() -> Result {
        let gpu = Gpu::new()?;
        let buffer = Arc::pin_init(Buffer::init(gpu.object()?), GFP_KERNEL)?;
        race_to_first(&gpu, &buffer.obj, &buffer, |buffer, dev| {
            buffer.memory(dev).map(start)
        })?;

        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::MAPPED, "{uses:?}");
        Ok(())
    }

    /// If mapping fails, the accessor returns its error, and leaves no use of the memory.
    #[test]
    fn failing_map() -> Result {
        let gpu = Gpu::new()?;
        let buffer = Buffer::new(gpu.object()?)?;
        let dev = gpu.bound()?;

        // The file has all pages but the last, which is read after the others.
        let size = set_file_size(&buffer.obj, (SIZE - PAGE_SIZE) as bindings::loff_t);
        let first = buffer.memory(dev).map(start);
        let second = buffer.memory(dev).map(start);
        set_file_size(&buffer.obj, size);

        ensure!(first == Err(EINVAL), "without its last page: {first:?}");
        ensure!(second == Err(EINVAL), "and again: {second:?}");
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::NONE, "after a failure: {uses:?}");

        ensure_ok!(buffer.memory(dev), "with all its pages");
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::MAPPED, "then {uses:?}");
        Ok(())
    }

    /// The same if any allocation of the access fails.
    #[test]
    fn failing_allocation() -> Result {
        // Other allocations on the way vary from sweep to sweep, so that one sweep may miss an
        // allocation.
        const SWEEPS: usize = 3;

        if !FailNth::AVAILABLE {
            return skip(c"needs CONFIG_FAILSLAB and CONFIG_FAULT_INJECTION_DEBUG_FS");
        }

        let gpu = Gpu::new()?;
        gpu.map_another()?;
        for _ in 0..SWEEPS {
            let mut nth = 1;
            while fail_one_allocation(&gpu, nth)? {
                nth += 1;
            }
            ensure!(nth > 1, "nothing is allocated");
        }
        Ok(())
    }

    /// Maps a buffer while the `nth` allocation fails, and once more if mapping has failed. Returns
    /// whether there was such an allocation.
    fn fail_one_allocation(gpu: &Gpu, nth: u32) -> Result<bool> {
        let dev = gpu.bound()?;
        // With one page, other code allocates the least.
        let obj = Gem::new(&gpu.drm, PAGE_SIZE, ObjectConfig::default(), ())?;
        let buffer = Buffer::new(obj)?;
        let nodes = devres_nodes(dev);

        let fault = FailNth::new(nth)?;
        let result = buffer.memory(dev).map(start);
        let tripped = fault.tripped();
        drop(fault);

        if let Err(error) = result {
            ensure!(tripped, "without a fault: {error:?}");
            ensure!(error == ENOMEM, "allocation {nth}: {error:?}");
            let uses = Uses::of(&buffer.obj);
            ensure!(uses == Uses::NONE, "allocation {nth}: {uses:?}");
            let refs = refs(&buffer.obj);
            ensure!(refs == 1, "allocation {nth}: {refs} references");
            ensure!(
                devres_nodes(dev) == nodes,
                "allocation {nth}: something is left on the device"
            );
            ensure_ok!(buffer.memory(dev), "the next access");
        }

        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::MAPPED, "allocation {nth}, then {uses:?}");
        Ok(tripped)
    }

    /// Unbind unmaps the memory before it returns. The GEM object stays usable and keeps its
    /// content.
    #[test]
    fn unbind() -> Result {
        let mut gpu = Gpu::new()?;
        let buffer = Buffer::new(gpu.object()?)?;
        let memory = ensure_ok!(buffer.memory(gpu.bound()?), "the first access");
        memory.try_write32(0x5eed_cafe, 0)?;

        gpu.dev.unbind();

        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::NONE, "after unbind: {uses:?}");
        let there = buffer.obj.vmap::<SIZE>()?.read32(0);
        ensure!(there == 0x5eed_cafe, "the object has {there:#x}");
        Ok(())
    }

    /// Access fails with `ENXIO` when the same device is bound again. New buffers can be mapped.
    #[test]
    fn rebind() -> Result {
        let mut gpu = Gpu::new()?;
        let buffer = Buffer::new(gpu.object()?)?;
        ensure_ok!(buffer.memory(gpu.bound()?), "the first access");
        gpu.dev.unbind();

        for _ in 0..2 {
            gpu.rebind()?;
            let dev = gpu.bound()?;

            for _ in 0..2 {
                let again = buffer.memory(dev).map(start);
                ensure!(again == Err(ENXIO), "after a rebind: {again:x?}");
            }
            let uses = Uses::of(&buffer.obj);
            ensure!(uses == Uses::NONE, "after a rebind: {uses:?}");

            let new = Buffer::new(gpu.object()?)?;
            ensure_ok!(new.memory(dev), "a new buffer");
            gpu.dev.unbind();
            let uses = Uses::of(&new.obj);
            ensure!(uses == Uses::NONE, "of the new buffer: {uses:?}");
        }
        Ok(())
    }

    /// Freeing the owner first unmaps before the free returns, and leaves nothing on the device.
    #[test]
    fn free_before_unbind() -> Result {
        let mut gpu = Gpu::new()?;
        gpu.map_another()?;
        let buffer = Buffer::new(gpu.object()?)?;
        let nodes = devres_nodes(gpu.bound()?);
        ensure_ok!(buffer.memory(gpu.bound()?), "the first access");

        // The C helper warns of uses that are left.
        drop(buffer);

        let left = devres_nodes(gpu.bound()?) - nodes;
        ensure!(left == 0, "{left} entries are left on the device");
        gpu.dev.unbind();
        Ok(())
    }

    /// A mapping by hand has a use of its own, and ending one of the two mappings does not end the
    /// other.
    #[test]
    fn beside_vmap_by_hand() -> Result {
        const TWICE: Uses = Uses {
            vmap: 2,
            ..Uses::MAPPED
        };
        let mut gpu = Gpu::new()?;

        // The mapping by hand is made first, and ends last.
        let buffer = Buffer::new(gpu.object()?)?;
        let by_hand = buffer.obj.owned_vmap::<SIZE>()?;
        let memory = ensure_ok!(buffer.memory(gpu.bound()?), "beside a mapping by hand");
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == TWICE, "mapped twice: {uses:?}");
        memory.try_write32(0x5eed_cafe, 0)?;
        gpu.dev.unbind();
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::MAPPED, "after unbind: {uses:?}");
        let there = by_hand.read32(0);
        ensure!(there == 0x5eed_cafe, "by hand: {there:#x}");
        drop(by_hand);
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::NONE, "after both: {uses:?}");

        // The mapping by hand is made second, and ends first.
        gpu.rebind()?;
        let buffer = Buffer::new(gpu.object()?)?;
        let memory = ensure_ok!(buffer.memory(gpu.bound()?), "the first access");
        let by_hand = buffer.obj.vmap::<SIZE>()?;
        by_hand.write32(0xfeed_f00d, 0);
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == TWICE, "mapped twice: {uses:?}");
        drop(by_hand);
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::MAPPED, "after that by hand: {uses:?}");
        let there = memory.try_read32(0)?;
        ensure!(there == 0xfeed_f00d, "cached: {there:#x}");
        Ok(())
    }

    /// The memory of an imported object is the exporter's. The exporter maps it, and unmaps it when
    /// the importer is unbound.
    #[test]
    fn imported_object() -> Result {
        let exporter = Gpu::new()?;
        let mut gpu = Gpu::new()?;
        let theirs = exporter.object()?;
        let dmabuf = DmaBuf::export(&theirs)?;
        let buffer = Buffer::new(import(&gpu, &dmabuf)?)?;
        let attached = Uses::of(&theirs);

        let memory = ensure_ok!(buffer.memory(gpu.bound()?), "the first access");
        memory.try_write32(0x5eed_cafe, 0)?;
        let mapped = Uses::of(&theirs);
        gpu.dev.unbind();
        let unbound = Uses::of(&theirs);

        ensure!(attached == Uses::ATTACHED, "of the exporter: {attached:?}");
        ensure!(
            mapped
                == Uses {
                    pins: 2,
                    ..Uses::MAPPED
                },
            "of the exporter: {mapped:?}"
        );
        ensure!(
            unbound == Uses::ATTACHED,
            "of the exporter, unbound: {unbound:?}"
        );
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::NONE, "of the importer: {uses:?}");
        let there = theirs.vmap::<SIZE>()?.read32(0);
        ensure!(there == 0x5eed_cafe, "the exporter has {there:#x}");
        Ok(())
    }

    /// A mapped buffer is freed, with a GEM object that is the last holder of its DRM device.
    #[test]
    fn object_outlives_drm_device() -> Result {
        let (obj, dev) = Gpu::new()?.into_last_holder()?;
        let dev = dev.bound()?.as_ref();
        let buffer = Buffer::new(obj)?;

        ensure_ok!(buffer.memory(dev), "the first access");
        let mapped = buffer.memory_if_mapped(dev).map(|lent| lent.is_some());
        ensure!(mapped == Ok(true), "while mapped: {mapped:?}");
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::MAPPED, "{uses:?}");

        drop(buffer);
        Ok(())
    }

    /// `peek` never sleeps, never maps, and refuses a wrong device.
    #[test]
    fn peek() -> Result {
        let mut gpu = Gpu::new()?;
        let buffer = Buffer::new(gpu.object()?)?;
        let other = TestDevice::new()?;
        let dev = gpu.bound()?;
        let other = other.bound()?.as_ref();

        // `peek` waits neither for a thread that maps nor for the lock that mapping takes, nor does
        // it sleep otherwise. The table of the object is mapped, but in another slot.
        ensure_ok!(buffer.obj.sg_table(dev), "the table");
        let slot = ensure_ok!(buffer.memory.entry(dev), "the entry");
        let resv = DmaResvGuard::new(&*buffer.obj);
        let rcu = rcu::read_lock();
        let empty = buffer.memory_if_mapped(dev).map(|lent| lent.is_some());
        let wrong = buffer.memory_if_mapped(other).map(|lent| lent.is_some());
        drop((rcu, resv, slot));
        ensure!(empty == Ok(false), "while empty: {empty:?}");
        ensure!(wrong == Err(EINVAL), "wrong device, empty: {wrong:?}");
        let uses = Uses::of(&buffer.obj);
        ensure!(uses.vmap == 0, "peek maps: {uses:?}");

        let memory = ensure_ok!(buffer.memory(dev), "the first access");
        let mapped = ensure_ok!(buffer.memory_if_mapped(dev), "while mapped");
        ensure!(
            mapped.map(start) == Some(start(memory)),
            "other memory is lent"
        );
        let wrong = buffer.memory_if_mapped(other).map(|lent| lent.is_some());
        ensure!(wrong == Err(EINVAL), "wrong device, mapped: {wrong:?}");

        gpu.dev.unbind();
        gpu.rebind()?;
        let dev = gpu.bound()?;
        let revoked = buffer.memory_if_mapped(dev).map(|lent| lent.is_some());
        ensure!(revoked == Ok(false), "after a rebind: {revoked:?}");
        Ok(())
    }

    /// `try_access` needs no bound device. An empty or revoked slot returns [`None`]. Unbind waits
    /// for the guard, through which the memory can be read.
    #[test]
    fn try_access() -> Result {
        let gpu = Gpu::new()?;
        // Dropped last: see `Gpu`.
        let _drm = gpu.drm.clone();
        let buffer = Buffer::new(gpu.object()?)?;

        let slot = ensure_ok!(buffer.memory.entry(gpu.bound()?), "the entry");
        let rcu = rcu::read_lock();
        let empty = buffer.try_memory().is_none();
        drop((rcu, slot));
        ensure!(empty, "something is lent while empty");
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::NONE, "try_access maps: {uses:?}");

        let memory = ensure_ok!(buffer.memory(gpu.bound()?), "the first access");
        memory.try_write32(0x5eed_cafe, 0)?;
        let memory = start(memory);
        let mut dev = gpu.dev;
        let unbinding = Thread::new(move || dev.unbind())?;

        let Some(guard) = buffer.try_memory() else {
            fail!("nothing is lent while mapped");
        };
        let lent = start(&guard);

        // No code may sleep while there is a guard.
        unbinding.start();
        let mut there = Ok(0x5eed_cafe);
        let is_early = comes_true_with(GRACE, cpu_relax, || {
            // Keeps a wrong value.
            if there == Ok(0x5eed_cafe) {
                there = guard.try_read32(0);
            }
            Uses::of(&buffer.obj) != Uses::MAPPED || unbinding.has_returned()
        });
        drop(guard);
        unbinding.join()?;

        ensure!(
            lent == memory,
            "another mapping is lent: {lent:#x}, {memory:#x}"
        );
        ensure!(!is_early, "unmapped while a guard was held");
        ensure!(there == Ok(0x5eed_cafe), "there is {there:x?}");
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::NONE, "after unbind: {uses:?}");
        let is_revoked = buffer.try_memory().is_none();
        ensure!(is_revoked, "a revoked mapping is lent");
        Ok(())
    }

    /// `revoke` unmaps at once and exactly once, ends the uses of the mapping, and leaves the slot
    /// empty. The table of the object stays.
    #[test]
    fn revoke() -> Result {
        let mut gpu = Gpu::new()?;
        let mut buffer = Buffer::new(gpu.object()?)?;

        // There is nothing to revoke.
        buffer.as_mut().unmap_memory();

        ensure_ok!(buffer.obj.sg_table(gpu.bound()?), "the table");
        let table_only = Uses::of(&buffer.obj);
        for round in 1..=3 {
            ensure_ok!(buffer.memory(gpu.bound()?), "an access");
            let uses = Uses::of(&buffer.obj);
            ensure!(uses.vmap == 1, "round {round}: {uses:?}");

            buffer.as_mut().unmap_memory();
            let uses = Uses::of(&buffer.obj);
            ensure!(uses == table_only, "round {round}, revoked: {uses:?}");
            ensure!(is_mapped(&buffer.obj), "round {round}: the table is gone");

            let peek = buffer.memory_if_mapped(gpu.bound()?);
            let peek = peek.map(|memory| memory.is_some());
            ensure!(peek == Ok(false), "round {round}: revoked, peek: {peek:?}");
            let is_revoked = buffer.try_memory().is_none();
            ensure!(is_revoked, "round {round}: a revoked mapping is lent");
        }

        // A slot that unbind has revoked becomes empty as well.
        ensure_ok!(buffer.memory(gpu.bound()?), "the access before unbind");
        gpu.dev.unbind();
        buffer.as_mut().unmap_memory();
        gpu.rebind()?;
        ensure_ok!(buffer.memory(gpu.bound()?), "the access after a rebind");
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::MAPPED, "after a rebind: {uses:?}");

        // Unbind unmaps the current mapping, and no mapping that was revoked before.
        gpu.dev.unbind();
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::NONE, "in the end: {uses:?}");
        Ok(())
    }

    /// The mapping holds a reference to the GEM object. Unbind and revoking put it.
    #[test]
    fn object_is_held_while_mapped() -> Result {
        let mut gpu = Gpu::new()?;
        let obj = gpu.object()?;
        let mut buffer = Buffer::new(obj.clone())?;
        ensure!(refs(&obj) == 2, "{} references", refs(&obj));

        ensure_ok!(buffer.memory(gpu.bound()?), "the first access");
        ensure!(refs(&obj) == 3, "{} references while mapped", refs(&obj));
        buffer.as_mut().unmap_memory();
        ensure!(refs(&obj) == 2, "{} references, revoked", refs(&obj));

        ensure_ok!(buffer.memory(gpu.bound()?), "the next access");
        gpu.dev.unbind();
        ensure!(refs(&obj) == 2, "{} references after unbind", refs(&obj));

        drop(buffer);
        ensure!(refs(&obj) == 1, "{} references in the end", refs(&obj));
        Ok(())
    }

    /// Unbind unmaps the memory and the table in the reverse order of mapping.
    #[test]
    fn order_at_unbind() -> Result {
        let mut gpu = Gpu::new()?;

        let buffer = Buffer::new(gpu.object()?)?;
        ensure_ok!(buffer.obj.sg_table(gpu.bound()?), "the table, first");
        let seen = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;
        let _observer = observe(&gpu, &buffer.obj, &seen)?;
        ensure_ok!(buffer.memory(gpu.bound()?), "the memory, second");
        gpu.dev.unbind();
        let between = *seen.lock();
        ensure!(
            between
                == Some(Seen {
                    has_table: true,
                    uses: Uses {
                        pages: 1,
                        ..Uses::NONE
                    },
                }),
            "between the memory and the table: {between:?}"
        );
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::NONE, "after unbind: {uses:?}");

        gpu.rebind()?;
        let buffer = Buffer::new(gpu.object()?)?;
        ensure_ok!(buffer.memory(gpu.bound()?), "the memory, first");
        let seen = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;
        let _observer = observe(&gpu, &buffer.obj, &seen)?;
        ensure_ok!(buffer.obj.sg_table(gpu.bound()?), "the table, second");
        gpu.dev.unbind();
        let between = *seen.lock();
        ensure!(
            between
                == Some(Seen {
                    has_table: false,
                    uses: Uses::MAPPED,
                }),
            "between the table and the memory: {between:?}"
        );
        let uses = Uses::of(&buffer.obj);
        ensure!(uses == Uses::NONE, "after unbind: {uses:?}");
        Ok(())
    }

    /// Freeing a buffer unmaps its memory before the table of its object, in whichever order they
    /// were mapped.
    #[test]
    fn order_at_free() -> Result {
        let mut gpu = Gpu::new()?;
        gpu.map_another()?;

        for is_table_first in [true, false] {
            let parent = gpu.object()?;
            let buffer = Buffer::new(gpu.object_below(&parent)?)?;
            let dev = gpu.bound()?;
            let nodes = devres_nodes(dev);
            if is_table_first {
                ensure_ok!(buffer.obj.sg_table(dev), "the table, first");
            }
            ensure_ok!(buffer.memory(dev), "the memory");
            ensure_ok!(buffer.obj.sg_table(dev), "the table");
            ensure!(
                surplus_uses(&buffer.obj) == 1,
                "{:?}",
                Uses::of(&buffer.obj)
            );

            let dying = ptr::from_ref(&*buffer);
            let freeing = Thread::new(move || drop(buffer))?;

            // Unmapping takes this lock. So the free gets as far as its first slot, and has not
            // come to the other one.
            let resv = DmaResvGuard::new(&*parent);
            freeing.start();
            // SAFETY: The buffer is valid until its memory is unmapped, and the object until its
            // table is. Both wait for the lock that this thread holds. The code below reads
            // atomics, or fields that are not written meanwhile.
            let dying = unsafe { &*dying };
            let has_begun = comes_true(GRACE * 100, || lent(dying, dev) != Ok((true, true)));
            let lent = lent(dying, dev);
            let (is_mapped, uses) = (is_mapped(&dying.obj), Uses::of(&dying.obj));
            drop(resv);
            freeing.join()?;

            ensure!(has_begun, "nothing is unmapped");
            ensure!(
                lent == Ok((true, false)),
                "lent while the first one is unmapped: {lent:?} (table, mapping)"
            );
            ensure!(
                is_mapped && uses.vmap == 1 && uses.pages == 2,
                "unmapped without the lock: {uses:?}"
            );
            let left = devres_nodes(gpu.bound()?) - nodes;
            ensure!(left == 0, "{left} entries are left on the device");
        }
        gpu.dev.unbind();
        Ok(())
    }
}
