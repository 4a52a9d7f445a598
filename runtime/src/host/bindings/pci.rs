// SPDX-License-Identifier: Apache-2.0 OR MIT

//! PCI devices, as in `include/linux/pci.h` and `drivers/pci/`.
//!
//! The bus finds no drivers. A test makes a device, with BARs that are memory of the host.

use super::{
    bus_type, device, device_kind, get_device, may_not_allocate, put_device, resource_size_t,
    GFP_KERNEL,
};
use crate::{error::code, str::CStr};
use core::{
    ffi::{c_char, c_int, c_ulong, c_void},
    ptr,
    sync::atomic::{AtomicBool, AtomicU8, Ordering},
};
use std::{
    ffi::CString,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The bus of PCI devices.
pub(super) static PCI_BUS: bus_type = bus_type::new();

/// Any vendor, or any device: `PCI_ANY_ID`.
pub const PCI_ANY_ID: u32 = !0;

/// How many resources a device has: BARs, the ROM, and those of virtual functions and bridges.
pub const PCI_NUM_RESOURCES: u32 = 17;

/// How many BARs a device has: `PCI_STD_NUM_BARS`.
pub const PCI_STD_NUM_BARS: usize = 6;

/// An entry of a driver's table: `struct pci_device_id`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct pci_device_id {
    /// Vendor, or [`PCI_ANY_ID`].
    pub vendor: u32,
    /// Device, or [`PCI_ANY_ID`].
    pub device: u32,
    /// Vendor of the subsystem, or [`PCI_ANY_ID`].
    pub subvendor: u32,
    /// Device of the subsystem, or [`PCI_ANY_ID`].
    pub subdevice: u32,
    /// Class, as far as the mask has ones.
    pub class: u32,
    /// Which bits of the class count.
    pub class_mask: u32,
    /// The driver's own.
    pub driver_data: c_ulong,
    /// Whether it matches with a driver override only.
    pub override_only: u32,
}

/// The memory of a BAR.
///
/// A `u64` each, so that it is aligned for any access.
pub(crate) type BarMemory = Box<[AtomicBytes]>;

/// Eight bytes of a BAR, accessed by atomics of any width.
#[repr(align(8))]
pub(crate) struct AtomicBytes(#[allow(dead_code, reason = "read through pointers")] [AtomicU8; 8]);

impl AtomicBytes {
    pub(crate) fn new(bytes: [u8; 8]) -> Self {
        Self(bytes.map(AtomicU8::new))
    }
}

/// The configuration of a new device.
#[derive(Default)]
pub(crate) struct PciConfig {
    pub(crate) vendor: u16,
    pub(crate) device: u16,
    pub(crate) subsystem_vendor: u16,
    pub(crate) subsystem_device: u16,
    pub(crate) class: u32,
    pub(crate) revision: u8,
    pub(crate) bars: [BarMemory; PCI_STD_NUM_BARS],
}

/// A device: `struct pci_dev`.
#[repr(C)]
pub struct pci_dev {
    /// The first field: the code casts a pointer to it to a pointer to the PCI device.
    pub dev: device,
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
    /// Vendor of the subsystem.
    pub subsystem_vendor: u16,
    /// Device of the subsystem.
    pub subsystem_device: u16,
    /// Base class, subclass and programming interface.
    pub class: u32,
    /// Revision.
    pub revision: u8,
    /// Whether it decodes memory.
    enabled: AtomicBool,
    /// Whether it may access memory.
    is_busmaster: AtomicBool,
    bars: [BarMemory; PCI_STD_NUM_BARS],
    /// For each BAR, the name that it was requested under, and the number of its mappings.
    users: Mutex<[BarUsers; PCI_STD_NUM_BARS]>,
}

#[derive(Clone, Default)]
struct BarUsers {
    name: Option<CString>,
    mappings: usize,
}

impl pci_dev {
    fn users(&self) -> MutexGuard<'_, [BarUsers; PCI_STD_NUM_BARS]> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bar(&self, bar: c_int) -> Option<&BarMemory> {
        self.bars
            .get(usize::try_from(bar).ok()?)
            .filter(|memory| !memory.is_empty())
    }

    /// Where the memory of a BAR is, and how long it is.
    pub(crate) fn bar_memory(&self, bar: usize) -> Option<(*mut u8, usize)> {
        let memory = self.bars.get(bar).filter(|memory| !memory.is_empty())?;

        Some((memory.as_ptr().cast_mut().cast(), size_of_val(&**memory)))
    }

    /// Returns the name that a BAR was requested under, and the number of its mappings.
    pub(crate) fn bar_users(&self, bar: usize) -> Option<(Option<CString>, usize)> {
        let users = self.users();
        let bar = users.get(bar)?;

        Some((bar.name.clone(), bar.mappings))
    }

    /// Whether `pci_enable_device_mem()` and `pci_set_master()` were called.
    pub(crate) fn is_enabled(&self) -> (bool, bool) {
        (
            self.enabled.load(Ordering::Relaxed),
            self.is_busmaster.load(Ordering::Relaxed),
        )
    }
}

