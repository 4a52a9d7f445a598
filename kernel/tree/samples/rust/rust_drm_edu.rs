// SPDX-License-Identifier: GPL-2.0

//! Rust sample of a DRM driver, for QEMU's device `edu`, which copies between buffers and its own
//! memory.
//!
//! Open files and buffers outlive the binding of the device. Files use the device's registers, a
//! page that the device writes to, and mappings of the buffers, for the device and for the CPU.
//! Each of these resources is mapped on first use, and released when the device is unbound.
//!
//! To make this driver probe, QEMU must be run with `-device edu`, and with an IOMMU or with no
//! memory above 256 MiB: the device has 28 bits for addresses.

use core::ptr;
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
        DmaMask, //
    },
    drm::{
        self,
        gem::{
            shmem,
            BaseObject,
            DriverObject, //
        },
        ioctl,
        Registered, //
    },
    io::{
        io_read,
        io_write,
        poll::read_poll_timeout,
        Io, //
    },
    new_lazy,
    new_mutex,
    page::{
        page_align,
        PAGE_SIZE, //
    },
    pci,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    },
    time::Delta,
    types::ForLt,
    uapi, //
};

mod regs {
    use kernel::io::register;

    register! {
        pub(super) ID(u32) @ 0x00 {
            31:24 major;
            23:16 minor;
            15:0 magic;
        }

        pub(super) DMA_SOURCE(u32) @ 0x80 {
            31:0 address;
        }

        pub(super) DMA_DESTINATION(u32) @ 0x88 {
            31:0 address;
        }

        pub(super) DMA_COUNT(u32) @ 0x90 {
            31:0 bytes;
        }

        pub(super) DMA_COMMAND(u32) @ 0x98 {
            0:0 start => bool;
            1:1 from_device => bool;
        }
    }

    pub(super) const END: usize = 0x9c;
}

type Bar<'a> = pci::Bar<'a, { regs::END }>;

/// The identity of the device: QEMU's vendor ID, which the kernel has no name for, the device ID,
/// and the content of the register [`regs::ID`].
const VENDOR: u16 = 0x1234;
const DEVICE: u16 = 0x11e8;
const MAGIC: u32 = 0xed;

/// The class of the device, which the standard does not define.
const CLASS: u32 = 0x00ff00;

/// The address of the device's memory, as its DMA engine sees it.
const MEMORY: u32 = 0x4_0000;

/// The number of bytes that are for user space. A transfer must not reach the end of the memory.
const MEMORY_SIZE: u32 = 0xff0;

/// The address of the fence in the device's memory.
const MEMORY_FENCE: u32 = MEMORY + MEMORY_SIZE;

/// The words of the fence: the device reads the first, and writes the second.
const FENCE_OUT: usize = 0;
const FENCE_IN: usize = 1;

/// The interval at which the driver polls the device, and the time limit. A transfer takes 100 ms.
const POLL: Delta = Delta::from_millis(2);
const TIMEOUT: Delta = Delta::from_secs(2);

/// The direction of a copy.
#[derive(Clone, Copy)]
enum Direction {
    ToDevice,
    FromDevice,
}

impl TryFrom<u32> for Direction {
    type Error = Error;

    fn try_from(direction: u32) -> Result<Self> {
        match direction {
            uapi::EDU_COPY_TO_DEVICE => Ok(Self::ToDevice),
            uapi::EDU_COPY_FROM_DEVICE => Ok(Self::FromDevice),
            _ => Err(EINVAL),
        }
    }
}

/// A request to copy.
struct CopyRequest {
    direction: Direction,
    /// The offset in the buffer, in bytes.
    offset: u64,
    /// The offset in the memory of the device, in bytes.
    device_offset: u32,
    len: u32,
}

