// SPDX-License-Identifier: GPL-2.0

//! The contract of [`Object::sg_table()`], row by row, on a device that supports DMA.
//!
//! The suite does not depend on how the table is stored. The tests use only `Object`, its accessor
//! `sg_table()`, and the counts that the C helper keeps in the object. So it runs over any
//! implementation of the accessor, and tells a right one from a wrong one.

use super::{
    DmaResvGuard,
    Object,
    ObjectConfig, //
};
use crate::{
    bindings,
    device,
    devres::{
        self,
        kunit_support::{
            comes_true,
            completion,
            devres_nodes,
            dma_mappings,
            ensure,
            ensure_ok,
            expect_warning,
            meet,
            set_dma_bits,
            skip,
            with_pending_signal,
            DmaDebugPause,
            FailNth,
            TestDevice,
            Thread,
            GRACE, //
        },
        Devres, //
    },
    dma::DmaAddress,
    drm::{
        self,
        gem::{
            DriverObject,
            IntoGEMObject, //
        },
        UnregisteredDevice, //
    },
    error::from_err_ptr,
    faux,
    io::{
        Io,
        ResourceSize, //
    },
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    scatterlist::SGTable,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    types::ScopeGuard, //
};
use core::{
    mem,
    ptr::{
        self,
        NonNull, //
    }, //
};

/// The time limit of an event that must happen.
const LIMIT: Delta = Delta::from_millis(10_000);

/// The size of the objects: more than a page, and no more than a faux device maps in one segment.
pub(super) const SIZE: usize = 16 * PAGE_SIZE;

/// A minimal DRM driver.
pub(super) struct KunitDriver;

/// The driver's private data.
#[pin_data]
pub(super) struct KunitData {
    /// An object that the DRM device owns, for the one test that has such an object.
    #[pin]
    pub(super) object: Mutex<Option<ARef<Gem>>>,
}

impl KunitData {
    fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            object <- new_mutex!(None),
        })
    }
}

/// The driver's part of an open file.
pub(super) struct KunitFile;

/// The driver's part of an object.
#[pin_data]
pub(super) struct KunitObject {}

impl drm::file::DriverFile for KunitFile {
    type Driver = KunitDriver;

    fn open(_dev: &drm::Device<KunitDriver>) -> Result<Pin<KBox<Self>>> {
        Ok(KBox::new(Self, GFP_KERNEL)?.into())
    }
}

impl DriverObject for KunitObject {
    type Driver = KunitDriver;
    type Args = ();

    fn new(
        _dev: &drm::Device<KunitDriver>,
        _size: usize,
        _args: Self::Args,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {})
    }
}

#[vtable]
impl drm::Driver for KunitDriver {
    type Data = KunitData;
    type RegistrationData<'a> = ARef<Gem>;
    type File = KunitFile;
    type Object = Gem;
    type ParentDevice<Ctx: device::DeviceContext> = faux::Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 0,
        minor: 0,
        patchlevel: 0,
        name: c"lazy-kunit",
        desc: c"KUnit driver for lazily mapped objects",
    };
    const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
}

/// The object under test.
pub(super) type Gem = Object<KunitObject>;

/// A DRM device, and the device below it.
///
/// The object by hand does not keep its DRM device alive, so declare objects after this.
pub(super) struct Gpu {
    pub(super) drm: ARef<drm::Device<KunitDriver>>,
    pub(super) dev: TestDevice,
}

impl Gpu {
    /// Creates a device that supports DMA.
    pub(super) fn new() -> Result<Self> {
        let dev = TestDevice::new()?;
        let drm = UnregisteredDevice::new(dev.bound()?, KunitData::new())?;
        set_dma_bits(dev.bound()?.as_ref(), 64);

        Ok(Self {
            drm: ARef::from(&*drm),
            dev,
        })
    }

    /// Returns the device below, which stays bound while it is borrowed.
    pub(super) fn bound(&self) -> Result<&device::Device<device::Bound>> {
        Ok(self.dev.bound()?.as_ref())
    }

    /// Binds the same `struct device` again.
    pub(super) fn rebind(&mut self) -> Result {
        self.dev.rebind()?;
        set_dma_bits(self.bound()?, 64);

        Ok(())
    }

    /// Maps an object and frees it. From here on, the device has the state that its objects share.
    pub(super) fn map_another(&self) -> Result {
        ensure_ok!(self.object()?.sg_table(self.bound()?), "another object");
        Ok(())
    }

    /// Creates an object.
    pub(super) fn object(&self) -> Result<ARef<Gem>> {
        Gem::new(&self.drm, SIZE, ObjectConfig::default(), ())
    }

