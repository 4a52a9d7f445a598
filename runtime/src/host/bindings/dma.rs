// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Mapping tables for a device, as in `kernel/dma/mapping.c` and `kernel/dma/direct.c`, watched as
//! by `kernel/dma/debug.c`.
//!
//! The mapping is the direct one: a DMA address is a physical address, and one beyond the device's
//! mask cannot be mapped, since there are no bounce buffers. A ledger per device knows what is
//! mapped. Uses tables and the model's `struct device`, which holds one [`DmaState`] each.

use super::{
    device, dma_addr_t, kunit, phys_addr_t, scatterlist, sg_dma_address, sg_dma_len, sg_phys,
    sg_table, warn,
};
use crate::{
    device::Device,
    error::code,
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};
use core::{
    ffi::{c_int, c_uint, c_ulong},
    fmt, mem,
};
use std::{
    collections::BTreeMap,
    sync::{
        atomic::{AtomicU32, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
};

/// The direction of a transfer: `enum dma_data_direction` of `include/linux/dma-direction.h`.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct dma_data_direction(pub c_uint);

impl dma_data_direction {
    /// Device and CPU both read and write.
    pub const DMA_BIDIRECTIONAL: Self = Self(0);
    /// The device reads.
    pub const DMA_TO_DEVICE: Self = Self(1);
    /// The device writes.
    pub const DMA_FROM_DEVICE: Self = Self(2);
    /// Not valid for a mapping.
    pub const DMA_NONE: Self = Self(3);
}

/// The DMA mappings of one device, at one moment.
///
/// Each table counts as one mapping, however many entries it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Mappings that exist now.
    pub live: usize,
    /// Bytes that they cover.
    pub bytes: u64,
    /// Mappings ever made, failed attempts not included.
    pub mapped: u64,
    /// Mappings ever undone.
    pub unmapped: u64,
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} live DMA mappings of {} bytes ({} mapped, {} unmapped)",
            self.live, self.bytes, self.mapped, self.unmapped
        )
    }
}

/// Returns the device's DMA mappings. Never sleeps; any thread may call it.
///
/// Stands for what `DMA_API_DEBUG` keeps per device, which the kernel shows in `dma-api/dump` of
/// debugfs.
///
/// # Examples
///
/// ```
/// use kernel::testing;
///
/// let dev = testing::TestDevice::new(c"gpu0")?;
///
/// assert_eq!(testing::ledger(&dev.device()).live, 0);
/// # Ok::<(), kernel::error::Error>(())
/// ```
pub fn ledger(dev: &Device) -> Ledger {
    // SAFETY: A `Device` wraps a live `struct device`.
    let state = unsafe { &(*dev.as_raw()).dma };

    state.lock().ledger
}

/// The part of a `struct device` that belongs to DMA.
pub(crate) struct DmaState {
    inner: Mutex<Inner>,
}

pub(super) struct Inner {
    /// Whether a mapping has failed because the device does not reach the memory.
    has_overflown: bool,
    ledger: Ledger,
    /// How many mappings there are of all devices that the same KUnit test has made.
    of_test: Arc<AtomicU32>,
    /// Live mappings by DMA address; overlapping ones are legal.
    live: BTreeMap<dma_addr_t, Vec<Mapping>>,
}

/// One table that is mapped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) bytes: u64,
    pub(super) entries: c_uint,
    pub(super) dir: dma_data_direction,
}

impl DmaState {
    /// A device that has mapped nothing.
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                has_overflown: false,
                ledger: Ledger::default(),
                of_test: kunit::mappings(),
                live: BTreeMap::new(),
            }),
        }
    }

    // Nothing panics while it is locked.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub(super) fn insert(&mut self, addr: dma_addr_t, mapping: Mapping) {
        self.live.entry(addr).or_default().push(mapping);
        self.ledger.live += 1;
        self.of_test.fetch_add(1, Ordering::Relaxed);
        self.ledger.mapped += 1;
        self.ledger.bytes += mapping.bytes;
    }

    /// Takes a mapping off the books; otherwise says what is wrong with it.
    pub(super) fn remove(
        &mut self,
        addr: dma_addr_t,
        mapping: Mapping,
    ) -> Result<(), &'static str> {
        let Some(at_addr) = self.live.get_mut(&addr) else {
            return Err("tries to free DMA memory it has not allocated");
        };
        let Some(index) = at_addr.iter().rposition(|&live| live == mapping) else {
            let size = at_addr.iter().any(|live| live.bytes == mapping.bytes);
            return Err(match size {
                false => "frees DMA memory with different size",
                true => "frees DMA memory with different direction or entry count",
            });
        };

        at_addr.swap_remove(index);
        if at_addr.is_empty() {
            self.live.remove(&addr);
        }
        self.ledger.live -= 1;
        self.of_test.fetch_sub(1, Ordering::Relaxed);
        self.ledger.unmapped += 1;
        self.ledger.bytes -= mapping.bytes;
        Ok(())
    }
}