/// Makes a device with one reference and no driver. Null without memory.
pub(crate) fn pci_alloc_dev(name: &CStr, config: PciConfig) -> *mut pci_dev {
    if may_not_allocate(GFP_KERNEL) {
        return ptr::null_mut();
    }
    Box::into_raw(Box::new(pci_dev {
        dev: device::new(name, device_kind::Pci),
        vendor: config.vendor,
        device: config.device,
        subsystem_vendor: config.subsystem_vendor,
        subsystem_device: config.subsystem_device,
        class: config.class,
        revision: config.revision,
        enabled: AtomicBool::new(false),
        is_busmaster: AtomicBool::new(false),
        bars: config.bars,
        users: Mutex::default(),
    }))
}

/// Returns whether a device is that of a `struct pci_dev`: `dev_is_pci()`.
///
/// # Safety
///
/// `dev` is valid.
pub unsafe fn dev_is_pci(dev: *const device) -> bool {
    // SAFETY: The caller promises that it is valid.
    unsafe { &*dev }.kind() == device_kind::Pci
}

/// Takes a reference: `pci_dev_get()`. Returns `dev`.
///
/// # Safety
///
/// `dev` is valid.
pub unsafe fn pci_dev_get(dev: *mut pci_dev) -> *mut pci_dev {
    // CAST: It is the first field.
    // SAFETY: The caller promises that it is valid.
    unsafe { get_device(dev.cast()) };
    dev
}

/// Puts a reference: `pci_dev_put()`.
///
/// # Safety
///
/// `dev` is valid, and the caller gives up a reference.
pub unsafe fn pci_dev_put(dev: *mut pci_dev) {
    // CAST: It is the first field.
    // SAFETY: The caller promises that `dev` is valid, and gives up a reference.
    unsafe { put_device(dev.cast()) };
}

/// Returns the first entry of a table that a device matches, or null: `pci_match_id()`.
///
/// # Safety
///
/// `ids` is a table that ends with zeroes, and `dev` is valid.
pub unsafe fn pci_match_id(
    mut ids: *const pci_device_id,
    dev: *const pci_dev,
) -> *const pci_device_id {
    // SAFETY: The caller promises that it is valid.
    let dev = unsafe { &*dev };
    let is = |wanted: u32, has: u16| wanted == PCI_ANY_ID || wanted == u32::from(has);

    loop {
        // SAFETY: The end was not reached yet.
        let id = unsafe { &*ids };
        if id.vendor == 0 && id.subvendor == 0 && id.class_mask == 0 {
            return ptr::null();
        }
        if is(id.vendor, dev.vendor)
            && is(id.device, dev.device)
            && is(id.subvendor, dev.subsystem_vendor)
            && is(id.subdevice, dev.subsystem_device)
            && (id.class ^ dev.class) & id.class_mask == 0
            && id.override_only == 0
        {
            return ids;
        }
        ids = ids.wrapping_add(1);
    }
}