    /// Creates an object that is reserved together with `parent`.
    pub(super) fn object_below(&self, parent: &Gem) -> Result<ARef<Gem>> {
        let config = ObjectConfig {
            parent_resv_obj: Some(parent),
            ..ObjectConfig::default()
        };

        Gem::new(&self.drm, SIZE, config, ())
    }

    /// Returns the number of references to the DRM device.
    pub(super) fn drm_refs(&self) -> i32 {
        drm_refs(&self.drm)
    }

    /// Creates an object that is the last holder of its DRM device. Returns the object and the
    /// device below.
    ///
    /// Fails if the object has no reference of its own, as each read of `obj->dev` would then read
    /// freed memory.
    pub(super) fn into_last_holder(self) -> Result<(ARef<Gem>, TestDevice)> {
        let refs = self.drm_refs();
        let obj = self.object()?;
        ensure!(
            self.drm_refs() > refs,
            "the object has no reference to its DRM device"
        );

        drop(self.drm);
        Ok((obj, self.dev))
    }
}

/// Returns the number of references to a DRM device.
pub(super) fn drm_refs(drm: &drm::Device<KunitDriver>) -> i32 {
    // SAFETY: `drm` is a reference, so the count is valid.
    let count = unsafe { &raw mut (*drm.as_raw()).ref_.refcount.refs.counter };

    // SAFETY: The count is only ever accessed atomically.
    unsafe { Atomic::from_ptr(count) }.load(Relaxed)
}

/// Returns the number of references to an object.
pub(super) fn refs(obj: &Gem) -> i32 {
    // SAFETY: The object is initialised.
    let count = unsafe { &raw mut (*obj.as_raw()).refcount.refcount.refs.counter };

    // SAFETY: The count is only ever accessed atomically.
    unsafe { Atomic::from_ptr(count) }.load(Relaxed)
}

/// Returns whether the C helper has a table in the object.
pub(super) fn is_mapped(obj: &Gem) -> bool {
    // SAFETY: The object is initialised.
    let sgt = unsafe { &raw const (*obj.as_raw_shmem()).sgt };
    // SAFETY: The object is initialised. Another thread may write the pointer, but only ever
    // whole, and it is only compared.
    let sgt = unsafe { sgt.read_volatile() };

    !sgt.is_null()
}

/// Returns the use count of the object's pages.
pub(super) fn page_uses(obj: &Gem) -> i32 {
    // SAFETY: The object is initialised.
    let count = unsafe { &raw mut (*obj.as_raw_shmem()).pages_use_count.refs.counter };

    // SAFETY: The count is only ever accessed atomically.
    unsafe { Atomic::from_ptr(count) }.load(Relaxed)
}

/// Returns the number of uses of the pages that are left when the object is freed, which ends one
/// use.
pub(super) fn surplus_uses(obj: &Gem) -> i32 {
    // SAFETY: The object is initialised, and the tests call this when no other thread uses it.
    let has_pages = unsafe { !(*obj.as_raw_shmem()).pages.is_null() };

    page_uses(obj) - i32::from(has_pages)
}

/// Returns the address of a reference, for comparison only: a wrong accessor may return a dangling
/// one.
pub(super) fn address<T: ?Sized>(lent: Result<&T>) -> Result<usize> {
    lent.map(|lent| ptr::from_ref(lent).addr())
}

/// Makes the table as C code does, without the accessor. Returns its address.
fn make_table(obj: &Gem) -> Result<usize> {
    // SAFETY: The object is initialised.
    let sgt = unsafe { bindings::drm_gem_shmem_get_pages_sgt(obj.as_raw_shmem()) };

    Ok(from_err_ptr(sgt)?.addr())
}

/// Returns the number of bytes that a table maps for the device.
pub(super) fn dma_len(table: &SGTable) -> ResourceSize {
    table.iter().map(|entry| entry.dma_len()).sum()
}

/// The buffer by which an object is shared with other drivers.
///
/// # Invariants
///
/// The pointer is to a valid buffer, and this owns a reference to the buffer.
pub(super) struct DmaBuf(NonNull<bindings::dma_buf>);

impl DmaBuf {
    /// Exports an object.
    pub(super) fn export(obj: &Gem) -> Result<Self> {
        // SAFETY: The object is initialised.
        let buf = from_err_ptr(unsafe { bindings::drm_gem_prime_export(obj.as_raw(), 0) })?;

        // INVARIANT: The function has returned a reference.
        Ok(Self(NonNull::new(buf).ok_or(EINVAL)?))
    }

    pub(super) fn as_raw(&self) -> *mut bindings::dma_buf {
        self.0.as_ptr()
    }
}

