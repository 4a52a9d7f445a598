// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A PCI device that is bound for longer than the device that it was found from. Linux 7.3.4 lets
//! this through: its `TryFrom` has two lifetimes.

use kernel::{
    device::{Bound, Device},
    pci,
    prelude::*,
};

fn forever(dev: &Device<Bound>) -> Result<&'static pci::Device<Bound>> {
    dev.try_into()
}

fn main() {}
