// SPDX-License-Identifier: GPL-2.0

//! Rust sample of resources that are mapped on first use, and released when the device is unbound
//! (based on QEMU's `pci-testdev`).
//!
//! To make this driver probe, QEMU must be run with `-device pci-testdev`.

use kernel::{
    device::{
        Bound,
        Core,
        Device,
        DeviceContext, //
    },
    devres_lazy,
    dma::{
        Coherent,
        Device as _,
        DmaAddress,
        DmaMask, //
    },
    drm::{
        self,
        gem::{
            shmem,
            DriverObject, //
        }, //
    },
    io::{
        io_write,
        Io, //
    },
    new_lazy,
    page::PAGE_SIZE,
    pci,
    prelude::*,
    sync::aref::ARef, //
};

/// The size of the buffer, in pages.
const PAGES: usize = 4;

/// The word that the buffer is filled with.
const PATTERN: u32 = 0x0101_0101;

/// Descriptors that tell the device where a buffer is.
#[devres_lazy]
#[pin_data]
struct Descriptors {
    dev: ARef<Device>,
    len: usize,

    /// The DMA addresses of a buffer's segments, in memory that is allocated when it is used.
    #[lazy(
        fn segments,
        device = &self.dev,
        init = Coherent::zeroed_slice(dev, self.len, GFP_KERNEL),
    )]
    segments: Coherent<[DmaAddress]>,
}

impl Descriptors {
    /// Makes descriptors for buffers of up to `pages` pages, which have no more segments than
    /// pages.
    fn new(dev: &Device, pages: usize) -> impl PinInit<Self> + '_ {
        pin_init!(Self {
            dev: dev.into(),
            len: pages,
            segments <- new_lazy!(),
        })
    }

    /// Describes a buffer. Returns the number of its segments.
    ///
    /// Maps the descriptors and the buffer if this is their first use.
    fn describe<T: DriverObject>(
        &self,
        dev: &Device<Bound>,
        buffer: &shmem::Object<T>,
    ) -> Result<usize> {
        let segments = self.segments(dev)?;
        let mut len = 0;

        for entry in buffer.sg_table(dev)?.iter() {
            io_write!(segments, [try: len], entry.dma_address());
            len += 1;
        }

        Ok(len)
    }
}

/// A buffer that the CPU works on.
#[devres_lazy]
#[pin_data]
struct Buffer<T: DriverObject> {
    obj: ARef<shmem::Object<T>>,

    /// The memory of the buffer as the kernel sees it.
    #[lazy(
        fn memory,
        device = self.obj.dev().as_ref().as_ref(),
        init = self.obj.owned_vmap(),
        peek = memory_if_mapped,
    )]
    memory: shmem::VMapOwned<T>,
}

impl<T: DriverObject> Buffer<T> {
    fn new(obj: ARef<shmem::Object<T>>) -> impl PinInit<Self> {
        pin_init!(Self {
            obj,
            memory <- new_lazy!(),
        })
    }

    /// Returns the offsets of the buffer's words in its memory.
    fn offsets(memory: &shmem::VMapOwned<T>) -> impl Iterator<Item = usize> {
        (0..memory.size()).step_by(size_of::<u32>())
    }

    /// Writes a word to all of the buffer. Maps the memory if this is its first use.
    fn fill(&self, dev: &Device<Bound>, word: u32) -> Result {
        let memory = self.memory(dev)?;

        for offset in Self::offsets(memory) {
            memory.try_write32(word, offset)?;
        }
        Ok(())
    }

    /// Adds up the words of the buffer. Maps nothing: memory that is not mapped was not filled, and
    /// a new buffer is zero.
    fn sum(&self, dev: &Device<Bound>) -> Result<u64> {
        let Some(memory) = self.memory_if_mapped(dev)? else {
            return Ok(0);
        };

        Self::offsets(memory).try_fold(0, |sum, offset| {
            Ok(sum + u64::from(memory.try_read32(offset)?))
        })
    }
}

/// The driver's part of a GEM object.
#[pin_data]
struct BufferData {}

type BufferObject = shmem::Object<BufferData>;

impl DriverObject for BufferData {
    type Driver = SampleDrmDriver;
    type Args = ();