impl Drop for DmaBuf {
    fn drop(&mut self) {
        // SAFETY: By the type invariants this owns a reference.
        unsafe { bindings::dma_buf_put(self.0.as_ptr()) };
        // In a kernel thread, the release is left to a worker.
        // SAFETY: This thread may sleep.
        unsafe { bindings::flush_delayed_fput() };
    }
}

/// Calls `with` while the object looks as if it was imported from the buffer `dmabuf`. The object
/// and the buffer share a reservation lock.
fn as_imported<R>(
    obj: &Gem,
    dmabuf: *mut bindings::dma_buf,
    with: impl FnOnce() -> R,
) -> Result<R> {
    // SAFETY: The object is initialised.
    let drm = unsafe { (*obj.as_raw()).dev };
    // SAFETY: The tests hold a reference to the DRM device of an object.
    let dev = unsafe { (*drm).dev };
    // SAFETY: The buffer is valid, and a DRM device has a reference to its parent.
    let attach = from_err_ptr(unsafe { bindings::dma_buf_attach(dmabuf, dev) })?;
    // SAFETY: The object is initialised, and the tests call this when no other thread uses it.
    unsafe { (*obj.as_raw()).import_attach = attach };

    let _reset = ScopeGuard::new(|| {
        // SAFETY: The object is initialised, and no other thread uses it.
        unsafe { (*obj.as_raw()).import_attach = ptr::null_mut() };
        // SAFETY: The attachment was made above, and is not used any more.
        unsafe { bindings::dma_buf_detach(dmabuf, attach) };
    });
    Ok(with())
}

/// Makes eight threads map a resource of `obj` at the same time, each by its own handle. Returns
/// the address that all of them get.
pub(super) fn race_to_first<T: Clone + Send + 'static>(
    gpu: &Gpu,
    obj: &Gem,
    handle: &T,
    access: fn(&T, &device::Device<device::Bound>) -> Result<usize>,
) -> Result<usize> {
    const THREADS: usize = 8;

    let dev: ARef<device::Device> = gpu.bound()?.into();
    let mut threads = KVec::with_capacity(THREADS, GFP_KERNEL)?;
    for _ in 0..THREADS {
        let (handle, dev) = (handle.clone(), dev.clone());
        let thread = Thread::new(move || {
            // SAFETY: The device is unbound when `gpu` is dropped, after `threads`, which waits for
            // this thread.
            let dev = unsafe { dev.as_bound() };
            access(&handle, dev)
        })?;
        threads.push(thread, GFP_KERNEL)?;
    }

    // Mapping takes this lock, so the first thread waits until all have started.
    let resv = DmaResvGuard::new(obj);
    for thread in &threads {
        thread.start();
    }
    let is_early = comes_true(GRACE, || threads.iter().any(|thread| thread.has_returned()));
    drop(resv);

    ensure!(!is_early, "a thread got a table that is not mapped");
    let mut first = None;
    for thread in threads {
        let this = ensure_ok!(thread.join()?, "a thread");
        let first = *first.get_or_insert(this);
        ensure!(this == first, "a thread got {this:#x}, another {first:#x}");
    }

    first.ok_or(EINVAL)
}

#[kunit_tests(rust_devres_lazy_contract)]
mod tests {
    use super::*;

    /// Later accesses with the right device return the same table, without a lock or an allocation.
    #[test]
    fn success_path() -> Result {
        let gpu = Gpu::new()?;
        let obj = gpu.object()?;
        let dev = gpu.bound()?;

        let table = ensure_ok!(obj.sg_table(dev), "the first access");
        let len: ResourceSize = table.iter().map(|entry| entry.dma_len()).sum();
        ensure!(
            len == SIZE as ResourceSize,
            "{len} bytes of {SIZE} are mapped"
        );
        for entry in table.iter() {
            let addr = entry.dma_address();
            ensure!(addr != 0, "an entry has no DMA address");
            ensure!(
                addr % PAGE_SIZE as DmaAddress == 0,
                "an entry begins at {addr:#x}"
            );
        }

        // Mapping takes this lock.
        let resv = DmaResvGuard::new(&*obj);
        let fault = FailNth::AVAILABLE.then(|| FailNth::new(1)).transpose()?;
        for _ in 0..100 {
            let again = ensure_ok!(obj.sg_table(dev), "a later access");
            ensure!(ptr::eq(again, table), "another table is lent");
        }
        let has_allocated = fault.is_some_and(|fault| fault.tripped());
        drop(resv);

        ensure!(!has_allocated, "a later access allocates");
        ensure!(page_uses(&obj) == 1, "{} uses", page_uses(&obj));
        Ok(())
    }

