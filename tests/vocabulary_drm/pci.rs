// SPDX-License-Identifier: Apache-2.0 OR MIT

//! PCI devices and drivers, and BARs.

use kernel::{
    bindings,
    device::{Core, Device},
    dma::{Device as _, DmaMask},
    init::pin_init_scope,
    io::Io,
    pci::{self, Bar, Class, ClassMask, DeviceId, DevresBar, Vendor},
    prelude::*,
    sync::aref::ARef,
    testing::{fail_nth, PciConfig, PciDevice, TestDevice},
};
use std::{
    panic::{catch_unwind, AssertUnwindSafe},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

const NAME: &CStr = c"0000:00:04.0";

fn config() -> PciConfig {
    PciConfig::new(Vendor::REDHAT, 0x5)
        .class(Class::DISPLAY_3D)
        .revision(3)
        .subsystem(Vendor::INTEL, 7)
        .bar(0, &[0; 4096])
        .bar(2, &[0x11; 32])
}

/// A driver that keeps a BAR in its private data.
struct Sample;

#[pin_data]
struct Data<'bound> {
    bar: Bar<'bound, 0x20>,
    offset: usize,
}

static UNBOUND: AtomicU32 = AtomicU32::new(0);

kernel::pci_device_table!(
    TABLE,
    usize,
    [
        (DeviceId::from_id(Vendor::NVIDIA, 1), 0),
        (DeviceId::from_id(Vendor::REDHAT, 0x5), 0x10),
    ]
);

