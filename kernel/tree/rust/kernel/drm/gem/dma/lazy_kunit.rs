// SPDX-License-Identifier: GPL-2.0

//! GEM DMA objects: the result of `sg_table()`, and unbind, which ends the table and leaves the
//! memory.

use super::Object;
use crate::{
    bindings,
    device,
    devres::kunit_support::{
        completion,
        devres_nodes,
        dma_mappings,
        ensure,
        ensure_ok,
        set_dma_bits,
        skip,
        DmaDebugPause,
        FailNth,
        TestDevice,
        Thread, //
    },
    dma::DmaAddress,
    drm::{
        self,
        gem::{
            BaseObject,
            DriverObject,
            IntoGEMObject, //
        },
        UnregisteredDevice, //
    },
    error::{
        from_err_ptr,
        to_result, //
    },
    faux,
    io::{
        Io,
        ResourceSize, //
    },
    page::PAGE_SIZE,
    prelude::*,
    scatterlist::SGTable,
    sync::aref::ARef,
    types::ScopeGuard, //
};
use core::{
    marker::PhantomData,
    ptr, //
};

/// The size of the objects.
const SIZE: usize = 4 * PAGE_SIZE;

/// A minimal DRM driver.
struct KunitDriver;

/// The driver's private data, and its part of an open file.
struct KunitFile;

/// The driver's part of an object.
#[pin_data]
struct KunitObject {}

impl drm::file::DriverFile for KunitFile {
    type Driver = KunitDriver;

    fn open(_dev: &drm::Device<KunitDriver>) -> Result<Pin<KBox<Self>>> {
        Ok(KBox::new(Self, GFP_KERNEL)?.into())
    }
}

impl DriverObject for KunitObject {
    type Driver = KunitDriver;
    type Args = ();

    fn new(_dev: &drm::Device<KunitDriver>, _size: usize, _args: ()) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {})
    }
}

#[vtable]
impl drm::Driver for KunitDriver {
    type Data = KunitFile;
    type RegistrationData<'a> = ();
    type File = KunitFile;
    type Object = Gem;
    type ParentDevice<Ctx: device::DeviceContext> = faux::Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 0,
        minor: 0,
        patchlevel: 0,
        name: c"lazy-kunit-dma",
        desc: c"KUnit driver for GEM DMA objects",
    };
    const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
}

type Gem = Object<KunitObject>;

/// A DRM device, and the device below it.
struct Gpu {
    drm: ARef<drm::Device<KunitDriver>>,
    dev: TestDevice,
}

impl Gpu {
    /// Creates a device that supports DMA.
    fn new() -> Result<Self> {
        let dev = TestDevice::new()?;
        let drm = UnregisteredDevice::new(dev.bound()?, Ok::<_, Error>(KunitFile))?;
        set_dma_bits(dev.bound()?.as_ref(), 64);

        Ok(Self {
            drm: ARef::from(&*drm),
            dev,
        })
    }

    fn bound(&self) -> Result<&device::Device<device::Bound>> {
        Ok(self.dev.bound()?.as_ref())
    }

    /// Binds the same `struct device` again.
    fn rebind(&mut self) -> Result {
        self.dev.rebind()?;
        set_dma_bits(self.bound()?, 64);

        Ok(())
    }

    fn object(&self) -> Result<ARef<Gem>> {
        Gem::new(&self.drm, self.bound()?, SIZE, ())
    }
}

/// Returns where the DMA addresses of a table begin and end. Fails if there is a hole.
fn range(table: &SGTable) -> Result<(DmaAddress, DmaAddress)> {
    let begin = table.iter().next().ok_or(EINVAL)?.dma_address();
    let mut end = begin;

    for entry in table.iter() {
        ensure!(
            entry.dma_address() == end,
            "{:#x} comes behind {end:#x}",
            entry.dma_address()
        );
        end += entry.dma_len() as DmaAddress;
    }
    Ok((begin, end))
}

/// Returns the address of the table, for comparison only.
fn address(lent: Result<&SGTable>) -> Result<usize> {
    lent.map(|lent| ptr::from_ref(lent).addr())
}