/// Returns the size of a resource in bytes, 0 if there is none: `pci_resource_len()`.
///
/// # Safety
///
/// `dev` is valid.
pub unsafe fn pci_resource_len(dev: *const pci_dev, bar: c_int) -> resource_size_t {
    // SAFETY: The caller promises that it is valid.
    let bar = unsafe { &*dev }.bar(bar);

    bar.map_or(0, |memory| size_of_val(&**memory) as resource_size_t)
}

/// Reserves a BAR: `pci_request_region()`. Returns 0, or `-EBUSY` if it is reserved.
///
/// # Safety
///
/// `dev` is valid, and `name` is a C string.
pub unsafe fn pci_request_region(dev: *mut pci_dev, bar: c_int, name: *const c_char) -> c_int {
    // SAFETY: The caller promises that it is valid.
    let dev = unsafe { &*dev };

    if dev.bar(bar).is_none() {
        return 0;
    }
    let mut users = dev.users();
    // CAST: `bar()` has found one.
    let user = &mut users[bar as usize];
    if user.name.is_some() || may_not_allocate(GFP_KERNEL) {
        return code::EBUSY.to_errno();
    }
    // SAFETY: The caller promises that it is a C string.
    user.name = Some(unsafe { CStr::from_ptr(name) }.to_owned());
    0
}

/// Undoes [`pci_request_region`]: `pci_release_region()`.
///
/// # Safety
///
/// `dev` is valid.
pub unsafe fn pci_release_region(dev: *mut pci_dev, bar: c_int) {
    // SAFETY: The caller promises that it is valid.
    let dev = unsafe { &*dev };

    if dev.bar(bar).is_some() {
        // CAST: `bar()` has found one.
        dev.users()[bar as usize].name = None;
    }
}

/// Maps a BAR, all of it if `maxlen` is 0: `pci_iomap()`. Null if there is none, or without memory.
///
/// # Safety
///
/// `dev` is valid.
pub unsafe fn pci_iomap(dev: *mut pci_dev, bar: c_int, _maxlen: c_ulong) -> *mut c_void {
    // SAFETY: The caller promises that it is valid.
    let dev = unsafe { &*dev };

    let Some(memory) = dev.bar(bar) else {
        return ptr::null_mut();
    };
    if may_not_allocate(GFP_KERNEL) {
        return ptr::null_mut();
    }
    // CAST: `bar()` has found one.
    dev.users()[bar as usize].mappings += 1;
    memory.as_ptr().cast_mut().cast()
}

/// Ends a mapping: `pci_iounmap()`. An address that is not mapped is a loud failure.
///
/// # Safety
///
/// `dev` is valid, and nobody uses the mapping any more.
#[track_caller]
pub unsafe fn pci_iounmap(dev: *mut pci_dev, addr: *mut c_void) {
    // SAFETY: The caller promises that it is valid.
    let dev = unsafe { &*dev };

    let bar = dev
        .bars
        .iter()
        .position(|memory| !memory.is_empty() && memory.as_ptr().addr() == addr.addr());
    let mut users = dev.users();
    match bar.map(|bar| &mut users[bar].mappings) {
        Some(mappings) if *mappings != 0 => *mappings -= 1,
        _ => {
            drop(users);
            super::warn(format!("WARN: iounmap() of {addr:p}, which is not mapped"));
        }
    }
}

/// Lets a device decode memory: `pci_enable_device_mem()`. Returns 0.
///
/// # Safety
///
/// `dev` is valid.
pub unsafe fn pci_enable_device_mem(dev: *mut pci_dev) -> c_int {
    // SAFETY: The caller promises that it is valid.
    unsafe { &*dev }.enabled.store(true, Ordering::Relaxed);
    0
}

/// Lets a device access memory: `pci_set_master()`.
///
/// # Safety
///
/// `dev` is valid.
pub unsafe fn pci_set_master(dev: *mut pci_dev) {
    // SAFETY: The caller promises that it is valid.
    unsafe { &*dev }.is_busmaster.store(true, Ordering::Relaxed);
}