impl pci::Driver for Sample {
    type IdInfo = usize;
    type Data<'bound> = Data<'bound>;
    const ID_TABLE: pci::IdTable<usize> = &TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        offset: Option<&'bound usize>,
    ) -> impl PinInit<Data<'bound>, Error> + 'bound {
        pin_init_scope(move || {
            // SAFETY: No DMA mapping exists yet.
            unsafe { pdev.dma_set_mask_and_coherent(DmaMask::new::<64>())? };
            pdev.enable_device_mem()?;
            pdev.set_master();
            let bar = pdev.iomap_region_sized(2, c"sample")?;
            let offset = *offset.ok_or(ENODEV)?;
            bar.write32(0xcafe, 0);
            Ok(try_pin_init!(Data { bar, offset }))
        })
    }

    fn unbind<'bound>(pdev: &'bound pci::Device<Core<'_>>, this: Pin<&Data<'bound>>) {
        assert_eq!(pdev.device_id(), 5);
        this.bar.write32(0, 0);
        UNBOUND.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_driver_is_bound_and_unbound() -> Result {
    let mut dev = PciDevice::new(NAME, config())?;
    let before = UNBOUND.load(Relaxed);

    let bound = dev.probe::<Sample>()?;
    assert_eq!(bound.is_enabled(), (true, true));
    let device = bound.bar(2).ok_or(ENODEV)?;
    assert_eq!(device.try_read32(0), Ok(0xcafe));
    // The device answers.
    device.try_write32(42, 0x10)?;
    let answer = bound.data_with(|data| data.bar.try_read32(data.offset))?;
    assert_eq!(answer, 42);
    bound.unbind();

    assert_eq!(UNBOUND.load(Relaxed), before + 1);
    assert_eq!(dev.bar_users(2), Some((None, 0)));
    let bound = dev.bind()?;
    assert_eq!(bound.bar(2).ok_or(ENODEV)?.try_read32(0), Ok(0));
    Ok(())
}

#[test]
fn a_device_that_is_not_in_the_table_is_enodev() -> Result {
    let mut dev = PciDevice::new(NAME, PciConfig::new(Vendor::REDHAT, 6))?;
    assert_eq!(dev.probe::<Sample>().err(), Some(ENODEV));

    // One that is, and has no such BAR.
    let mut dev = PciDevice::new(NAME, PciConfig::new(Vendor::REDHAT, 5))?;
    assert_eq!(dev.probe::<Sample>().err(), Some(ENOMEM));
    // One whose BAR is smaller than what the driver knows of it.
    let mut dev = PciDevice::new(NAME, PciConfig::new(Vendor::REDHAT, 5).bar(2, &[0; 16]))?;
    assert_eq!(dev.probe::<Sample>().err(), Some(EINVAL));
    assert_eq!(dev.bar_users(2), Some((None, 0)));
    Ok(())
}

#[test]
fn every_failure_of_probe_leaves_nothing() -> Result {
    let mut failed = 0;
    loop {
        let mut dev = PciDevice::new(NAME, config())?;
        let fault = fail_nth(failed + 1);
        let result = dev.probe::<Sample>();
        if !fault.tripped() {
            result?;
            break;
        }
        failed += 1;
        // A request of a BAR that runs out of memory fails with `EBUSY`, as for a BAR in use.
        let error = result.err();
        assert!(error == Some(ENOMEM) || error == Some(EBUSY), "{error:?}");
        drop(fault);
        assert_eq!(dev.bar_users(2), Some((None, 0)), "{failed}");
        dev.probe::<Sample>()?;
    }
    assert!(failed >= 3, "{failed}");
    Ok(())
}

#[test]
fn what_is_known_of_a_device() -> Result {
    let mut dev = PciDevice::new(NAME, config())?;
    let kept = dev.device();
    let bound = dev.bind()?;

    assert_eq!((bound.vendor_id(), bound.device_id()), (Vendor::REDHAT, 5));
    assert_eq!(
        (bound.subsystem_vendor_id(), bound.subsystem_device_id()),
        (0x8086, 7)
    );
    assert_eq!(
        (bound.pci_class(), bound.revision_id()),
        (Class::DISPLAY_3D, 3)
    );
    assert_eq!(
        format!("{:?} {:?}", bound.vendor_id(), bound.pci_class()),
        "0x1b36 0x030200"
    );
    for (bar, len) in [
        (0, Ok(4096)),
        (1, Ok(0)),
        (2, Ok(32)),
        (16, Ok(0)),
        (17, Err(EINVAL)),
    ] {
        assert_eq!(bound.resource_len(bar), len, "{bar}");
    }
    // The same device, and it stays when it is unbound and dropped.
    assert_eq!(
        (*bound).as_ref().as_raw(),
        AsRef::<Device>::as_ref(&*kept).as_raw()
    );
    bound.unbind();
    drop(dev);
    assert_eq!(AsRef::<Device>::as_ref(&*kept).name(), NAME);
    Ok(())
}

#[test]
fn only_a_pci_device_is_one() -> Result {
    let other = TestDevice::new(c"gpu0")?.device();
    let result: Result<&pci::Device> = (&*other).try_into();
    assert_eq!(result.err(), Some(EINVAL));

    let dev = PciDevice::new(NAME, config())?.device();
    let found: &pci::Device = AsRef::<Device>::as_ref(&*dev).try_into()?;
    assert!(std::ptr::eq(found, &*dev));
    Ok(())
}

#[test]
fn a_bar_is_requested_once() -> Result {
    let mut dev = PciDevice::new(NAME, config())?;
    let kept = dev.device();
    let bound = dev.bind()?;

    let bar = bound.iomap_region(0, c"first")?;
    assert_eq!(
        (bar.size(), bound.iomap_region(0, c"second").err()),
        (4096, Some(EBUSY))
    );
    drop(bar);
    assert_eq!(bound.iomap_region(1, c"none").err(), Some(ENOMEM));
    assert_eq!(bound.iomap_region(17, c"none").err(), Some(EINVAL));
    assert_eq!(
        bound.iomap_region_sized::<64>(2, c"large").err(),
        Some(EINVAL)
    );
    let bar = bound.iomap_region_sized::<32>(2, c"right")?;
    assert_eq!(bar.read32(28), 0x1111_1111);
    let beyond = catch_unwind(AssertUnwindSafe(|| bar.read32(32)));
    assert!(beyond.is_err());
    assert_eq!(bar.try_read32(32), Err(EINVAL));
    drop(bar);
    bound.unbind();

    // A BAR that is not mapped cannot be unmapped.
    let raw = AsRef::<Device>::as_ref(&*kept).as_raw().cast();
    // SAFETY: The device is valid. The host reports that nothing is mapped.
    let unmap = || unsafe { bindings::pci_iounmap(raw, std::ptr::null_mut()) };
    let ((), warnings) = bindings::collect_warnings(unmap);
    assert!(warnings[0].contains("which is not mapped"), "{warnings:?}");
    Ok(())
}

#[test]
fn devres_unmaps_at_unbind() -> Result {
    let mut dev = PciDevice::new(NAME, config())?;
    let bound = dev.bind()?;
    let bar: DevresBar<32> = bound.iomap_region_sized::<32>(2, c"kept")?.into_devres()?;

    bar.access((*bound).as_ref())?.write32(7, 0);
    assert_eq!(bar.try_access().ok_or(ENXIO)?.read32(0), 7);
    assert_eq!(bar.try_access_with(|bar| bar.try_read32(0)), Some(Ok(7)));
    bound.unbind();
    assert_eq!(dev.bar_users(2), Some((None, 0)));
    assert_eq!(bar.try_access().ok_or(ENXIO).err(), Some(ENXIO));

    // Bound again, the BAR is free.
    let bound = dev.bind()?;
    bound.iomap_region(2, c"again")?;
    assert!(bar.try_access_with(|_| ()).is_none());

    // No memory for it: the BAR is free again.
    let again = bound.iomap_region(2, c"again")?;
    let fault = fail_nth(1);
    assert_eq!(again.into_devres().err(), Some(ENOMEM));
    drop(fault);
    bound.iomap_region(2, c"again")?;
    Ok(())
}

#[test]
fn tables_match_what_they_say() -> Result {
    let pdev: ARef<pci::Device> = PciDevice::new(NAME, config())?.device();
    let raw: *const bindings::pci_dev = AsRef::<Device>::as_ref(&*pdev).as_raw().cast();

    let matches = |id: DeviceId| {
        // SAFETY: The type is a transparent wrapper.
        let id: bindings::pci_device_id = unsafe { std::mem::transmute(id) };
        let end = bindings::pci_device_id {
            vendor: 0,
            device: 0,
            subvendor: 0,
            subdevice: 0,
            class: 0,
            class_mask: 0,
            driver_data: 0,
            override_only: 0,
        };
        // SAFETY: The table ends with zeroes, and the device is valid.
        !unsafe { bindings::pci_match_id([id, end].as_ptr(), raw) }.is_null()
    };
    assert!(matches(DeviceId::from_id(Vendor::REDHAT, 5)));
    assert!(!matches(DeviceId::from_id(Vendor::REDHAT, 4)));
    assert!(!matches(DeviceId::from_id(Vendor::AMD, 5)));
    assert!(matches(DeviceId::from_class(0x03_0000, 0xff_0000)));
    assert!(!matches(DeviceId::from_class(0x04_0000, 0xff_0000)));
    let class = |class, vendor| DeviceId::from_class_and_vendor(class, ClassMask::Full, vendor);
    assert!(matches(class(Class::DISPLAY_3D, Vendor::REDHAT)));
    assert!(!matches(class(Class::DISPLAY_VGA, Vendor::REDHAT)));
    assert!(!matches(class(Class::DISPLAY_3D, Vendor::AMD)));
    assert_eq!(ClassMask::try_from(0xff_ff00), Ok(ClassMask::ClassSubclass));
    assert_eq!(ClassMask::try_from(1), Err(EINVAL));
    Ok(())
}

#[test]
fn a_bar_that_cannot_be_is_loud() {
    for (num, len) in [(6, 8), (0, 0), (0, 12)] {
        let config = || PciConfig::new(Vendor::AMD, 1).bar(num, &vec![0; len]);
        assert!(catch_unwind(config).is_err(), "{num} {len}");
    }
}