/// The name of a device, for reports: `dev_name()`.
///
/// `dev` is null or points to a live device.
pub(crate) fn dev_label(dev: *const device) -> String {
    if dev.is_null() {
        return "no device".into();
    }

    // SAFETY: Alive, as callers in this model pass devices only that they or an object they use
    // have a reference to.
    let dev: &Device = unsafe { Device::from_raw(dev.cast_mut()) };
    dev.name().to_string_lossy().into_owned()
}

/// Sets how far a device reaches: `dma_set_mask()`. `mask` has a one for each address bit. Returns
/// 0. Existing mappings stay.
///
/// In C the bus has set `dev->dma_mask` before. Here this function does, so that both kinds of
/// memory have one mask.
///
/// # Safety
///
/// `dev` points to a live device.
pub unsafe fn dma_set_mask(dev: *mut device, mask: u64) -> c_int {
    // SAFETY: `dev` points to a live device.
    let coherent = unsafe { &raw mut (*dev).coherent_dma_mask };
    // SAFETY: `dev` points to a live device.
    let streaming = unsafe { &raw mut (*dev).dma_mask };

    // SAFETY: `coherent` is a field of a live device, which the model accesses atomically.
    unsafe { Atomic::from_ptr(coherent) }.store(mask, Relaxed);
    // SAFETY: `streaming` is a field of a live device, which the model accesses atomically.
    unsafe { Atomic::from_ptr(streaming) }.store(coherent, Release);
    0
}

/// Returns how far a device reaches: `dma_get_mask()`. A device without a mask reaches all memory,
/// where C assumes 32 bits.
///
/// # Safety
///
/// `dev` points to a live device.
pub(super) unsafe fn dma_get_mask(dev: *mut device) -> u64 {
    // SAFETY: `dev` points to a live device.
    let streaming = unsafe { &raw mut (*dev).dma_mask };
    // SAFETY: `streaming` is a field of a live device, which the model accesses atomically.
    let mask = unsafe { Atomic::from_ptr(streaming) }.load(Acquire);

    if mask.is_null() {
        return u64::MAX;
    }
    // SAFETY: The mask is a field of the device or of the structure that contains the device.
    unsafe { Atomic::from_ptr(mask) }.load(Relaxed)
}

/// The largest mapping a device can have, in bytes: `dma_max_mapping_size()`. There is no limit
/// here.
///
/// # Safety
///
/// `dev` points to a live device.
pub unsafe fn dma_max_mapping_size(_dev: *mut device) -> usize {
    usize::MAX
}

/// `entries` of the table from `sgl` on, one after the other.
///
/// # Safety
///
/// The table has that many entries and is alive while the iterator is used.
unsafe fn for_each_sg(
    sgl: *mut scatterlist,
    entries: c_uint,
) -> impl Iterator<Item = *mut scatterlist> {
    // Tables are single arrays in this model.
    (0..entries as usize).map(move |i| sgl.wrapping_add(i))
}

/// Maps all of a table for a device: `dma_map_sgtable()`.
///
/// Returns 0, or `-EIO` when the device does not reach some of the memory; nothing is mapped then.
/// The first such failure of each device is a loud failure, too. C warns of the first one of all
/// devices.
///
/// # Safety
///
/// - `dev` points to a live device.
/// - `sgt` is a valid table of valid pages, and nobody else uses it during the call.
pub unsafe fn dma_map_sgtable(
    dev: *mut device,
    sgt: *mut sg_table,
    dir: dma_data_direction,
    _attrs: c_ulong,
) -> c_int {
    assert_valid_direction(dir);
    // SAFETY: The caller promises a valid table that nobody else uses.
    let table = unsafe { &mut *sgt };
    // SAFETY: The caller promises a live device.
    let state = unsafe { &(*dev).dma };

    if table.orig_nents == 0 {
        warn(format!(
            "DMA-API: {}: device driver maps an empty table",
            dev_label(dev)
        ));
        return code::EIO.to_errno();
    }

    // SAFETY: `dev` points to a live device.
    let mask = unsafe { dma_get_mask(dev) };
    let mut mapping = Mapping {
        bytes: 0,
        entries: table.orig_nents,
        dir,
    };
    // SAFETY: `orig_nents` is the length of the table.
    for sg in unsafe { for_each_sg(table.sgl, table.orig_nents) } {
        // SAFETY: An entry of the table, whose pages are valid.
        let phys: phys_addr_t = unsafe { sg_phys(sg) };
        // SAFETY: `sg` is an entry of the table, which nobody else uses.
        let entry = unsafe { &mut *sg };

        if phys + u64::from(entry.length) - 1 > mask {
            // `dma_capable()` refuses this entry. Entries before it keep an address that means
            // nothing.
            if !mem::replace(&mut state.lock().has_overflown, true) {
                warn(format!(
                    "{}: DMA addr {phys:#018x}+{} overflow (mask {mask:x}, bus limit 0).",
                    dev_label(dev),
                    entry.length,
                ));
            }
            return code::EIO.to_errno();
        }
        entry.dma_address = phys;
        entry.dma_length = entry.length;
        mapping.bytes += u64::from(entry.length);
    }

    // SAFETY: There is a first entry.
    let addr = unsafe { sg_dma_address(table.sgl) };
    state.lock().insert(addr, mapping);
    table.nents = table.orig_nents;
    0
}