/// Maps the registers, and checks that they are those of the device.
fn map_registers(dev: &Device<Bound>) -> Result<Bar<'_>> {
    let pdev: &pci::Device<Bound> = dev.try_into()?;
    let bar = pdev.iomap_region_sized::<{ regs::END }>(0, c"rust_drm_edu")?;
    let id = bar.read(regs::ID);

    if id.magic() != MAGIC {
        dev_err!(
            dev,
            "The device says that it is another one: {:#x}.\n",
            id.magic()
        );
        return Err(ENODEV);
    }
    Ok(bar)
}

/// The device, as files see it: part of the DRM device, to which an open file has a reference.
#[devres_lazy]
#[pin_data]
struct Edu {
    dev: ARef<Device>,

    /// The registers of the device.
    #[lazy(fn registers -> Bar<'_>, device = &self.dev, init = map_registers(dev)?)]
    registers: ForLt!(Bar<'_>),

    /// The page in which the device reports its progress.
    #[lazy(
        fn fence,
        device = &self.dev,
        init = Coherent::zeroed_slice(dev, 2, GFP_KERNEL),
    )]
    fence: Coherent<[u32]>,

    /// The number of copies. The holder of the lock may use the DMA engine.
    #[pin]
    copies: Mutex<u32>,
}

impl Edu {
    fn new(dev: &Device) -> impl PinInit<Self, Error> + '_ {
        try_pin_init!(Self {
            dev: dev.into(),
            registers <- new_lazy!(),
            fence <- new_lazy!(),
            copies <- new_mutex!(0),
        })
    }

    /// Copies between a buffer and the memory of the device, and returns when all bytes were
    /// copied.
    ///
    /// Maps the registers, the buffer and the fence if this is their first use.
    fn copy(&self, dev: &Device<Bound>, object: &BufferObject, copy: &CopyRequest) -> Result {
        let end = copy.offset.checked_add(copy.len.into()).ok_or(EINVAL)?;
        let device_end = copy.device_offset.checked_add(copy.len).ok_or(EINVAL)?;
        if copy.len == 0 || end > object.size() as u64 || device_end > MEMORY_SIZE {
            return Err(EINVAL);
        }

        let table = object.sg_table(dev)?;
        let mut copies = self.copies.lock();
        let mut begin = 0;
        for segment in table.iter() {
            let len = segment.dma_len();
            let from = copy.offset.max(begin);
            let to = end.min(begin + len);

            if from < to {
                let address = segment.dma_address() + (from - begin);
                let device = MEMORY + copy.device_offset + (from - copy.offset) as u32;
                self.transfer(dev, address, device, (to - from) as u32, copy.direction)?;
            }
            begin += len;
        }

        *copies = copies.wrapping_add(1);
        self.pass_fence(dev, *copies)
    }

    /// Sends a number to the device and back, after all copies before.
    fn pass_fence(&self, dev: &Device<Bound>, number: u32) -> Result {
        let fence = self.fence(dev)?;
        let address = |word: usize| fence.dma_address() + (word * size_of::<u32>()) as u64;
        let len = size_of::<u32>() as u32;

        io_write!(fence, [try: FENCE_OUT], number);
        self.transfer(
            dev,
            address(FENCE_OUT),
            MEMORY_FENCE,
            len,
            Direction::ToDevice,
        )?;
        self.transfer(
            dev,
            address(FENCE_IN),
            MEMORY_FENCE,
            len,
            Direction::FromDevice,
        )?;

        if io_read!(fence, [try: FENCE_IN]) == number {
            Ok(())
        } else {
            Err(EIO)
        }
    }

    /// Makes the DMA engine transfer between memory and the memory of the device.
    fn transfer(
        &self,
        dev: &Device<Bound>,
        address: u64,
        device: u32,
        bytes: u32,
        direction: Direction,
    ) -> Result {
        let bar = self.registers(dev)?;
        let address = u32::try_from(address)?;
        let (source, destination) = match direction {
            Direction::ToDevice => (address, device),
            Direction::FromDevice => (device, address),
        };

        bar.write_reg(regs::DMA_SOURCE::zeroed().with_address(source));
        bar.write_reg(regs::DMA_DESTINATION::zeroed().with_address(destination));
        bar.write_reg(regs::DMA_COUNT::zeroed().with_bytes(bytes));
        bar.write_reg(
            regs::DMA_COMMAND::zeroed()
                .with_start(true)
                .with_from_device(matches!(direction, Direction::FromDevice)),
        );

        // Unplugging the device waits for this loop, so the loop has a time limit.
        read_poll_timeout(
            || Ok(bar.read(regs::DMA_COMMAND)),
            |command| !command.start(),
            POLL,
            TIMEOUT,
        )?;
        Ok(())
    }
}