    fn new(
        _drm: &drm::Device<SampleDrmDriver>,
        _size: usize,
        _args: Self::Args,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {})
    }
}

struct SampleFile;

impl drm::file::DriverFile for SampleFile {
    type Driver = SampleDrmDriver;

    fn open(_drm: &drm::Device<SampleDrmDriver>) -> Result<Pin<KBox<Self>>> {
        Ok(KBox::new(Self, GFP_KERNEL)?.into())
    }
}

struct SampleDrmDriver;

#[vtable]
impl drm::Driver for SampleDrmDriver {
    type Data = ();
    type RegistrationData<'drm> = ();
    type File = SampleFile;
    type Object = BufferObject;
    type ParentDevice<Ctx: DeviceContext> = pci::Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 0,
        minor: 0,
        patchlevel: 0,
        name: c"rust_devres_lazy",
        desc: c"Rust sample of lazily mapped resources",
    };
    const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
}

#[pin_data]
struct SampleDriver {
    #[pin]
    descriptors: Descriptors,
    #[pin]
    buffer: Buffer<BufferData>,
    // The device has nothing to offer to user space, so it is never registered.
    _drm: ARef<drm::Device<SampleDrmDriver>>,
}

kernel::pci_device_table!(
    PCI_TABLE,
    <SampleDriver as pci::Driver>::IdInfo,
    [(pci::DeviceId::from_id(pci::Vendor::REDHAT, 0x5), ())]
);

impl pci::Driver for SampleDriver {
    type IdInfo = ();
    type Data<'bound> = Self;
    const ID_TABLE: pci::IdTable<Self::IdInfo> = &PCI_TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Self, Error> + 'bound {
        pin_init::pin_init_scope(move || {
            // SAFETY: There are no concurrent calls to DMA allocation and mapping primitives.
            unsafe { pdev.dma_set_mask_and_coherent(DmaMask::new::<64>())? };

            let drm = drm::UnregisteredDevice::<SampleDrmDriver>::new(pdev, Ok(()))?;
            let config = shmem::ObjectConfig::default();
            let obj = BufferObject::new(&drm, PAGES * PAGE_SIZE, config, ())?;

            Ok(try_pin_init!(Self {
                descriptors <- Descriptors::new(pdev.as_ref(), PAGES),
                buffer <- Buffer::new(obj),
                _drm: ARef::from(&*drm),
            })
            .pin_chain(move |this| {
                // The first use, which allocates and maps. The CPU has written before the device
                // gets the buffer.
                this.buffer.fill(pdev.as_ref(), PATTERN)?;
                let segments = this.descriptors.describe(pdev.as_ref(), &this.buffer.obj)?;
                dev_info!(pdev, "The buffer has {} segments.\n", segments);
                Ok(())
            }))
        })
    }

    fn unbind<'bound>(pdev: &'bound pci::Device<Core<'_>>, this: Pin<&Self>) {
        let dev = pdev.as_ref();

        // The resources are still mapped, and are dropped right after this callback.
        match this.descriptors.describe(dev, &this.buffer.obj) {
            Ok(segments) => dev_info!(pdev, "The buffer had {} segments.\n", segments),
            Err(error) => dev_err!(pdev, "The buffer is lost: {:?}\n", error),
        }
        match this.buffer.sum(dev) {
            Ok(sum) => dev_info!(pdev, "The words of the buffer add up to {:#x}.\n", sum),
            Err(error) => dev_err!(pdev, "The memory of the buffer is lost: {:?}\n", error),
        }
    }
}

kernel::module_pci_driver! {
    type: SampleDriver,
    name: "rust_devres_lazy",
    authors: ["The devres-lazy maintainers"],
    description: "Rust sample of lazily mapped resources",
    license: "GPL v2",
}

#[kunit_tests(rust_devres_lazy_crates)]
mod tests {
    use super::*;
    use kernel::{
        drm::gem::shmem::crates_kunit::{
            lock_class,
            lockdep_is_on,
            skip,
            KernelObject,
            LockClass,
            SIZE, //
        },
        faux,
        io::ResourceSize,
        scatterlist::SGTable, //
    };

    #[pin_data]
    struct TestData {}

    type TestObject = shmem::Object<TestData>;

    impl DriverObject for TestData {
        type Driver = TestDriver;
        type Args = ();