    /// Access with any device but the owner's fails with `EINVAL`, before anything is mapped.
    #[test]
    fn wrong_device() -> Result {
        let gpu = Gpu::new()?;
        let obj = gpu.object()?;
        let other = TestDevice::new()?;
        let other = other.bound()?.as_ref();
        set_dma_bits(other, 64);

        for _ in 0..2 {
            let before = address(obj.sg_table(other));
            ensure!(before == Err(EINVAL), "before populate: {before:?}");
        }
        ensure!(!is_mapped(&obj), "mapped for a wrong device");

        let table = ensure_ok!(address(obj.sg_table(gpu.bound()?)), "the right device");
        let after = address(obj.sg_table(other));
        ensure!(after == Err(EINVAL), "after populate: {after:?}");

        let again = address(obj.sg_table(gpu.bound()?));
        ensure!(again == Ok(table), "then the right device: {again:?}");
        Ok(())
    }

    /// Racing first accesses map once, and return the same table to all callers.
    #[test]
    fn racing_first_access() -> Result {
        let gpu = Gpu::new()?;
        let obj = gpu.object()?;
        let first = race_to_first(&gpu, &obj, &obj, |obj, dev| address(obj.sg_table(dev)))?;
        ensure!(page_uses(&obj) == 1, "{} uses", page_uses(&obj));

        let now = address(obj.sg_table(gpu.bound()?));
        ensure!(now == Ok(first), "then {now:x?}");
        Ok(())
    }

    /// If mapping fails, the accessor returns its error, and leaves neither a table nor a use of
    /// the pages.
    #[test]
    fn failing_map() -> Result {
        let gpu = Gpu::new()?;
        let obj = gpu.object()?;
        let dev = gpu.bound()?;

        // With this mask, all pages are out of reach. The kernel warns of that, once.
        set_dma_bits(dev, 12);
        let first = expect_warning("overflow (mask fff,", || address(obj.sg_table(dev)));
        let second = address(obj.sg_table(dev));

        ensure!(first == Err(EIO), "out of reach: {first:?}");
        ensure!(second == Err(EIO), "and again: {second:?}");
        ensure!(!is_mapped(&obj), "there is a table");
        ensure!(page_uses(&obj) == 0, "{} uses", page_uses(&obj));

        set_dma_bits(dev, 64);
        ensure_ok!(obj.sg_table(dev), "within reach");
        ensure!(page_uses(&obj) == 1, "then {} uses", page_uses(&obj));
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
        let _pause = DmaDebugPause::new();
        for _ in 0..SWEEPS {
            let mut nth = 1;
            while let Fault::Tripped = fail_one_allocation(&gpu, nth)? {
                nth += 1;
            }
            ensure!(nth > 1, "nothing is allocated");
        }
        Ok(())
    }

    enum Fault {
        Tripped,
        NotReached,
    }

    /// Maps an object while the `nth` allocation fails, and once more if mapping has failed.
    fn fail_one_allocation(gpu: &Gpu, nth: u32) -> Result<Fault> {
        let dev = gpu.bound()?;
        // With one page, other code allocates the least.
        let obj = Gem::new(&gpu.drm, PAGE_SIZE, ObjectConfig::default(), ())?;
        let nodes = devres_nodes(dev);

        let fault = FailNth::new(nth)?;
        let result = address(obj.sg_table(dev));
        let tripped = fault.tripped();
        drop(fault);

        if let Err(error) = result {
            ensure!(tripped, "without a fault: {error:?}");
            ensure!(error == ENOMEM, "allocation {nth}: {error:?}");
            ensure!(!is_mapped(&obj), "allocation {nth}: there is a table");
            ensure!(
                devres_nodes(dev) == nodes,
                "allocation {nth}: something is left on the device"
            );
            ensure_ok!(obj.sg_table(dev), "the next access");
        }

        let surplus = surplus_uses(&obj);
        ensure!(surplus == 0, "allocation {nth}: {surplus} uses are left");

        Ok(if tripped {
            Fault::Tripped
        } else {
            Fault::NotReached
        })
    }

    /// Unbind unmaps the table before it returns. The object stays usable.
    #[test]
    fn unbind() -> Result {
        let before = dma_mappings();
        let mut gpu = Gpu::new()?;
        let obj = gpu.object()?;
        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");
        ensure!(is_mapped(&obj), "not mapped");

        gpu.dev.unbind();

        ensure!(!is_mapped(&obj), "still mapped after unbind");
        ensure!(
            dma_mappings() == before,
            "DMA mappings: {before:?}, now {:?}",
            dma_mappings()
        );
        ensure!(surplus_uses(&obj) == 0, "{} uses left", surplus_uses(&obj));

        let vmap = obj.vmap::<SIZE>()?;
        vmap.write32(0x5eed_cafe, 0);
        ensure!(
            vmap.read32(0) == 0x5eed_cafe,
            "the object has lost its pages"
        );
        Ok(())
    }