/// An operation of the CPU on a buffer.
enum CpuOp {
    Fill,
    Sum,
}

impl TryFrom<u32> for CpuOp {
    type Error = Error;

    fn try_from(op: u32) -> Result<Self> {
        match op {
            uapi::EDU_CPU_FILL => Ok(Self::Fill),
            uapi::EDU_CPU_SUM => Ok(Self::Sum),
            _ => Err(EINVAL),
        }
    }
}

/// A buffer that the CPU works on.
#[devres_lazy]
#[pin_data]
struct CpuBuffer {
    object: ARef<BufferObject>,

    /// The memory of the buffer, as the kernel sees it.
    #[lazy(
        fn memory,
        device = AsRef::<pci::Device>::as_ref(self.object.dev()).as_ref(),
        init = self.object.owned_vmap(),
    )]
    memory: shmem::VMapOwned<BufferData>,
}

impl CpuBuffer {
    fn new(object: ARef<BufferObject>) -> Result<Arc<Self>> {
        let init = pin_init!(Self {
            object,
            memory <- new_lazy!(),
        });

        Arc::pin_init(init, GFP_KERNEL)
    }

    /// Returns the offsets of the buffer's words.
    fn words(memory: &shmem::VMapOwned<BufferData>) -> impl Iterator<Item = usize> {
        (0..memory.size()).step_by(size_of::<u32>())
    }

    fn fill(&self, dev: &Device<Bound>, word: u32) -> Result {
        let memory = self.memory(dev)?;

        Self::words(memory).try_for_each(|at| memory.try_write32(word, at))
    }

    fn sum(&self, dev: &Device<Bound>) -> Result<u64> {
        let memory = self.memory(dev)?;

        Self::words(memory).try_fold(0, |sum, at| Ok(sum + u64::from(memory.try_read32(at)?)))
    }
}

/// The driver's part of a GEM object, which is empty.
#[pin_data]
struct BufferData {}

type BufferObject = shmem::Object<BufferData>;

impl DriverObject for BufferData {
    type Driver = EduDrmDriver;
    type Args = ();

    /// Dumb buffers and imported ones are made as all other buffers.
    const DEFAULT_ARGS: Option<fn()> = Some(Default::default);

    fn new(_drm: &EduDevice, _size: usize, _args: ()) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {})
    }

    fn close(object: &BufferObject, file: &EduFile) {
        file.inner().forget(object);
    }
}

/// The data of an open file.
#[pin_data]
struct FileData {
    /// The buffers that the CPU has worked on, as long as they have a handle.
    #[pin]
    cpu_buffers: Mutex<KVec<Arc<CpuBuffer>>>,
}

type EduFile = drm::File<FileData>;

impl drm::file::DriverFile for FileData {
    type Driver = EduDrmDriver;

    fn open(_drm: &EduDevice) -> Result<Pin<KBox<Self>>> {
        let init = pin_init!(Self {
            cpu_buffers <- new_mutex!(KVec::new()),
        });

        KBox::pin_init(init, GFP_KERNEL)
    }
}

impl FileData {
    /// Returns the buffer of an object, for the CPU.
    fn cpu_buffer(&self, object: ARef<BufferObject>) -> Result<Arc<CpuBuffer>> {
        let mut buffers = self.cpu_buffers.lock();

        if let Some(known) = buffers.iter().find(|it| ptr::eq(&*it.object, &*object)) {
            return Ok(known.clone());
        }
        let buffer = CpuBuffer::new(object)?;
        buffers.push(buffer.clone(), GFP_KERNEL)?;
        Ok(buffer)
    }

