// SPDX-License-Identifier: GPL-2.0

//! The functions that the lazy field gives to [`Object`] beside `sg_table()`: access without
//! mapping, access without a bound device, and unmapping by hand.
//!
//! The contract of the accessor itself is in `contract_kunit`.

use super::{
    contract_kunit::{
        address,
        drm_refs,
        is_mapped,
        page_uses,
        refs,
        surplus_uses,
        DmaBuf,
        Gem,
        Gpu,
        KunitDriver,
        SIZE, //
    },
    DmaResvGuard, //
};
use crate::{
    bindings,
    device::{
        Bound,
        Device, //
    },
    devres::kunit_support::{
        comes_true_with,
        dma_mappings,
        ensure,
        ensure_ok,
        fail,
        TestDevice,
        Thread,
        GRACE, //
    },
    drm,
    error::from_err_ptr,
    io::ResourceSize,
    prelude::*,
    processor::cpu_relax,
    scatterlist::SGTable,
    sync::{
        aref::ARef,
        rcu, //
    },
};
use core::ptr::{
    self,
    NonNull, //
};

/// Exclusive access to an object, for as long as `obj` is borrowed.
///
/// # Safety
///
/// `obj` is the only reference to the object.
unsafe fn exclusive(obj: &mut ARef<Gem>) -> Pin<&mut Gem> {
    let obj = ptr::from_ref::<Gem>(obj).cast_mut();

    // SAFETY: The object is valid while `obj` refers to it, and the caller guarantees that there is
    // no other reference.
    let obj = unsafe { &mut *obj };

    // SAFETY: An object behind a reference count does not move.
    unsafe { Pin::new_unchecked(obj) }
}

/// A buffer that is mapped for the device of another driver.
///
/// # Invariants
///
/// `attach` is a valid attachment to `buffer`, and `sgt` its table.
struct Import<'a> {
    buffer: &'a DmaBuf,
    attach: *mut bindings::dma_buf_attachment,
    sgt: *mut bindings::sg_table,
}

impl<'a> Import<'a> {
    /// Maps a buffer for the device of another driver.
    fn new(buffer: &'a DmaBuf, dev: &Device<Bound>) -> Result<Self> {
        // SAFETY: The buffer and the device are valid.
        let attach =
            from_err_ptr(unsafe { bindings::dma_buf_attach(buffer.as_raw(), dev.as_raw()) })?;

        // SAFETY: The attachment is new.
        let sgt = from_err_ptr(unsafe {
            bindings::dma_buf_map_attachment_unlocked(
                attach,
                bindings::dma_data_direction::DMA_BIDIRECTIONAL,
            )
        })
        .inspect_err(|_| {
            // SAFETY: The attachment was made above, and is not used after this.
            unsafe { bindings::dma_buf_detach(buffer.as_raw(), attach) };
        })?;

        // INVARIANT: The buffer was attached and mapped above.
        Ok(Self {
            buffer,
            attach,
            sgt,
        })
    }

    /// Returns the number of bytes that are mapped.
    fn len(&self) -> ResourceSize {
        // SAFETY: By the type invariants `sgt` is mapped.
        let table = unsafe { SGTable::from_raw(self.sgt) };
        table.iter().map(|entry| entry.dma_len()).sum()
    }
}

impl Drop for Import<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants `sgt` is mapped, and this is its last use.
        unsafe {
            bindings::dma_buf_unmap_attachment_unlocked(
                self.attach,
                self.sgt,
                bindings::dma_data_direction::DMA_BIDIRECTIONAL,
            )
        };

        // SAFETY: By the type invariants `attach` is attached, and this is its last use.
        unsafe { bindings::dma_buf_detach(self.buffer.as_raw(), self.attach) };
    }
}

#[kunit_tests(rust_devres_lazy_shmem)]
mod tests {
    use super::*;