/// Undoes [`dma_map_sgtable`] with the same arguments: `dma_unmap_sgtable()`.
///
/// A table that is not mapped, or not like this, is a loud failure, as with `DMA_API_DEBUG`.
///
/// # Safety
///
/// - `dev` points to a live device.
/// - `sgt` is a valid table, and nobody else uses it during the call.
pub unsafe fn dma_unmap_sgtable(
    dev: *mut device,
    sgt: *mut sg_table,
    dir: dma_data_direction,
    _attrs: c_ulong,
) {
    assert_valid_direction(dir);
    // SAFETY: The caller promises a valid table that nobody else uses.
    let table = unsafe { &*sgt };
    // SAFETY: The caller promises a live device.
    let state = unsafe { &(*dev).dma };

    let mut mapping = Mapping {
        bytes: 0,
        entries: table.orig_nents,
        dir,
    };
    // SAFETY: `orig_nents` is the length of the table.
    for sg in unsafe { for_each_sg(table.sgl, table.orig_nents) } {
        // SAFETY: An entry of the table.
        mapping.bytes += u64::from(unsafe { sg_dma_len(sg) });
    }
    let addr = match table.orig_nents {
        0 => 0,
        // SAFETY: There is a first entry.
        _ => unsafe { sg_dma_address(table.sgl) },
    };

    // The lock is not held while the report is made.
    let result = state.lock().remove(addr, mapping);
    if let Err(what) = result {
        warn(format!(
            "DMA-API: {}: device driver {what} [device address={addr:#x}] [size={} bytes]",
            dev_label(dev),
            mapping.bytes,
        ));
    }
}

/// The check of `DMA_API_DEBUG` after a driver was unbound: mappings left behind are a loud
/// failure.
#[track_caller]
pub(crate) fn dma_check_unbind(dev: &device) {
    let ledger = dev.dma.lock().ledger;

    if ledger.live != 0 {
        warn(format!(
            "DMA-API: {}: device driver has pending DMA allocations while released from device: \
             {ledger}",
            dev_label(dev),
        ));
    }
}

