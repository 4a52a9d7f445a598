// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The PCI device of the suite `bar_kunit`. Stands for a file of the same name that is added to the
//! kernel.

use crate::{
    device::Bound,
    pci::{self, Vendor},
    prelude::*,
    testing::{PciConfig, PciDevice},
};

/// The device, which does nothing. Its BAR has what the suite reads.
pub(crate) struct TestDevice(PciDevice);

impl TestDevice {
    /// Makes a device.
    pub(crate) fn new() -> Result<Option<Self>> {
        let mut bar = [0; 4096];
        bar[16..20].copy_from_slice(b"mmio");
        let config = PciConfig::new(Vendor::REDHAT, 0x5).bar(0, &bar);

        PciDevice::new(c"0000:00:04.0", config).map(|device| Some(Self(device)))
    }

    /// Runs `function` while the device is bound to a driver.
    pub(crate) fn bind_while<R>(
        &mut self,
        function: impl FnOnce(&pci::Device<Bound>) -> Result<R>,
    ) -> Result<R> {
        let bound = self.0.bind()?;

        function(&bound)
    }
}