    /// `peek` never sleeps, never maps, and refuses a wrong device.
    #[test]
    fn peek() -> Result {
        let mut gpu = Gpu::new()?;
        let obj = gpu.object()?;
        let other = TestDevice::new()?;
        let dev = gpu.bound()?;
        let other = other.bound()?.as_ref();

        // `peek` waits neither for a thread that maps nor for the lock that mapping takes, nor does
        // it sleep otherwise.
        let slot = ensure_ok!(obj.sgt.entry(dev), "the entry");
        let resv = DmaResvGuard::new(&*obj);
        let rcu = rcu::read_lock();
        let empty = obj.sg_table_if_mapped(dev).map(|table| table.is_some());
        let wrong = obj.sg_table_if_mapped(other).map(|table| table.is_some());
        drop((rcu, resv, slot));
        ensure!(empty == Ok(false), "while empty: {empty:?}");
        ensure!(wrong == Err(EINVAL), "wrong device, empty: {wrong:?}");
        ensure!(!is_mapped(&obj), "peek maps");

        let table = ensure_ok!(obj.sg_table(dev), "the first access");
        let mapped = ensure_ok!(obj.sg_table_if_mapped(dev), "while mapped");
        ensure!(
            mapped.is_some_and(|mapped| ptr::eq(mapped, table)),
            "another table is lent"
        );
        let wrong = obj.sg_table_if_mapped(other).map(|table| table.is_some());
        ensure!(wrong == Err(EINVAL), "wrong device, mapped: {wrong:?}");

        gpu.dev.unbind();
        gpu.rebind()?;
        let dev = gpu.bound()?;
        let revoked = obj.sg_table_if_mapped(dev).map(|table| table.is_some());
        ensure!(revoked == Ok(false), "after a rebind: {revoked:?}");
        Ok(())
    }

    /// `try_access` needs no bound device. An empty or revoked slot returns [`None`]. Unbind waits
    /// for the guard.
    #[test]
    fn try_access() -> Result {
        let gpu = Gpu::new()?;
        // Dropped last: see `Gpu`.
        let _drm = gpu.drm.clone();
        let obj = gpu.object()?;

        let slot = ensure_ok!(obj.sgt.entry(gpu.bound()?), "the entry");
        let rcu = rcu::read_lock();
        let empty = obj.try_sg_table().is_none();
        drop((rcu, slot));
        ensure!(empty, "something is lent while empty");
        ensure!(!is_mapped(&obj), "try_access maps");

        let table = ensure_ok!(address(obj.sg_table(gpu.bound()?)), "the first access");
        let mut dev = gpu.dev;
        let unbinding = Thread::new(move || dev.unbind())?;

        let Some(guard) = obj.try_sg_table() else {
            fail!("nothing is lent while mapped");
        };
        let lent = ptr::from_ref(&**guard).addr();
        let len: ResourceSize = guard.iter().map(|entry| entry.dma_len()).sum();

        // No code may sleep while there is a guard.
        unbinding.start();
        let is_early = comes_true_with(GRACE, cpu_relax, || {
            !is_mapped(&obj) || unbinding.has_returned()
        });
        drop(guard);
        unbinding.join()?;

        ensure!(
            lent == table,
            "another table is lent: {lent:#x}, {table:#x}"
        );
        ensure!(
            len == SIZE as ResourceSize,
            "{len} bytes of {SIZE} are mapped"
        );
        ensure!(!is_early, "unmapped while a guard was held");
        ensure!(!is_mapped(&obj), "still mapped after unbind");
        let is_revoked = obj.try_sg_table().is_none();
        ensure!(is_revoked, "a revoked table is lent");
        Ok(())
    }

    /// `revoke` unmaps at once and exactly once, puts the use of the pages, and leaves the slot
    /// empty.
    #[test]
    fn revoke() -> Result {
        let mappings = dma_mappings();
        let mut gpu = Gpu::new()?;
        let mut obj = gpu.object()?;
        ensure!(refs(&obj) == 1, "{} references", refs(&obj));

        // There is nothing to revoke.
        // SAFETY: There is one reference, as checked above; no test below creates another one.
        unsafe { exclusive(&mut obj) }.unmap_sg_table();

        for round in 1..=3 {
            ensure_ok!(obj.sg_table(gpu.bound()?), "an access");
            ensure!(
                page_uses(&obj) == 1,
                "round {round}: {} uses",
                page_uses(&obj)
            );

            // SAFETY: `obj` is the only reference, as no other one was made.
            unsafe { exclusive(&mut obj) }.unmap_sg_table();
            ensure!(!is_mapped(&obj), "round {round}: still mapped");
            ensure!(
                page_uses(&obj) == 0,
                "round {round}: {} uses",
                page_uses(&obj)
            );
            ensure!(
                dma_mappings() == mappings,
                "round {round}: DMA mappings: {mappings:?}, now {:?}",
                dma_mappings()
            );

            let peek = obj.sg_table_if_mapped(gpu.bound()?);
            let peek = peek.map(|table| table.is_some());
            ensure!(peek == Ok(false), "round {round}: revoked, peek: {peek:?}");
            let is_revoked = obj.try_sg_table().is_none();
            ensure!(is_revoked, "round {round}: a revoked table is lent");
        }

        // A slot that unbind has revoked becomes empty as well.
        ensure_ok!(obj.sg_table(gpu.bound()?), "the access before unbind");
        gpu.dev.unbind();
        // SAFETY: `obj` is the only reference, as no other one was made.
        unsafe { exclusive(&mut obj) }.unmap_sg_table();
        gpu.rebind()?;
        ensure_ok!(obj.sg_table(gpu.bound()?), "the access after a rebind");
        ensure!(page_uses(&obj) == 1, "{} uses", page_uses(&obj));

        // Unbind unmaps the current table, and no table that was revoked before.
        gpu.dev.unbind();
        ensure!(!is_mapped(&obj), "still mapped after unbind");
        ensure!(surplus_uses(&obj) == 0, "{} uses left", surplus_uses(&obj));
        Ok(())
    }