    /// Access fails with `ENXIO` when the same device is bound again. New objects can be mapped.
    #[test]
    fn rebind() -> Result {
        let mut gpu = Gpu::new()?;
        let obj = gpu.object()?;
        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");
        gpu.dev.unbind();

        for _ in 0..2 {
            gpu.rebind()?;
            let dev = gpu.bound()?;

            for _ in 0..2 {
                let again = address(obj.sg_table(dev));
                ensure!(
                    again == Err(ENXIO),
                    "after a rebind: {again:x?}, and the object is {}mapped",
                    if is_mapped(&obj) { "" } else { "not " }
                );
            }
            ensure!(!is_mapped(&obj), "mapped again");

            let new = gpu.object()?;
            ensure_ok!(new.sg_table(dev), "a new object");
            gpu.dev.unbind();
            ensure!(!is_mapped(&new), "the new object is still mapped");
        }
        Ok(())
    }

    /// Access fails with `ENXIO` in the middle of unbind as well.
    #[test]
    fn access_during_unbind() -> Result {
        let mut gpu = Gpu::new()?;
        let obj = gpu.object()?;
        let result = Arc::pin_init(new_mutex!(None), GFP_KERNEL)?;

        // A `Devres` that is released after the table, as it was made before any slot had a place.
        let callback = {
            let (obj, result) = (obj.clone(), result.clone());
            let dev: ARef<device::Device> = gpu.bound()?.into();
            ScopeGuard::new(move || {
                // SAFETY: Unbind is waiting for this callback.
                let dev = unsafe { dev.as_bound() };
                *result.lock() = Some((address(obj.sg_table(dev)), is_mapped(&obj)));
            })
        };
        let _older = Devres::new(gpu.bound()?, callback)?;
        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");

        gpu.dev.unbind();

        let result: &Mutex<Option<(Result<usize>, bool)>> = &result;
        let result = *result.lock();
        ensure!(
            result == Some((Err(ENXIO), false)),
            "in the middle of unbind: {result:x?} (result, is it mapped)"
        );
        ensure!(!is_mapped(&obj), "mapped again");
        Ok(())
    }

    /// A callback of a registration by `devres::register()` uses the table on another thread when
    /// unbind begins. The table stays mapped until the callback has returned.
    #[test]
    fn lent_to_a_callback() -> Result {
        let mut gpu = Gpu::new()?;
        let obj = gpu.object()?;

        let (registered, using, unbinding) = (completion()?, completion()?, completion()?);
        let callback = {
            let obj = obj.clone();
            let dev: ARef<device::Device> = gpu.bound()?.into();
            let (registered, using) = (registered.clone(), using.clone());
            let unbinding = unbinding.clone();
            Thread::new(move || -> Result<(bool, ResourceSize)> {
                registered.wait_for_completion();
                // SAFETY: The registration's drop, which unbind waits for, waits for this thread.
                let dev = unsafe { dev.as_bound() };
                let table = obj.sg_table(dev);
                using.complete_all();
                let table = table?;

                unbinding.wait_for_completion();
                let is_there = is_mapped(&obj);
                let len = if is_there {
                    table.iter().map(|entry| entry.dma_len()).sum()
                } else if cfg!(CONFIG_KASAN) {
                    // KASAN reports this read of a table that was freed.
                    table.iter().next().map_or(0, |entry| entry.dma_len())
                } else {
                    0
                };
                Ok((is_there, len))
            })?
        };
        callback.start();

        let found = Arc::pin_init(new_mutex!(Err(EAGAIN)), GFP_KERNEL)?;
        let registration = {
            let found = found.clone();
            ScopeGuard::new(move || {
                unbinding.complete_all();
                *found.lock() = callback.join().and_then(|found| found);
            })
        };
        devres::register(gpu.bound()?, registration, GFP_KERNEL)?;
        registered.complete_all();
        using.wait_for_completion();

        gpu.dev.unbind();

        let found: Result<(bool, ResourceSize)> = *found.lock();
        ensure!(
            found == Ok((true, SIZE as ResourceSize)),
            "under the callback: {found:?} (is it mapped, bytes)"
        );
        ensure!(!is_mapped(&obj), "mapped after unbind");
        Ok(())
    }