    /// Forgets the buffer of an object, whose handle is closed.
    fn forget(&self, object: &BufferObject) {
        let mut buffers = self.cpu_buffers.lock();
        let index = buffers.iter().position(|it| ptr::eq(&*it.object, object));
        let buffer = index.and_then(|index| buffers.remove(index).ok());

        // Drops the buffer without the lock held, as this unmaps the buffer.
        drop(buffers);
        drop(buffer);
    }

    fn bo_create(
        drm: &EduDevice<Registered>,
        _data: &RegistrationData,
        args: &mut uapi::drm_edu_bo_create,
        file: &EduFile,
    ) -> Result<u32> {
        let size = usize::try_from(args.size)?;
        let size = page_align(size).filter(|size| *size > 0).ok_or(EINVAL)?;
        if args.pad != 0 {
            return Err(EINVAL);
        }

        let object = BufferObject::new(drm, size, shmem::ObjectConfig::default(), ())?;
        args.handle = object.create_handle(file)?;
        Ok(0)
    }

    fn bo_mmap(
        _drm: &EduDevice<Registered>,
        _data: &RegistrationData,
        args: &mut uapi::drm_edu_bo_mmap,
        file: &EduFile,
    ) -> Result<u32> {
        if args.pad != 0 {
            return Err(EINVAL);
        }

        args.offset = BufferObject::lookup_handle(file, args.handle)?.create_mmap_offset()?;
        Ok(0)
    }

    fn bo_map(
        drm: &EduDevice<Registered>,
        _data: &RegistrationData,
        args: &mut uapi::drm_edu_bo_map,
        file: &EduFile,
    ) -> Result<u32> {
        let object = BufferObject::lookup_handle(file, args.handle)?;
        let table = object.sg_table(parent(drm))?;

        args.segments = u32::try_from(table.iter().count())?;
        args.address = table.iter().next().ok_or(EIO)?.dma_address();
        Ok(0)
    }

    fn copy(
        drm: &EduDevice<Registered>,
        _data: &RegistrationData,
        args: &mut uapi::drm_edu_copy,
        file: &EduFile,
    ) -> Result<u32> {
        let copy = CopyRequest {
            direction: args.direction.try_into()?,
            offset: args.offset,
            device_offset: args.device_offset,
            len: args.len,
        };
        let object = BufferObject::lookup_handle(file, args.handle)?;

        drm.copy(parent(drm), &object, &copy)?;
        Ok(0)
    }

    fn clear(
        drm: &EduDevice<Registered>,
        data: &RegistrationData,
        args: &mut uapi::drm_edu_clear,
        _file: &EduFile,
    ) -> Result<u32> {
        let copy = CopyRequest {
            direction: Direction::ToDevice,
            offset: 0,
            device_offset: args.device_offset,
            len: args.len,
        };

        drm.copy(parent(drm), &*data.zeroes(drm)?, &copy)?;
        Ok(0)
    }

    fn cpu(
        drm: &EduDevice<Registered>,
        _data: &RegistrationData,
        args: &mut uapi::drm_edu_cpu,
        file: &EduFile,
    ) -> Result<u32> {
        let op = args.op.try_into()?;
        if args.pad != 0 {
            return Err(EINVAL);
        }

        let object = BufferObject::lookup_handle(file, args.handle)?;
        let buffer = file.inner().cpu_buffer(object)?;
        match op {
            CpuOp::Fill => buffer.fill(parent(drm), args.word)?,
            CpuOp::Sum => args.sum = buffer.sum(parent(drm))?,
        }
        Ok(0)
    }
}

/// Returns the device that the driver is bound to.
fn parent(drm: &EduDevice<Registered>) -> &Device<Bound> {
    AsRef::<pci::Device<Bound>>::as_ref(drm).as_ref()
}