/// An object's memory, mapped by another driver that knows only the buffer.
///
/// # Invariants
///
/// An import owns a reference to `buffer`. `attach` attaches a device to it that stays bound during
/// `'a`, and `table` is mapped for that attachment.
struct Import<'a> {
    buffer: *mut bindings::dma_buf,
    attach: *mut bindings::dma_buf_attachment,
    table: *mut bindings::sg_table,
    _dev: PhantomData<&'a device::Device<device::Bound>>,
}

impl<'a> Import<'a> {
    /// Exports an object, and maps the buffer for `dev`.
    fn new(obj: &Gem, dev: &'a device::Device<device::Bound>) -> Result<Self> {
        // SAFETY: The object is initialised.
        let buffer = from_err_ptr(unsafe { bindings::drm_gem_prime_export(obj.as_raw(), 0) })?;
        let put = ScopeGuard::new(|| {
            // SAFETY: The reference that was returned above is not used any more.
            unsafe { bindings::dma_buf_put(buffer) }
        });

        // SAFETY: The buffer and the device are valid.
        let attach = from_err_ptr(unsafe { bindings::dma_buf_attach(buffer, dev.as_raw()) })?;
        // SAFETY: The attachment is new.
        let table = from_err_ptr(unsafe {
            bindings::dma_buf_map_attachment_unlocked(
                attach,
                bindings::dma_data_direction::DMA_BIDIRECTIONAL,
            )
        })
        .inspect_err(|_| {
            // SAFETY: The attachment was made above, and is not used any more.
            unsafe { bindings::dma_buf_detach(buffer, attach) }
        })?;

        put.dismiss();
        // INVARIANT: The buffer was exported, attached and mapped above.
        Ok(Self {
            buffer,
            attach,
            table,
            _dev: PhantomData,
        })
    }

    /// Returns the number of bytes that are mapped.
    fn len(&self) -> ResourceSize {
        // SAFETY: By the type invariants the table is mapped.
        let table = unsafe { SGTable::from_raw(self.table) };
        table.iter().map(|entry| entry.dma_len()).sum()
    }

    /// Reads the last word of the memory, by a mapping for the CPU.
    fn last_word(&self) -> Result<u32> {
        let mut map = pin_init::zeroed::<bindings::iosys_map>();
        // SAFETY: By the type invariants the buffer is valid.
        to_result(unsafe { bindings::dma_buf_vmap_unlocked(self.buffer, &mut map) })?;

        // SAFETY: The memory of these objects is system memory, so `vaddr` is the valid field.
        let memory = unsafe { map.__bindgen_anon_1.vaddr }.cast::<u32>();
        // SAFETY: The mapping has `SIZE` bytes, and begins at a page.
        let word = unsafe { memory.add(SIZE / 4 - 1).read_volatile() };
        // SAFETY: The buffer was mapped above, and the mapping is not used any more.
        unsafe { bindings::dma_buf_vunmap_unlocked(self.buffer, &mut map) };

        Ok(word)
    }
}

impl Drop for Import<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the table is mapped, and this is its last use.
        unsafe {
            bindings::dma_buf_unmap_attachment_unlocked(
                self.attach,
                self.table,
                bindings::dma_data_direction::DMA_BIDIRECTIONAL,
            )
        };
        // SAFETY: By the type invariants `attach` is an attachment to `buffer`, and this is its
        // last use.
        unsafe { bindings::dma_buf_detach(self.buffer, self.attach) };
        // SAFETY: By the type invariants this owns a reference.
        unsafe { bindings::dma_buf_put(self.buffer) };
        // In a kernel thread, the release is left to a worker.
        // SAFETY: This thread may sleep.
        unsafe { bindings::flush_delayed_fput() };
    }
}

#[kunit_tests(rust_devres_lazy_gem_dma)]
mod tests {
    use super::*;

