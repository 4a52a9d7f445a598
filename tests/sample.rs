// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The sample driver, compiled from the file that is added to a kernel tree.
//!
//! Its KUnit suite runs here as part of the file. The tests below bind the driver to a device.

#[path = "../kernel/tree/samples/rust/rust_devres_lazy.rs"]
mod rust_devres_lazy;

use kernel::{
    pci::{self, Vendor},
    prelude::*,
    testing::{collect_printed, fail_nth, ledger, Ledger, PciConfig, PciDevice, Printed},
};
use rust_devres_lazy::MODULE;

/// The device that QEMU calls `pci-testdev`.
fn testdev() -> Result<PciDevice> {
    PciDevice::new(
        c"0000:00:04.0",
        PciConfig::new(Vendor::REDHAT, 0x5).bar(0, &[0; 4096]),
    )
}

/// The mappings of a device.
fn mapped(dev: &pci::Device) -> Ledger {
    ledger(dev.as_ref())
}

/// The number in a line of the log.
fn number(line: &Printed) -> Option<usize> {
    line.text().split(' ').find_map(|word| word.parse().ok())
}

#[test]
fn says_what_it_is() {
    let info = MODULE.info();

    assert_eq!(info.name, c"rust_devres_lazy");
    assert_eq!(info.license, "GPL v2");
}

/// Probe fills the buffer, and maps the buffer and the memory that describes it. Both stay mapped
/// until the driver's `unbind()` returns, and are then unmapped.
#[test]
fn is_bound_and_unbound() -> Result {
    let mut dev = testdev()?;
    let (bound, printed) = collect_printed(|| -> Result<_> {
        let bound = MODULE.probe(&mut dev)?;
        let now = mapped(&bound);
        bound.unbind();
        Ok(now)
    });
    let (bound, unbound) = (bound?, mapped(&dev.device()));

    let [has, had, sum] = &printed[..] else {
        panic!("expected three lines: {printed:?}");
    };
    let segments = number(has).ok_or(EINVAL)?;
    let lines = [has.text(), had.text(), sum.text()];
    assert_eq!(
        lines,
        [
            format!("0000:00:04.0: The buffer has {segments} segments."),
            format!("0000:00:04.0: The buffer had {segments} segments."),
            // Each byte of the buffer is one.
            "0000:00:04.0: The words of the buffer add up to 0x1010101000.".to_owned(),
        ]
    );
    assert_ne!(segments, 0);

    assert_eq!((bound.live, bound.mapped), (2, 2));
    // `unbind()` has used both mappings, and added none.
    assert_eq!(unbound.mapped, 2);
    assert_eq!((unbound.live, unbound.bytes), (0, 0));
    Ok(())
}

/// Each binding of the same device has a buffer of its own.
#[test]
fn is_bound_again() -> Result {
    let mut dev = testdev()?;
    for times in 1..=3 {
        let bound = MODULE.probe(&mut dev)?;
        assert_eq!(mapped(&bound).mapped, 2 * times);
        bound.unbind();
        assert_eq!(mapped(&dev.device()).live, 0);
    }
    Ok(())
}

/// If any allocation of probe fails, nothing stays mapped, and the device can be bound later.
#[test]
fn probe_runs_out_of_memory() -> Result {
    let mut dev = testdev()?;
    let mut failures = 0;
    loop {
        let fault = fail_nth(failures + 1);
        let result = MODULE.probe(&mut dev).map(|bound| bound.unbind());
        let failed = fault.tripped();
        drop(fault);
        assert_eq!(mapped(&dev.device()).live, 0, "allocation {}", failures + 1);

        if !failed {
            result?;
            break;
        }
        assert_eq!(result, Err(ENOMEM), "allocation {}", failures + 1);
        failures += 1;
    }

    // At least the driver's data, the buffer, its pages, and the three resources are allocated.
    assert!(failures >= 6, "{failures}");
    Ok(())
}

/// Probe refuses a device that is not in the driver's table.
#[test]
fn another_device() -> Result {
    let mut dev = PciDevice::new(c"0000:00:05.0", PciConfig::new(Vendor::REDHAT, 0x6))?;

    assert_eq!(MODULE.probe(&mut dev).err(), Some(ENODEV));
    Ok(())
}
