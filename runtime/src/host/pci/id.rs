// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Vendors and classes. Stands for `rust/kernel/pci/id.rs`, which has all that
//! `include/linux/pci_ids.h` names. Here are a few.

use crate::prelude::*;
use core::fmt;

/// The class of a device: its base class, subclass and programming interface, 24 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Class(u32);

impl Class {
    /// Whatever has no class: `PCI_CLASS_NOT_DEFINED`.
    pub const NOT_DEFINED: Self = Self(0);
    /// A VGA controller: `PCI_CLASS_DISPLAY_VGA`.
    pub const DISPLAY_VGA: Self = Self(0x03_0000);
    /// A 3D controller: `PCI_CLASS_DISPLAY_3D`.
    pub const DISPLAY_3D: Self = Self(0x03_0200);

    pub(super) const fn from_raw(class: u32) -> Self {
        Self(class)
    }

    /// Returns the 24 bits.
    #[inline]
    pub const fn as_raw(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:06x}", self.0)
    }
}

/// Which bits of a [`Class`] count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ClassMask {
    /// All.
    Full = 0xff_ffff,
    /// Base class and subclass.
    ClassSubclass = 0xff_ff00,
}

impl ClassMask {
    /// Returns the mask.
    #[inline]
    pub const fn as_raw(self) -> u32 {
        self as u32
    }
}

impl TryFrom<u32> for ClassMask {
    type Error = Error;

    /// # Errors
    ///
    /// `EINVAL` if it is no such mask.
    fn try_from(mask: u32) -> Result<Self> {
        match mask {
            0xff_ffff => Ok(Self::Full),
            0xff_ff00 => Ok(Self::ClassSubclass),
            _ => Err(EINVAL),
        }
    }
}

/// The vendor of a device.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Vendor(u16);

impl Vendor {
    /// `PCI_VENDOR_ID_AMD`.
    pub const AMD: Self = Self(0x1022);
    /// `PCI_VENDOR_ID_INTEL`.
    pub const INTEL: Self = Self(0x8086);
    /// `PCI_VENDOR_ID_NVIDIA`.
    pub const NVIDIA: Self = Self(0x10de);
    /// `PCI_VENDOR_ID_REDHAT`: devices of QEMU.
    pub const REDHAT: Self = Self(0x1b36);

    pub(super) const fn from_raw(vendor: u16) -> Self {
        Self(vendor)
    }

    /// Returns the number.
    #[inline]
    pub const fn as_raw(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:04x}", self.0)
    }
}
