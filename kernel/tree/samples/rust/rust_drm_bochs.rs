// SPDX-License-Identifier: GPL-2.0

//! Rust sample of a DRM driver, for QEMU's device `bochs-display`, which displays its memory.
//!
//! Open files outlive the binding of the device. The registers and the framebuffer are mapped when
//! the first file uses them, and unmapped when the device is unbound. The framebuffer is mapped
//! write-combined.
//!
//! To make this driver probe, QEMU must be run with `-device bochs-display`.

use kernel::{
    device::{
        Bound,
        Core,
        Device,
        DeviceContext, //
    },
    devres_lazy,
    drm::{
        self,
        gem::{
            self,
            DriverObject, //
        },
        ioctl,
        Registered, //
    },
    io::{
        Io,
        IoBase, //
    },
    new_lazy,
    new_mutex,
    pci,
    prelude::*,
    sync::{
        aref::ARef,
        Mutex, //
    },
    types::ForLt,
    uapi, //
};

mod regs {
    use kernel::io::register;

    register! {
        pub(super) ID(u16) @ 0x500 {
            15:4 magic;
            3:0 version;
        }

        pub(super) WIDTH(u16) @ 0x502 {
            15:0 pixels;
        }

        pub(super) HEIGHT(u16) @ 0x504 {
            15:0 pixels;
        }

        pub(super) DEPTH(u16) @ 0x506 {
            15:0 bits;
        }

        pub(super) ENABLE(u16) @ 0x508 {
            6:6 linear => bool;
            0:0 enabled => bool;
        }

        /// The width of a row of the framebuffer, of which the screen may show a part.
        pub(super) VIRTUAL_WIDTH(u16) @ 0x50c {
            15:0 pixels;
        }

        /// The position of that part.
        pub(super) LEFT(u16) @ 0x510 {
            15:0 pixels;
        }

        pub(super) TOP(u16) @ 0x512 {
            15:0 pixels;
        }
    }

    pub(super) const END: usize = 0x514;
}

/// The identity of the device: QEMU's vendor ID, which the kernel has no name for, the device ID,
/// and the content of the register [`regs::ID`].
const VENDOR: u16 = 0x1234;
const DEVICE: u16 = 0x1111;
const MAGIC: u16 = 0xb0c;

/// The class of the device: a display that is not VGA.
const CLASS: u32 = 0x0003_8000;

/// The BARs of the device.
const FRAMEBUFFER: u32 = 0;
const REGISTERS: u32 = 2;

/// The smallest screen that the device shows, in pixels of each side.
const SMALLEST: u16 = 64;

/// The size of a pixel.
const BYTES_PER_PIXEL: usize = size_of::<u32>();
const BITS_PER_PIXEL: u16 = 32;

/// The width and the height of a tile.
const TILE: usize = uapi::BOCHS_TILE as usize;

type Registers<'a> = pci::Bar<'a, { regs::END }>;

/// Maps the registers, and checks that they are those of the device.
fn map_registers(dev: &Device<Bound>) -> Result<Registers<'_>> {
    let pdev: &pci::Device<Bound> = dev.try_into()?;
    let bar = pdev.iomap_region_sized::<{ regs::END }>(REGISTERS, c"rust_drm_bochs registers")?;
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

/// Maps the framebuffer.
fn map_framebuffer(dev: &Device<Bound>) -> Result<pci::Bar<'_>> {
    let pdev: &pci::Device<Bound> = dev.try_into()?;

    pdev.iomap_region_wc(FRAMEBUFFER, c"rust_drm_bochs framebuffer")
}

/// The size of the screen, in pixels.
#[derive(Clone, Copy)]
struct Mode {
    width: u16,
    height: u16,
}