/// The `BUG_ON(!valid_dma_direction())` of the C functions.
#[track_caller]
fn assert_valid_direction(dir: dma_data_direction) {
    assert!(
        dir.0 < dma_data_direction::DMA_NONE.0,
        "BUG: {} is not a valid DMA direction",
        dir.0
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bindings::{
            collect_warnings, file, sg_alloc_table_from_pages_segment, sg_free_table, GFP_KERNEL,
            PAGE_SIZE,
        },
        testing::TestDevice,
    };

    const BOTH: dma_data_direction = dma_data_direction::DMA_BIDIRECTIONAL;

    /// Runs `f` with a device and a table of `npages` pages.
    fn with_table(npages: usize, f: impl FnOnce(*mut device, *mut sg_table)) {
        let dev = TestDevice::new(c"gpu0").unwrap();
        let dev = dev.device();
        let file = file::new(npages * PAGE_SIZE);
        // SAFETY: `file` is alive.
        let pages = unsafe { file::read_pages(file) }.unwrap();
        let mut sgt = sg_table::new();
        // SAFETY: There are `npages` pages, which outlive the table.
        let ret = unsafe {
            sg_alloc_table_from_pages_segment(
                &mut sgt,
                pages,
                npages as c_uint,
                0,
                (npages * PAGE_SIZE) as c_ulong,
                c_uint::MAX,
                GFP_KERNEL,
            )
        };
        assert_eq!(ret, 0);

        f(dev.as_raw(), &mut sgt);

        // SAFETY: The table is not used again, nor are the pages.
        unsafe { sg_free_table(&mut sgt) };
        // SAFETY: The list comes from `file`, and the table that named its pages was freed.
        unsafe { file::put_pages(file, pages, false) };
        // SAFETY: `file` comes from `file::new()`, and is not used again.
        unsafe { file::put(file) };
    }

    fn map(dev: *mut device, sgt: *mut sg_table) -> c_int {
        // SAFETY: `with_table()` keeps both alive.
        unsafe { dma_map_sgtable(dev, sgt, BOTH, 0) }
    }

    fn unmap(dev: *mut device, sgt: *mut sg_table, dir: dma_data_direction) {
        // SAFETY: `with_table()` keeps both alive.
        unsafe { dma_unmap_sgtable(dev, sgt, dir, 0) };
    }

    fn state<'a>(dev: *mut device) -> &'a device {
        // SAFETY: `with_table()` keeps it alive.
        unsafe { &*dev }
    }

    #[test]
    fn overlapping_mappings_are_counted_each() {
        with_table(5, |dev, sgt| {
            assert_eq!(map(dev, sgt), 0);
            assert_eq!(map(dev, sgt), 0);
            let ledger = state(dev).dma.lock().ledger;
            assert_eq!(
                ledger.to_string(),
                "2 live DMA mappings of 40960 bytes (2 mapped, 0 unmapped)"
            );

            unmap(dev, sgt, BOTH);
            unmap(dev, sgt, BOTH);
            dma_check_unbind(state(dev));
            assert!(state(dev).dma.lock().live.is_empty());
        });
    }

    #[test]
    fn unmapping_what_is_not_mapped_is_loud() {
        with_table(1, |dev, sgt| {
            let ((), warnings) = collect_warnings(|| unmap(dev, sgt, BOTH));
            assert!(warnings[0]
                .starts_with("DMA-API: gpu0: device driver tries to free DMA memory it has not"));

            assert_eq!(map(dev, sgt), 0);
            let to_device = dma_data_direction::DMA_TO_DEVICE;
            let ((), warnings) = collect_warnings(|| unmap(dev, sgt, to_device));
            assert!(warnings[0].contains("frees DMA memory with different direction"));

            unmap(dev, sgt, BOTH);
            let ((), warnings) = collect_warnings(|| unmap(dev, sgt, BOTH));
            assert_eq!(warnings.len(), 1);
            assert_eq!(state(dev).dma.lock().ledger.unmapped, 1);
        });
    }

    #[test]
    fn a_mapping_left_at_unbind_is_loud() {
        with_table(1, |dev, sgt| {
            assert_eq!(map(dev, sgt), 0);
            let ((), warnings) = collect_warnings(|| dma_check_unbind(state(dev)));
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].contains("gpu0: device driver has pending DMA allocations"));

            unmap(dev, sgt, BOTH);
            dma_check_unbind(state(dev));
        });
    }

    #[test]
    fn a_device_reaches_as_far_as_its_mask() {
        with_table(1, |dev, sgt| {
            // SAFETY: The table is alive.
            let sgl = unsafe { (*sgt).sgl };
            // SAFETY: It has an entry.
            let last = unsafe { sg_phys(sgl) } + PAGE_SIZE as u64 - 1;
            // SAFETY: `with_table()` keeps the device alive.
            let set_mask = |mask| unsafe { dma_set_mask(dev, mask) };
            set_mask(last - 1);
            let (ret, warnings) = collect_warnings(|| map(dev, sgt));
            assert_eq!(ret, code::EIO.to_errno());
            let first = last + 1 - PAGE_SIZE as u64;
            let mask = last - 1;
            assert_eq!(
                warnings,
                [format!(
                    "gpu0: DMA addr {first:#018x}+4096 overflow (mask {mask:x}, bus limit 0)."
                )]
            );
            // The second time is silent.
            assert_eq!(map(dev, sgt), code::EIO.to_errno());
            set_mask(last);
            assert_eq!(map(dev, sgt), 0);
            unmap(dev, sgt, BOTH);
            assert_eq!(state(dev).dma.lock().ledger.mapped, 1);
        });
    }

    #[test]
    fn an_empty_table_is_loud() {
        with_table(1, |dev, _| {
            let mut empty = sg_table::new();
            let (ret, warnings) = collect_warnings(|| map(dev, &mut empty));
            assert_eq!(ret, code::EIO.to_errno());
            assert_eq!(warnings.len(), 1);
        });
    }

    #[test]
    #[should_panic(expected = "3 is not a valid DMA direction")]
    fn a_bad_direction_is_loud() {
        with_table(1, |dev, sgt| unmap(dev, sgt, dma_data_direction::DMA_NONE));
    }
}