    /// Freeing the owner first unmaps before the free returns, and leaves nothing on the device.
    #[test]
    fn free_before_unbind() -> Result {
        let mappings = dma_mappings();
        let mut gpu = Gpu::new()?;
        gpu.map_another()?;
        let obj = gpu.object()?;
        let nodes = devres_nodes(gpu.bound()?);
        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");
        ensure!(surplus_uses(&obj) == 0, "{} uses left", surplus_uses(&obj));

        drop(obj);

        let left = devres_nodes(gpu.bound()?) - nodes;
        ensure!(left == 0, "{left} entries are left on the device");
        ensure!(
            dma_mappings() == mappings,
            "DMA mappings: {mappings:?}, now {:?}",
            dma_mappings()
        );
        gpu.dev.unbind();
        Ok(())
    }

    /// Unbind and free at once: if unbind is first, the free waits.
    #[test]
    fn unbind_wins() -> Result {
        let mappings = dma_mappings();
        let gpu = Gpu::new()?;
        // Dropped last: see `Gpu`.
        let _drm = gpu.drm.clone();
        let parent = gpu.object()?;
        let obj = gpu.object_below(&parent)?;
        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");

        // The signal is released right before the table, as it is registered right after the table.
        let is_next = completion()?;
        let signal = is_next.clone();
        let signal = ScopeGuard::new(move || signal.complete_all());
        devres::register(gpu.bound()?, signal, GFP_KERNEL)?;

        let mut dev = gpu.dev;
        let unbinding = Thread::new(move || dev.unbind())?;
        let freeing = Thread::new(move || drop(obj))?;

        // Unmapping takes this lock.
        let resv = DmaResvGuard::new(&*parent);
        unbinding.start();
        is_next.wait_for_completion();
        fsleep(Delta::from_millis(20));
        freeing.start();
        let is_early = comes_true(GRACE, || unbinding.has_returned() || freeing.has_returned());
        drop(resv);

        unbinding.join()?;
        freeing.join()?;
        ensure!(!is_early, "one returned before the object was unmapped");
        ensure!(
            dma_mappings() == mappings,
            "DMA mappings: {mappings:?}, now {:?}",
            dma_mappings()
        );
        Ok(())
    }

    /// Unbind and free at once: if the free is first, unbind waits.
    #[test]
    fn free_wins() -> Result {
        let mappings = dma_mappings();
        let gpu = Gpu::new()?;
        // Dropped last: see `Gpu`.
        let _drm = gpu.drm.clone();
        let parent = gpu.object()?;
        let obj = gpu.object_below(&parent)?;
        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");

        let is_next = completion()?;
        let signal = is_next.clone();
        let freeing = Thread::new(move || {
            signal.complete_all();
            drop(obj);
        })?;
        let mut dev = gpu.dev;
        let unbinding = Thread::new(move || dev.unbind())?;

        // Unmapping takes this lock.
        let resv = DmaResvGuard::new(&*parent);
        freeing.start();
        is_next.wait_for_completion();
        fsleep(Delta::from_millis(20));
        unbinding.start();
        let is_early = comes_true(GRACE, || freeing.has_returned() || unbinding.has_returned());
        drop(resv);

        freeing.join()?;
        unbinding.join()?;
        ensure!(!is_early, "one returned before the object was unmapped");
        ensure!(
            dma_mappings() == mappings,
            "DMA mappings: {mappings:?}, now {:?}",
            dma_mappings()
        );
        Ok(())
    }

    /// Unbind and free at once, many times over.
    #[test]
    fn free_and_unbind() -> Result {
        const ROUNDS: usize = 50;

        let mappings = dma_mappings();
        let mut gpu = Gpu::new()?;

        for round in 1..=ROUNDS {
            let obj = gpu.object()?;
            ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");

            let arrived = Arc::new(Atomic::new(0), GFP_KERNEL)?;
            let theirs = arrived.clone();
            let freeing = Thread::new(move || {
                meet(&theirs, 2);
                drop(obj);
            })?;
            freeing.start();
            meet(&arrived, 2);
            gpu.dev.unbind();
            freeing.join()?;

            ensure!(
                dma_mappings() == mappings,
                "round {round}: DMA mappings: {mappings:?}, now {:?}",
                dma_mappings()
            );
            gpu.rebind()?;
        }
        Ok(())
    }

    /// Mapping and unmapping do not change the object's own reference count.
    #[test]
    fn owner_is_held_weakly() -> Result {
        let mut gpu = Gpu::new()?;
        let obj = gpu.object()?;

        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");
        ensure!(refs(&obj) == 1, "{} references while mapped", refs(&obj));
        gpu.dev.unbind();
        ensure!(refs(&obj) == 1, "{} references after unbind", refs(&obj));
        Ok(())
    }