/// The data of all files while the device is bound.
#[pin_data]
struct RegistrationData {
    /// Zeroes, in a buffer of the driver's own.
    #[pin]
    zeroes: Mutex<Option<ARef<BufferObject>>>,
}

impl RegistrationData {
    fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            zeroes <- new_mutex!(None),
        })
    }

    /// Returns a buffer of zeroes, as large as the memory of the device.
    fn zeroes(&self, drm: &EduDevice<Registered>) -> Result<ARef<BufferObject>> {
        let mut zeroes = self.zeroes.lock();

        if let Some(zeroes) = &*zeroes {
            return Ok(zeroes.clone());
        }
        let config = shmem::ObjectConfig::default();
        let new = BufferObject::new(drm, PAGE_SIZE, config, ())?;
        Ok(zeroes.insert(new).clone())
    }
}

struct EduDrmDriver;

type EduDevice<Ctx = drm::Normal> = drm::Device<EduDrmDriver, Ctx>;

#[vtable]
impl drm::Driver for EduDrmDriver {
    type Data = Edu;
    type RegistrationData<'drm> = RegistrationData;
    type File = FileData;
    type Object = BufferObject;
    type ParentDevice<Ctx: DeviceContext> = pci::Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 0,
        minor: 0,
        patchlevel: 0,
        name: c"rust_drm_edu",
        desc: c"Rust sample for QEMU's device edu",
    };
    const FEAT_RENDER: bool = true;

    kernel::declare_drm_ioctls! {
        (EDU_BO_CREATE, drm_edu_bo_create, ioctl::RENDER_ALLOW, FileData::bo_create),
        (EDU_BO_MMAP, drm_edu_bo_mmap, ioctl::RENDER_ALLOW, FileData::bo_mmap),
        (EDU_BO_MAP, drm_edu_bo_map, ioctl::RENDER_ALLOW | ioctl::ROOT_ONLY, FileData::bo_map),
        (EDU_COPY, drm_edu_copy, ioctl::RENDER_ALLOW, FileData::copy),
        (EDU_CPU, drm_edu_cpu, ioctl::RENDER_ALLOW, FileData::cpu),
        (EDU_CLEAR, drm_edu_clear, ioctl::RENDER_ALLOW, FileData::clear),
    }
}

struct EduDriver;

/// The driver's data while it is bound.
struct EduDriverData<'bound> {
    _registration: drm::Registration<'bound, EduDrmDriver>,
}

kernel::pci_device_table!(
    PCI_TABLE,
    <EduDriver as pci::Driver>::IdInfo,
    [(pci::DeviceId::from_class(CLASS, 0xff_ffff), ())]
);

impl pci::Driver for EduDriver {
    type IdInfo = ();
    type Data<'bound> = EduDriverData<'bound>;
    const ID_TABLE: pci::IdTable<Self::IdInfo> = &PCI_TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<EduDriverData<'bound>, Error> + 'bound {
        if (pdev.vendor_id().as_raw(), pdev.device_id()) != (VENDOR, DEVICE) {
            return Err(ENODEV);
        }

        pdev.enable_device_mem()?;
        pdev.set_master();
        // SAFETY: There are no concurrent calls to DMA allocation and mapping primitives.
        unsafe { pdev.dma_set_mask_and_coherent(DmaMask::new::<28>())? };

        let drm = drm::UnregisteredDevice::<EduDrmDriver>::new(pdev, Edu::new(pdev.as_ref()))?;
        // SAFETY: The registration is part of the driver's data, which is dropped when the driver
        // is unbound.
        let registration =
            unsafe { drm::Registration::new(pdev.as_ref(), drm, RegistrationData::new(), 0)? };
        Ok(EduDriverData {
            _registration: registration,
        })
    }
}

kernel::module_pci_driver! {
    type: EduDriver,
    name: "rust_drm_edu",
    authors: ["The devres-lazy maintainers"],
    description: "Rust sample of a DRM driver for QEMU's device edu",
    license: "GPL v2",
}