    /// `peek` works on the last holder of a DRM device, both empty and mapped.
    #[test]
    fn last_holder_peek() -> Result {
        let (obj, dev) = Gpu::new()?.into_last_holder()?;
        let dev = dev.bound()?.as_ref();

        let empty = obj.sg_table_if_mapped(dev).map(|table| table.is_some());
        ensure!(empty == Ok(false), "while empty: {empty:?}");
        ensure_ok!(obj.sg_table(dev), "the first access");
        let mapped = obj.sg_table_if_mapped(dev).map(|table| table.is_some());
        ensure!(mapped == Ok(true), "while mapped: {mapped:?}");
        Ok(())
    }

    /// A DRM device whose data owns an object is part of a cycle of references. Unbind unmaps the
    /// object and returns; object and device stay until the object is taken out of the data.
    #[test]
    fn data_owns_object() -> Result {
        let mut gpu = Gpu::new()?;
        let before = gpu.drm_refs();
        let obj = gpu.object()?;
        ensure!(
            gpu.drm_refs() > before,
            "the object has no reference to its DRM device"
        );
        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");

        let gem = NonNull::from(&*obj);
        *gpu.drm.object.lock() = Some(obj);
        drop(gpu.drm);
        gpu.dev.unbind();

        // SAFETY: The data of the device owns the object, which has a reference to the device.
        let obj = unsafe { gem.as_ref() };
        let is_left = is_mapped(obj);
        let drm: ARef<drm::Device<KunitDriver>> = obj.dev().into();
        let taken = drm.object.lock().take();
        let count = taken.as_ref().map(|obj| refs(obj));
        drop(taken);
        ensure!(!is_left, "still mapped after unbind");
        ensure!(count == Some(1), "references to the object: {count:?}");
        ensure!(
            drm_refs(&drm) == 1,
            "{} references are left",
            drm_refs(&drm)
        );
        Ok(())
    }

    /// The exporter of a buffer is unbound while an importer has the buffer mapped. Unbind unmaps
    /// the exporter's own table. The importer's table stays, and so do the pages, which
    /// `drm_gem_map_attach()` has pinned. The buffer is then the last holder of the object.
    #[test]
    fn exporter_unbound_before_importer() -> Result {
        let mappings = dma_mappings();
        let mut gpu = Gpu::new()?;
        let importer = Gpu::new()?;
        let obj = gpu.object()?;
        ensure_ok!(obj.sg_table(gpu.bound()?), "the exporter's access");
        let buffer = DmaBuf::export(&obj)?;
        let import = Import::new(&buffer, importer.bound()?)?;
        ensure!(page_uses(&obj) == 2, "{} uses, shared", page_uses(&obj));

        gpu.dev.unbind();
        let is_left = is_mapped(&obj);
        let uses = page_uses(&obj);
        drop(gpu.drm);
        drop(obj);
        let len = import.len();
        drop(import);
        drop(buffer);

        ensure!(!is_left, "the exporter's table is there after unbind");
        ensure!(uses == 1, "{uses} uses after unbind");
        ensure!(
            len == SIZE as ResourceSize,
            "{len} bytes of {SIZE} are mapped"
        );
        ensure!(
            dma_mappings() == mappings,
            "DMA mappings: {mappings:?}, now {:?}",
            dma_mappings()
        );
        Ok(())
    }
}