    /// The object keeps its DRM device, which unmapping and the release read.
    #[test]
    fn object_outlives_drm_device() -> Result {
        let mut gpu = Gpu::new()?;
        let refs = gpu.drm_refs();

        // `gpu` has a reference as well, so the test is safe even if the object has none.
        let obj = gpu.object()?;
        let created = gpu.drm_refs();
        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");
        let mapped = gpu.drm_refs();
        gpu.dev.unbind();
        drop(obj);
        let freed = gpu.drm_refs();

        ensure!(
            created == refs + 1 && mapped == created,
            "{refs} references to the DRM device, {created} with an object, {mapped} while mapped"
        );
        ensure!(freed == refs, "{} references are left", freed - refs);
        Ok(())
    }

    /// A mapped object is freed as the last holder of its DRM device.
    #[test]
    fn last_holder() -> Result {
        let mappings = dma_mappings();
        let (obj, dev) = Gpu::new()?.into_last_holder()?;
        ensure_ok!(obj.sg_table(dev.bound()?.as_ref()), "the first access");

        drop(obj);

        ensure!(
            dma_mappings() == mappings,
            "DMA mappings: {mappings:?}, now {:?}",
            dma_mappings()
        );
        Ok(())
    }

    /// The same after unbind. Without a reference of the object's own, the release reads a freed
    /// DRM device: `drm_gem_object_release()` removes the object's mmap offset from a tree of the
    /// device.
    #[test]
    fn last_holder_after_unbind() -> Result {
        let mut gpu = Gpu::new()?;
        let refs = gpu.drm_refs();
        let obj = gpu.object()?;
        let has_reference = gpu.drm_refs() > refs;
        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");
        gpu.dev.unbind();

        // DRM warns of the object that is left, if the object does not keep the device alive.
        drop(gpu.drm);
        if has_reference {
            drop(obj);
        } else {
            // The release of the object would read freed memory.
            mem::forget(obj);
        }

        ensure!(
            has_reference,
            "the object has no reference to its DRM device"
        );
        Ok(())
    }

    /// An object that is the last holder of its DRM device is mapped, and accessed again.
    #[test]
    fn last_holder_access() -> Result {
        let (obj, mut dev) = Gpu::new()?.into_last_holder()?;

        let first = ensure_ok!(
            address(obj.sg_table(dev.bound()?.as_ref())),
            "the first access"
        );
        let again = address(obj.sg_table(dev.bound()?.as_ref()));
        ensure!(again == Ok(first), "then {again:x?}");

        dev.unbind();
        ensure!(!is_mapped(&obj), "still mapped after unbind");
        Ok(())
    }

    /// An object in registration data is freed when the driver's data is dropped, before devres
    /// releases anything. `Registration` puts its reference to the DRM device before that.
    #[test]
    fn registration_data() -> Result {
        let mappings = dma_mappings();
        let mut dev = TestDevice::new()?;
        let drm = UnregisteredDevice::new(dev.bound()?, KunitData::new())?;
        set_dma_bits(dev.bound()?.as_ref(), 64);

        let refs = drm_refs(&drm);
        let obj = Gem::new(&drm, SIZE, ObjectConfig::default(), ())?;
        ensure!(
            drm_refs(&drm) > refs,
            "the object has no reference to its DRM device"
        );
        ensure_ok!(obj.sg_table(dev.bound()?.as_ref()), "the first access");

        // SAFETY: The registration is dropped below, and no code in between returns.
        let registration = unsafe { drm::Registration::new(dev.bound()?.as_ref(), drm, obj, 0) }?;
        drop(registration);
        let left = dma_mappings();
        dev.unbind();

        ensure!(
            left == mappings,
            "DMA mappings: {mappings:?}, then {left:?}"
        );
        Ok(())
    }

    /// A signal interrupts a first access that waits for the reservation lock. The access fails
    /// with `EINTR`, and leaves neither a table nor a use of the pages.
    /// `dma_resv_lock_interruptible()` looks for signals while it waits.
    #[test]
    fn interrupted() -> Result {
        let gpu = Gpu::new()?;
        let obj = gpu.object()?;

        let (theirs, dev): (_, ARef<device::Device>) = (obj.clone(), gpu.bound()?.into());
        let accessing = Thread::new(move || {
            // SAFETY: The device is unbound when `gpu` is dropped, after this thread has ended.
            let dev = unsafe { dev.as_bound() };
            with_pending_signal(|| address(theirs.sg_table(dev)))
        })?;

        let resv = DmaResvGuard::new(&*obj);
        accessing.start();
        let is_interrupted = comes_true(LIMIT, || accessing.has_returned());
        drop(resv);
        let result = accessing.join()?;

        ensure!(is_interrupted, "it waits for the lock, with {result:x?}");
        ensure!(result == Err(EINTR), "interrupted: {result:x?}");
        ensure!(!is_mapped(&obj), "there is a table");
        ensure!(page_uses(&obj) == 0, "{} uses", page_uses(&obj));

        ensure_ok!(obj.sg_table(gpu.bound()?), "the next access");
        ensure!(page_uses(&obj) == 1, "then {} uses", page_uses(&obj));
        Ok(())
    }