        fn new(
            _drm: &drm::Device<TestDriver>,
            _size: usize,
            _args: Self::Args,
        ) -> impl PinInit<Self, Error> {
            try_pin_init!(Self {})
        }
    }

    struct TestFile;

    impl drm::file::DriverFile for TestFile {
        type Driver = TestDriver;

        fn open(_drm: &drm::Device<TestDriver>) -> Result<Pin<KBox<Self>>> {
            Ok(KBox::new(Self, GFP_KERNEL)?.into())
        }
    }

    struct TestDriver;

    #[vtable]
    impl drm::Driver for TestDriver {
        type Data = ();
        type RegistrationData<'drm> = ();
        type File = TestFile;
        type Object = TestObject;
        type ParentDevice<Ctx: DeviceContext> = faux::Device<Ctx>;

        const INFO: drm::DriverInfo = SampleDrmDriver::INFO;
        const IOCTLS: &'static [drm::ioctl::DrmIoctlDescriptor] = &[];
    }

    /// The crate whose generic code is used first.
    #[derive(Clone, Copy)]
    enum First {
        Kernel,
        Sample,
    }

    const ORDERS: [First; 2] = [First::Kernel, First::Sample];

    /// Two objects of one generic type. The kernel crate's instance of the code makes and uses one
    /// of the objects, this crate's instance the other.
    struct Pair {
        // Dropped before the parent of its DRM device.
        sample: ARef<TestObject>,
        _drm: ARef<drm::Device<TestDriver>>,
        kernel: KernelObject,
    }

    impl Pair {
        fn new() -> Result<Self> {
            let kernel = KernelObject::new()?;
            let drm = drm::UnregisteredDevice::<TestDriver>::new(kernel.parent()?, Ok(()))?;

            Ok(Self {
                sample: TestObject::new(&drm, SIZE, shmem::ObjectConfig::default(), ())?,
                _drm: ARef::from(&*drm),
                kernel,
            })
        }

        /// Returns the device that both belong to.
        fn dev(&self) -> Result<&Device<Bound>> {
            Ok(self.kernel.parent()?.as_ref())
        }

        /// Asks both objects, one after the other. The first result is that of the kernel crate's
        /// object, whichever object is asked first.
        fn ask<R>(
            &self,
            first: First,
            kernel: impl FnOnce(&KernelObject) -> Result<R>,
            sample: impl FnOnce(&TestObject) -> Result<R>,
        ) -> Result<(R, R)> {
            match first {
                First::Kernel => {
                    let kernel = kernel(&self.kernel)?;
                    Ok((kernel, sample(&self.sample)?))
                }
                First::Sample => {
                    let sample = sample(&self.sample)?;
                    Ok((kernel(&self.kernel)?, sample))
                }
            }
        }

        /// Returns the lock classes of both slots, which are empty.
        fn lock_classes(&self, first: First) -> Result<(Option<LockClass>, Option<LockClass>)> {
            let dev = self.dev()?;

            self.ask(
                first,
                |kernel| Ok(kernel.lock_class()),
                |sample| Ok(lock_class(sample, dev)),
            )
        }

        /// Maps both objects. Returns the number of bytes that are mapped of each.
        fn mapped(&self, first: First) -> Result<(ResourceSize, ResourceSize)> {
            let dev = self.dev()?;

            self.ask(
                first,
                |kernel| Ok(len(kernel.sg_table()?)),
                |sample| Ok(len(sample.sg_table(dev)?)),
            )
        }

        /// Returns whether each object is mapped.
        fn are_mapped(&self) -> (bool, bool) {
            (
                self.kernel.is_mapped(),
                self.sample.try_sg_table().is_some(),
            )
        }
    }

    fn len(table: &SGTable) -> ResourceSize {
        table.iter().map(|entry| entry.dma_len()).sum()
    }

    /// An object of this crate only. Its initialiser maps both other objects, with the lock of its
    /// own slot held.
    #[devres_lazy]
    #[pin_data]
    struct Above {
        pair: Pair,
        dev: ARef<Device>,
        first: First,

        /// The number of bytes that are mapped of each.
        #[lazy(fn mapped, device = &self.dev, init = self.pair.mapped(self.first))]
        mapped: (ResourceSize, ResourceSize),
    }

