// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The registers of a PCI device, and a page that it writes to. Both are mapped on first use and
//! unmapped when the device is unbound, while their object lives on.

use kernel::{
    device::{Bound, Device},
    devres_lazy,
    dma::Coherent,
    io::Io,
    new_lazy, pci,
    prelude::*,
    sync::aref::ARef,
    testing::{PciConfig, PciDevice},
    types::ForLt,
};

/// Value of the device's ID register, which is its first one.
const ID: u32 = 0xed;

fn map_registers(dev: &Device<Bound>) -> Result<pci::Bar<'_>> {
    let pdev: &pci::Device<Bound> = dev.try_into()?;
    pdev.iomap_region(0, c"registers")
}

/// The data of an open file.
#[devres_lazy]
#[pin_data]
struct Engine {
    dev: ARef<Device>,

    /// The registers, which borrow the bound device.
    #[lazy(fn registers -> pci::Bar<'_>, device = &self.dev, init = map_registers(dev)?)]
    registers: ForLt!(pci::Bar<'_>),

    /// The page.
    #[lazy(fn page, device = &self.dev, init = Coherent::zeroed_slice(dev, 1024, GFP_KERNEL))]
    page: Coherent<[u32]>,
}

impl Engine {
    fn new(dev: &Device) -> Result<Pin<KBox<Self>>> {
        let init = pin_init!(Self {
            dev: dev.into(),
            registers <- new_lazy!(),
            page <- new_lazy!(),
        });

        KBox::pin_init(init, GFP_KERNEL)
    }
}

fn main() -> Result {
    let config = PciConfig::new(pci::Vendor::REDHAT, 0x11e8).bar(0, &u64::from(ID).to_le_bytes());
    let mut pdev = PciDevice::new(c"0000:00:01.0", config)?;

    let bound = pdev.bind()?;
    let engine = Engine::new(bound.as_ref())?;
    let registers = engine.registers(bound.as_ref())?;
    assert_eq!(registers.try_read32(0)?, ID);
    println!("bound: register 0 is {ID:#x}");
    let page = engine.page(bound.as_ref())?;
    assert_ne!(page.dma_address(), 0);
    println!("bound: the device writes to {:#x}", page.dma_address());
    bound.unbind();

    assert_eq!(pdev.bar_users(0), Some((None, 0)));
    println!("unbound: the registers are free for the next driver");

    let bound = pdev.bind()?;
    assert_eq!(engine.registers(bound.as_ref()).err(), Some(ENXIO));
    println!("bound again: {ENXIO:?} for the old object");
    Ok(())
}

#[test]
fn it_holds() -> Result {
    main()
}
