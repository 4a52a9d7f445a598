// SPDX-License-Identifier: GPL-2.0

//! A lazy field that is a mapped BAR, on QEMU's `pci-testdev` or, on the host, its model.

use super::{
    kunit_pci::TestDevice,
    kunit_support::{
        self,
        ensure,
        ensure_ok,
        skip, //
    },
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    devres_lazy,
    io::Io,
    new_lazy,
    pci::{
        self,
        Bar, //
    },
    prelude::*,
    sync::aref::ARef,
    types::ForLt, //
};
use core::ptr;

/// The register that selects a test of the device.
const TEST: usize = 0;

/// The offset of the selected test's name, which begins with `MMIO`.
const NAME: usize = 16;
const MMIO: u8 = b'm';

/// The number of bytes of the BAR that the driver uses.
const SIZE: usize = NAME + 1;

/// The driver's view of the device.
struct Registers<'a> {
    bar: Bar<'a, SIZE>,
    pdev: &'a pci::Device<Bound>,
}

impl Registers<'_> {
    /// Selects a test, and returns the first letter of its name.
    fn name_of(&self, test: u8) -> u8 {
        self.bar.write8(test, TEST);
        self.bar.read8(NAME)
    }
}

fn pdev(dev: &Device<Bound>) -> Result<&pci::Device<Bound>> {
    dev.try_into()
}

/// An object that outlives the binding.
#[devres_lazy]
#[pin_data]
struct Object<const N: usize> {
    dev: ARef<Device>,

    #[lazy(
        fn bar -> Bar<'_, N>,
        device = &self.dev,
        init = pdev(dev)?.iomap_region_sized(0, c"lazy-kunit")?,
        peek = peek_bar,
        revoke = revoke_bar,
    )]
    bar: Bar<'_, N>,

    #[lazy(
        fn registers -> Registers<'_>,
        device = &self.dev,
        init = {
            let pdev = pdev(dev)?;
            Registers {
                bar: pdev.iomap_region_sized(0, c"lazy-kunit-registers")?,
                pdev,
            }
        },
    )]
    registers: ForLt!(Registers<'_>),
}

impl<const N: usize> Object<N> {
    fn new(pdev: &pci::Device<Bound>) -> Result<Pin<KBox<Self>>> {
        let dev: &Device<Bound> = pdev.as_ref();

        KBox::pin_init(
            pin_init!(Self {
                dev: dev.into(),
                bar <- new_lazy!("Object::bar"),
                registers <- new_lazy!("Object::registers"),
            }),
            GFP_KERNEL,
        )
    }
}

/// Returns whether the BAR can be requested.
fn is_released(pdev: &pci::Device<Bound>) -> bool {
    pdev.iomap_region(0, c"lazy-kunit-released").is_ok()
}

#[kunit_tests(rust_devres_lazy_bar)]
mod tests {
    use super::*;

    /// The BAR is mapped by the first access, read through, and unmapped by unbind.
    #[test]
    fn bar_until_unbind() -> Result {
        let Some(mut testdev) = TestDevice::new()? else {
            return skip(c"there is no pci-testdev");
        };

        let object = testdev.bind_while(|pdev| {
            let dev: &Device<Bound> = pdev.as_ref();
            let object = Object::<SIZE>::new(pdev)?;
            ensure!(object.peek_bar(dev)?.is_none(), "the BAR is mapped");
            ensure!(is_released(pdev), "the BAR is requested");

            let bar: &Bar<'_, SIZE> = ensure_ok!(object.bar(dev), "the first access");
            ensure!(ptr::eq(bar, object.bar(dev)?), "two mappings");
            bar.write8(0, TEST);
            let name = bar.read8(NAME);
            ensure!(name == MMIO, "the name begins with {name}");
            ensure!(!is_released(pdev), "the BAR is not requested");
            // A BAR is requested once, so the other field cannot map it as well.
            let refused = object.registers(dev).err();
            ensure!(refused == Some(EBUSY), "mapped twice: {refused:?}");
            Ok(object)
        })?;

        testdev.bind_while(|pdev| {
            ensure!(is_released(pdev), "unbind has left the BAR requested");
            let refused = object.bar(pdev.as_ref()).err();
            ensure!(refused == Some(ENXIO), "after a rebind: {refused:?}");
            // `registers` was not populated, so it serves this binding.
            let name = object.registers(pdev.as_ref())?.name_of(0);
            ensure!(name == MMIO, "the name begins with {name}");
            Ok(())
        })
    }

    /// An owner that is freed or revoked first unmaps the BAR.
    #[test]
    fn bar_freed_first() -> Result {
        let Some(mut testdev) = TestDevice::new()? else {
            return skip(c"there is no pci-testdev");
        };

        testdev.bind_while(|pdev| {
            let dev: &Device<Bound> = pdev.as_ref();
            let mut object = Object::<SIZE>::new(pdev)?;

            object.bar(dev)?;
            object.as_mut().revoke_bar();
            ensure!(is_released(pdev), "revoking has left the BAR requested");

            let registers = object.registers(dev)?;
            let is_same = ptr::eq(registers.pdev, pdev);
            ensure!(is_same, "another device");
            ensure!(!is_released(pdev), "the BAR is not requested");
            drop(object);
            ensure!(is_released(pdev), "the owner has left the BAR requested");
            Ok(())
        })
    }

    /// A BAR that is too small is not mapped, and another device is refused.
    #[test]
    fn bar_that_is_not_there() -> Result {
        let Some(mut testdev) = TestDevice::new()? else {
            return skip(c"there is no pci-testdev");
        };

        testdev.bind_while(|pdev| {
            let object = Object::<0x10_0000>::new(pdev)?;
            let failed = object.bar(pdev.as_ref()).err();
            ensure!(failed == Some(EINVAL), "too small: {failed:?}");
            ensure!(is_released(pdev), "the BAR is requested");

            let other = kunit_support::TestDevice::new()?;
            let refused = object.registers(other.bound()?.as_ref()).err();
            ensure!(refused == Some(EINVAL), "another device: {refused:?}");
            Ok(())
        })
    }
}