    /// C code purges an object that Rust never asked for a table. Purging ends the use of the pages
    /// that C code has taken, and the next access maps new pages.
    #[test]
    fn purge() -> Result {
        let mut gpu = Gpu::new()?;
        let obj = gpu.object()?;
        let shmem = obj.as_raw_shmem();

        // `drm_gem_shmem_is_purgeable()`: advised, not pinned, and there is a table.
        ensure!(make_table(&obj)? != 0, "there is no table");
        let resv = DmaResvGuard::new(&*obj);
        // SAFETY: The object is initialised, and its reservation lock is held.
        let is_kept = unsafe { bindings::drm_gem_shmem_madvise_locked(shmem, 1) };
        // SAFETY: The reservation lock is held, and no code uses the table.
        unsafe { bindings::drm_gem_shmem_purge_locked(shmem) };
        drop(resv);
        ensure!(is_kept == 1, "advised: {is_kept}");
        ensure!(!is_mapped(&obj), "there is a table");
        ensure!(page_uses(&obj) == 0, "{} uses", page_uses(&obj));

        ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");
        ensure!(page_uses(&obj) == 1, "then {} uses", page_uses(&obj));
        gpu.dev.unbind();
        ensure!(!is_mapped(&obj), "still mapped after unbind");
        ensure!(surplus_uses(&obj) == 0, "{} uses left", surplus_uses(&obj));
        Ok(())
    }

    /// C code makes the table of an object whose table Rust never asked for.
    /// `drm_gem_shmem_release()` frees the table and puts its use of the pages.
    #[test]
    fn table_of_c() -> Result {
        let mappings = dma_mappings();
        let gpu = Gpu::new()?;
        let obj = gpu.object()?;

        let theirs = make_table(&obj)?;
        ensure!(page_uses(&obj) == 1, "{} uses", page_uses(&obj));
        drop(obj);
        ensure!(
            dma_mappings() == mappings,
            "DMA mappings: {mappings:?}, now {:?}",
            dma_mappings()
        );

        // The first access finds the table, and takes no use of its own. So unbind unmaps the table
        // and puts the use that C has taken.
        let mut gpu = gpu;
        let obj = gpu.object()?;
        let theirs_too = make_table(&obj)?;
        ensure!(theirs != 0 && theirs_too != 0, "there is no table");
        let lent = address(obj.sg_table(gpu.bound()?));
        ensure!(
            lent == Ok(theirs_too),
            "C has {theirs_too:#x}, lent: {lent:x?}"
        );
        ensure!(page_uses(&obj) == 1, "then {} uses", page_uses(&obj));
        gpu.dev.unbind();
        ensure!(!is_mapped(&obj), "still mapped after unbind");
        ensure!(surplus_uses(&obj) == 0, "{} uses left", surplus_uses(&obj));
        Ok(())
    }

    /// The exporter of an imported object makes the object's table, from its own pages. The
    /// exporter also unmaps the table when the importer is unbound.
    #[test]
    fn imported_object() -> Result {
        let exporter = Gpu::new()?;
        let mut gpu = Gpu::new()?;
        let theirs = exporter.object()?;
        let dmabuf = DmaBuf::export(&theirs)?;
        let obj = gpu.object_below(&theirs)?;
        let mappings = dma_mappings();

        let (len, own, pinned, left) = as_imported(&obj, dmabuf.as_raw(), || {
            let table = ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");
            let len = dma_len(table);
            let own = (is_mapped(&obj), page_uses(&obj));
            let pinned = page_uses(&theirs);

            gpu.dev.unbind();
            Ok((len, own, pinned, dma_mappings()))
        })??;

        ensure!(
            own == (false, 0),
            "a table of its own and uses of its own pages: {own:?}"
        );
        ensure!(
            len == SIZE as ResourceSize,
            "{len} bytes of {SIZE} are mapped"
        );
        ensure!(pinned == 1, "{pinned} uses of the exporter's pages");
        ensure!(
            left == mappings,
            "DMA mappings: {mappings:?}, after unbind {left:?}"
        );
        Ok(())
    }
}