    /// The table covers all memory of the object. The memory is zeroed, and the CPU can access it
    /// as well.
    #[test]
    fn all_memory_in_one_piece() -> Result {
        let gpu = Gpu::new()?;
        let obj = Gem::new(&gpu.drm, gpu.bound()?, SIZE - 1, ())?;
        ensure!(obj.size() == SIZE, "{} bytes", obj.size());

        let before = obj.sg_table_if_made(gpu.bound()?).map(|it| it.is_some());
        ensure!(before == Ok(false), "before the first access: {before:?}");
        let table = ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");
        let (begin, end) = range(table)?;
        // SAFETY: The object is initialised.
        let dma_addr = unsafe { (*obj.as_raw_dma()).dma_addr };
        ensure!(begin == dma_addr, "{begin:#x}, not {dma_addr:#x}");
        ensure!(
            end - begin == SIZE as DmaAddress,
            "{:#x} bytes",
            end - begin
        );
        let len: ResourceSize = table.iter().map(|entry| entry.dma_len()).sum();
        ensure!(len == SIZE as ResourceSize, "{len} bytes of {SIZE}");

        let memory = obj.memory();
        ensure!(memory.size() == SIZE, "{} bytes of memory", memory.size());
        for at in (0..SIZE).step_by(4) {
            let word = memory.try_read32(at)?;
            ensure!(word == 0, "{word:#x} at {at}");
        }
        memory.try_write32(7, SIZE - 4)?;
        ensure!(
            memory.try_read32(SIZE - 4)? == 7,
            "the written value is not read back"
        );
        let behind = memory.try_write32(7, SIZE);
        ensure!(behind == Err(EINVAL), "behind the end: {behind:?}");
        Ok(())
    }

    /// Threads that race to the first access all get the same table.
    #[test]
    fn racing_first_accesses() -> Result {
        const THREADS: usize = 8;
        let gpu = Gpu::new()?;
        let obj = gpu.object()?;

        let go = completion()?;
        let mut threads = KVec::new();
        for _ in 0..THREADS {
            let (obj, go) = (obj.clone(), go.clone());
            let dev: ARef<device::Device> = gpu.bound()?.into();
            let thread = Thread::new(move || {
                go.wait_for_completion();
                // SAFETY: The device is unbound when `gpu` is dropped, after `threads`, which waits
                // for this thread.
                let dev = unsafe { dev.as_bound() };
                address(obj.sg_table(dev))
            })?;
            threads.push(thread, GFP_KERNEL)?;
        }
        for thread in &threads {
            thread.start();
        }
        go.complete_all();

        let mut first = None;
        for thread in threads {
            let this = ensure_ok!(thread.join()?, "a thread");
            let first = *first.get_or_insert(this);
            ensure!(this == first, "{this:#x}, and {first:#x}");
        }
        Ok(())
    }

    /// Another device is refused, when the object is made and when it is used.
    #[test]
    fn wrong_device() -> Result {
        let gpu = Gpu::new()?;
        let other = Gpu::new()?;

        let made = Gem::new(&gpu.drm, other.bound()?, SIZE, ()).map(|_| ());
        ensure!(made == Err(EINVAL), "an object is made: {made:?}");
        let obj = gpu.object()?;
        for round in 1..=2 {
            let wrong = address(obj.sg_table(other.bound()?));
            ensure!(wrong == Err(EINVAL), "round {round}: {wrong:?}");
            ensure_ok!(obj.sg_table(gpu.bound()?), "the right device");
        }
        Ok(())
    }

    #[test]
    fn wrong_sizes() -> Result {
        let gpu = Gpu::new()?;
        let mappings = dma_mappings();

        for (size, error) in [
            (0, EINVAL),
            (usize::MAX, EINVAL),
            // There is neither contiguous memory of these sizes, nor a range of mmap offsets for
            // the last.
            (1 << 34, ENOMEM),
            (1 << 40, ENOSPC),
        ] {
            let made = Gem::new(&gpu.drm, gpu.bound()?, size, ()).map(|_| ());
            ensure!(made == Err(error), "{size:#x} bytes: {made:?}");
        }
        ensure!(dma_mappings() == mappings, "memory is left");
        Ok(())
    }

    /// Unbind ends the table and leaves the memory. From then on `sg_table()` fails, also when the
    /// same device is bound again, whether or not the object had a table.
    #[test]
    fn unbind_ends_table() -> Result {
        let mut gpu = Gpu::new()?;
        let mappings = dma_mappings();
        let used = gpu.object()?;
        let unused = gpu.object()?;
        ensure_ok!(used.sg_table(gpu.bound()?), "the first access");
        used.memory().try_write32(7, 0)?;

        gpu.dev.unbind();
        ensure!(used.memory().try_read32(0)? == 7, "the memory has changed");
        gpu.rebind()?;
        for (what, obj) in [("used", &used), ("unused", &unused)] {
            for _ in 0..2 {
                let again = address(obj.sg_table(gpu.bound()?));
                ensure!(again == Err(ENXIO), "{what}: {again:?}");
            }
        }
        ensure!(used.memory().try_read32(0)? == 7, "the memory has changed");

        // A new object of the new binding can have a table.
        let new = gpu.object()?;
        ensure_ok!(new.sg_table(gpu.bound()?), "a new object");

        drop((used, unused, new));
        ensure!(
            dma_mappings() == mappings,
            "{mappings:?} before, now {:?}",
            dma_mappings()
        );
        Ok(())
    }