    impl Above {
        fn new(pair: Pair, first: First) -> Result<Pin<KBox<Self>>> {
            let dev = pair.dev()?.into();

            KBox::pin_init(
                pin_init!(Self {
                    pair,
                    dev,
                    first,
                    mapped <- new_lazy!(),
                }),
                GFP_KERNEL,
            )
        }
    }

    // A failed assertion ends the thread without running destructors, so the tests assert only
    // after all devices were dropped.

    /// Both slots have the same lock class, with the same name, whichever crate is first.
    #[test]
    fn lock_class_is_one() -> Result {
        if !lockdep_is_on() {
            return skip(c"needs CONFIG_PROVE_LOCKING, and that nothing was reported before");
        }

        for first in ORDERS {
            let (kernel, sample) = Pair::new()?.lock_classes(first)?;

            assert!(kernel.is_some());
            assert_eq!(kernel, sample);
        }

        assert!(lockdep_is_on());
        Ok(())
    }

    /// Both objects map their table, one after the other.
    #[test]
    fn tables_are_mapped() -> Result {
        let is_on = lockdep_is_on();

        for first in ORDERS {
            let mapped = Pair::new()?.mapped(first)?;

            assert_eq!(mapped, (SIZE as ResourceSize, SIZE as ResourceSize));
        }

        assert_eq!(lockdep_is_on(), is_on);
        Ok(())
    }

    /// The same with the lock of a third slot held, whose object is of this crate only.
    #[test]
    fn tables_are_mapped_below_a_lock() -> Result {
        let is_on = lockdep_is_on();

        for first in ORDERS {
            let above = Above::new(Pair::new()?, first)?;
            let mapped = above.mapped(above.pair.dev()?).copied();
            drop(above);

            assert_eq!(mapped, Ok((SIZE as ResourceSize, SIZE as ResourceSize)));
        }

        assert_eq!(lockdep_is_on(), is_on);
        Ok(())
    }

    /// Unbind unmaps both tables, and the objects stay.
    #[test]
    fn unbind() -> Result {
        let mut pair = Pair::new()?;
        pair.mapped(First::Kernel)?;
        let before = pair.are_mapped();
        pair.kernel.unbind();
        let after = pair.are_mapped();
        drop(pair);

        assert_eq!(before, (true, true));
        assert_eq!(after, (false, false));
        Ok(())
    }

    /// The steps of this driver's probe, on a bound device.
    #[test]
    fn describe() -> Result {
        let pair = Pair::new()?;
        let descriptors =
            KBox::pin_init(Descriptors::new(pair.dev()?, SIZE / PAGE_SIZE), GFP_KERNEL)?;
        let segments = descriptors.describe(pair.dev()?, &pair.sample)?;
        let entries = pair.sample.sg_table(pair.dev()?)?.iter().count();
        drop((descriptors, pair));

        assert!(segments > 0);
        assert_eq!(segments, entries);
        Ok(())
    }

    /// The CPU fills a buffer and adds up its words. The buffer is all of the object's memory,
    /// which keeps its content when unbind has unmapped it.
    #[test]
    fn memory() -> Result {
        const WORDS: u64 = (SIZE / size_of::<u32>()) as u64;

        let mut pair = Pair::new()?;
        let buffer = KBox::pin_init(Buffer::new(pair.sample.clone()), GFP_KERNEL)?;
        let new = buffer.sum(pair.dev()?);
        let is_mapped_for_a_sum = buffer.memory_if_mapped(pair.dev()?)?.is_some();
        buffer.fill(pair.dev()?, 7)?;
        let filled = buffer.sum(pair.dev()?);
        buffer.fill(pair.dev()?, u32::MAX)?;
        let filled_again = buffer.sum(pair.dev()?);
        pair.kernel.unbind();
        let last = pair.sample.vmap::<SIZE>()?.read32(SIZE - size_of::<u32>());
        drop((buffer, pair));

        assert_eq!(new, Ok(0));
        assert!(!is_mapped_for_a_sum);
        assert_eq!(filled, Ok(7 * WORDS));
        assert_eq!(filled_again, Ok(u64::from(u32::MAX) * WORDS));
        assert_eq!(last, u32::MAX);
        Ok(())
    }
}
