// SPDX-License-Identifier: GPL-2.0

//! A function that must not compile: it makes a device that claims to be bound for good.

#![allow(missing_docs)]

use kernel::{
    device::{
        Bound,
        Device, //
    },
    pci,
    prelude::*, //
};

pub fn forever(dev: &Device<Bound>) -> Result<&'static pci::Device<Bound>> {
    dev.try_into()
}