impl Mode {
    /// Returns the mode that user space asks for, if `memory` bytes suffice.
    fn new(args: &uapi::drm_bochs_mode, memory: u64) -> Result<Self> {
        let mode = Self {
            width: args.width.try_into()?,
            height: args.height.try_into()?,
        };
        let bytes = u64::from(args.width) * u64::from(args.height) * BYTES_PER_PIXEL as u64;

        if mode.width < SMALLEST || mode.height < SMALLEST || bytes > memory {
            return Err(EINVAL);
        }
        Ok(mode)
    }

    /// Returns where the rows of a tile begin in the framebuffer, if all of the tile is visible.
    fn rows(self, tile: &uapi::drm_bochs_tile) -> Result<impl Iterator<Item = usize>> {
        let (x, y) = (usize::try_from(tile.x)?, usize::try_from(tile.y)?);
        let (width, height) = (usize::from(self.width), usize::from(self.height));
        let is_inside = |begin: usize, size| begin.checked_add(TILE).is_some_and(|end| end <= size);

        if !is_inside(x, width) || !is_inside(y, height) {
            return Err(EINVAL);
        }
        Ok((y..y + TILE).map(move |y| (y * width + x) * BYTES_PER_PIXEL))
    }
}

/// The display, as files see it: part of the DRM device, to which an open file has a reference.
#[devres_lazy]
#[pin_data]
struct Display {
    dev: ARef<Device>,

    /// The registers of the device.
    #[lazy(fn registers -> Registers<'_>, device = &self.dev, init = map_registers(dev)?)]
    registers: ForLt!(Registers<'_>),

    /// The memory of the device, write-combined.
    #[lazy(fn framebuffer -> pci::Bar<'_>, device = &self.dev, init = map_framebuffer(dev)?)]
    framebuffer: ForLt!(pci::Bar<'_>),

    /// The mode of the screen; [`None`] until this binding has switched it on.
    #[pin]
    mode: Mutex<Option<Mode>>,
}

impl Display {
    fn new(dev: &Device) -> impl PinInit<Self, Error> + '_ {
        try_pin_init!(Self {
            dev: dev.into(),
            registers <- new_lazy!(),
            framebuffer <- new_lazy!(),
            mode <- new_mutex!(None),
        })
    }

    /// Switches the screen on.
    fn set_mode(&self, dev: &Device<Bound>, mode: Mode) -> Result {
        let bar = self.registers(dev)?;
        let mut current = self.mode.lock();

        bar.write_reg(regs::ENABLE::zeroed());
        bar.write_reg(regs::DEPTH::zeroed().with_bits(BITS_PER_PIXEL));
        bar.write_reg(regs::WIDTH::zeroed().with_pixels(mode.width));
        bar.write_reg(regs::HEIGHT::zeroed().with_pixels(mode.height));
        bar.write_reg(regs::VIRTUAL_WIDTH::zeroed().with_pixels(mode.width));
        bar.write_reg(regs::LEFT::zeroed());
        bar.write_reg(regs::TOP::zeroed());
        bar.write_reg(regs::ENABLE::zeroed().with_enabled(true).with_linear(true));

        *current = Some(mode);
        Ok(())
    }

    /// Draws a tile.
    fn draw(&self, dev: &Device<Bound>, tile: &uapi::drm_bochs_tile) -> Result {
        let current = self.mode.lock();
        let rows = (*current).ok_or(EINVAL)?.rows(tile)?;
        // The framebuffer is write-combined, so the writes need no order.
        let framebuffer = self.framebuffer(dev)?.as_view().relaxed();

        for (begin, pixels) in rows.zip(tile.pixels.chunks_exact(TILE)) {
            for (offset, pixel) in (begin..).step_by(BYTES_PER_PIXEL).zip(pixels) {
                framebuffer.try_write32(*pixel, offset)?;
            }
        }
        Ok(())
    }
}

/// The driver's part of a GEM object. The driver makes no objects: the pixels come with the ioctl.
#[pin_data]
struct NoBuffer {}

impl DriverObject for NoBuffer {
    type Driver = BochsDrmDriver;
    type Args = ();