    /// An object that is freed first leaves nothing on the device.
    #[test]
    fn freed_before_unbind() -> Result {
        let gpu = Gpu::new()?;
        // From here on, the device has the registry that all objects share.
        let first = gpu.object()?;
        ensure_ok!(first.sg_table(gpu.bound()?), "the first object");
        let nodes = devres_nodes(gpu.bound()?);
        let mappings = dma_mappings();

        for is_used in [false, true] {
            let obj = gpu.object()?;
            if is_used {
                ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");
            }
            drop(obj);
            let now = devres_nodes(gpu.bound()?);
            ensure!(now == nodes, "used: {is_used}: {nodes} nodes, now {now}");
            ensure!(
                dma_mappings() == mappings,
                "used: {is_used}: {mappings:?} before, now {:?}",
                dma_mappings()
            );
        }
        Ok(())
    }

    /// An object may be the last that holds its DRM device, which freeing the object reads.
    #[test]
    fn last_holder() -> Result {
        for is_used in [false, true] {
            let mut gpu = Gpu::new()?;
            let obj = gpu.object()?;
            if is_used {
                ensure_ok!(obj.sg_table(gpu.bound()?), "the first access");
            }
            let Gpu { drm, ref mut dev } = gpu;
            drop(drm);
            dev.unbind();
            drop(obj);
        }
        Ok(())
    }

    /// An importer of the buffer can use the memory until it detaches, also after the exporter was
    /// unbound and has dropped the object.
    #[test]
    fn exporter_unbound_before_importer() -> Result {
        let mappings = dma_mappings();
        let mut gpu = Gpu::new()?;
        let importer = Gpu::new()?;
        let obj = gpu.object()?;
        obj.memory().try_write32(7, SIZE - 4)?;
        let import = Import::new(&obj, importer.bound()?)?;

        gpu.dev.unbind();
        drop(gpu.drm);
        drop(obj);
        let len = import.len();
        let word = import.last_word();
        drop(import);

        ensure!(len == SIZE as ResourceSize, "{len} bytes of {SIZE}");
        ensure!(word == Ok(7), "the memory has changed: {word:?}");
        ensure!(
            dma_mappings() == mappings,
            "{mappings:?} before, now {:?}",
            dma_mappings()
        );
        Ok(())
    }

    /// Each allocation for an object and its table fails once. The next call succeeds.
    #[test]
    fn failing_allocations() -> Result {
        if !FailNth::AVAILABLE {
            return skip(c"needs CONFIG_FAILSLAB and CONFIG_FAULT_INJECTION_DEBUG_FS");
        }

        let gpu = Gpu::new()?;
        let dev = gpu.bound()?;
        ensure_ok!(gpu.object()?.sg_table(dev), "what all objects share");
        let nodes = devres_nodes(dev);
        let _pause = DmaDebugPause::new();
        for nth in 1.. {
            let fault = FailNth::new(nth)?;
            let obj = gpu.object();
            let table = match &obj {
                Ok(obj) => address(obj.sg_table(dev)).map(|_| ()),
                Err(error) => Err(*error),
            };
            let has_failed = fault.tripped();
            drop(fault);

            if let Err(error) = table {
                ensure!(has_failed, "without a fault: {error:?}");
                // The shmem code returns `ENOSPC` if there is no memory for an inode.
                let is_memory = [ENOMEM, ENOSPC].contains(&error);
                ensure!(is_memory, "allocation {nth}: {error:?}");
            }
            if let Ok(obj) = &obj {
                ensure_ok!(obj.sg_table(dev), "the next access");
            }
            drop(obj);
            ensure!(
                devres_nodes(dev) == nodes,
                "allocation {nth}: something is left on the device"
            );
            if !has_failed {
                ensure!(nth > 1, "nothing is allocated");
                break;
            }
        }
        Ok(())
    }
}