    fn new(_drm: &BochsDevice, _size: usize, _args: ()) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {})
    }
}

/// The data of an open file, which is empty.
struct FileData;

type BochsFile = drm::File<FileData>;

impl drm::file::DriverFile for FileData {
    type Driver = BochsDrmDriver;

    fn open(_drm: &BochsDevice) -> Result<Pin<KBox<Self>>> {
        Ok(KBox::new(Self, GFP_KERNEL)?.into())
    }
}

impl FileData {
    fn mode(
        drm: &BochsDevice<Registered>,
        _data: &(),
        args: &mut uapi::drm_bochs_mode,
        _file: &BochsFile,
    ) -> Result<u32> {
        let memory = parent(drm).resource_len(FRAMEBUFFER)?;

        drm.set_mode(parent(drm).as_ref(), Mode::new(args, memory)?)?;
        Ok(0)
    }

    fn tile(
        drm: &BochsDevice<Registered>,
        _data: &(),
        args: &mut uapi::drm_bochs_tile,
        _file: &BochsFile,
    ) -> Result<u32> {
        drm.draw(parent(drm).as_ref(), args)?;
        Ok(0)
    }
}

/// Returns the device that the driver is bound to.
fn parent(drm: &BochsDevice<Registered>) -> &pci::Device<Bound> {
    drm.as_ref()
}

struct BochsDrmDriver;

type BochsDevice<Ctx = drm::Normal> = drm::Device<BochsDrmDriver, Ctx>;

#[vtable]
impl drm::Driver for BochsDrmDriver {
    type Data = Display;
    type RegistrationData<'drm> = ();
    type File = FileData;
    type Object = gem::Object<NoBuffer>;
    type ParentDevice<Ctx: DeviceContext> = pci::Device<Ctx>;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 0,
        minor: 0,
        patchlevel: 0,
        name: c"rust_drm_bochs",
        desc: c"Rust sample for QEMU's device bochs-display",
    };
    const FEAT_RENDER: bool = true;

    kernel::declare_drm_ioctls! {
        (BOCHS_MODE, drm_bochs_mode, ioctl::RENDER_ALLOW, FileData::mode),
        (BOCHS_TILE, drm_bochs_tile, ioctl::RENDER_ALLOW, FileData::tile),
    }
}

struct BochsDriver;

/// The driver's data while it is bound.
struct BochsDriverData<'bound> {
    _registration: drm::Registration<'bound, BochsDrmDriver>,
}

kernel::pci_device_table!(
    PCI_TABLE,
    <BochsDriver as pci::Driver>::IdInfo,
    [(pci::DeviceId::from_class(CLASS, 0xff_ffff), ())]
);

impl pci::Driver for BochsDriver {
    type IdInfo = ();
    type Data<'bound> = BochsDriverData<'bound>;
    const ID_TABLE: pci::IdTable<Self::IdInfo> = &PCI_TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<BochsDriverData<'bound>, Error> + 'bound {
        if (pdev.vendor_id().as_raw(), pdev.device_id()) != (VENDOR, DEVICE) {
            return Err(ENODEV);
        }

        pdev.enable_device_mem()?;

        let drm =
            drm::UnregisteredDevice::<BochsDrmDriver>::new(pdev, Display::new(pdev.as_ref()))?;
        // SAFETY: The registration is part of the driver's data, which is dropped when the driver
        // is unbound.
        let registration =
            unsafe { drm::Registration::new(pdev.as_ref(), drm, Ok::<_, Error>(()), 0)? };
        Ok(BochsDriverData {
            _registration: registration,
        })
    }
}

kernel::module_pci_driver! {
    type: BochsDriver,
    name: "rust_drm_bochs",
    authors: ["The devres-lazy maintainers"],
    description: "Rust sample of a DRM driver for QEMU's device bochs-display",
    license: "GPL v2",
}
