// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Memory that the CPU and a device see alike: `dma_alloc_attrs()` of `kernel/dma/mapping.c`.

use super::{
    device, dma_addr_t, dma_data_direction, dma_get_mask, gfp_t, may_not_allocate, phys_alloc,
    phys_free, warn, Mapping, PAGE_SIZE,
};
use core::{
    ffi::{c_ulong, c_void},
    ptr,
};
use std::alloc::{alloc_zeroed, dealloc, Layout};

/// The record of an allocation among the device's mappings.
const fn mapping(size: usize) -> Mapping {
    Mapping {
        bytes: size as u64,
        entries: 1,
        dir: dma_data_direction::DMA_BIDIRECTIONAL,
    }
}

/// Allocates `size` bytes, zeroed: `dma_alloc_attrs()`. Null without memory, for no bytes, or if
/// the device does not reach the memory.
///
/// # Safety
///
/// `dev` points to a live device, and `dma_handle` is valid for writing.
pub unsafe fn dma_alloc_attrs(
    dev: *mut device,
    size: usize,
    dma_handle: *mut dma_addr_t,
    gfp: gfp_t,
    _attrs: c_ulong,
) -> *mut c_void {
    let layout = match Layout::from_size_align(size, PAGE_SIZE) {
        Ok(layout) if size != 0 && !may_not_allocate(gfp) => layout,
        _ => return ptr::null_mut(),
    };
    // SAFETY: The caller promises a live device.
    let state = unsafe { &(*dev).dma };

    let addr = phys_alloc(size);
    // SAFETY: The caller promises a live device.
    if addr + size as u64 - 1 > unsafe { dma_get_mask(dev) } {
        phys_free(addr, size);
        return ptr::null_mut();
    }
    // SAFETY: The size is not zero.
    let memory = unsafe { alloc_zeroed(layout) };
    if memory.is_null() {
        phys_free(addr, size);
        return ptr::null_mut();
    }

    state.lock().insert(addr, mapping(size));
    // SAFETY: The caller promises that `dma_handle` is valid for writing.
    unsafe { dma_handle.write(addr) };
    memory.cast()
}

/// Undoes [`dma_alloc_attrs`]: `dma_free_attrs()`. Memory that was not allocated like this is a
/// loud failure, and stays.
///
/// # Safety
///
/// - `dev` points to a live device.
/// - `cpu_addr` comes from [`dma_alloc_attrs`] with the same size, and nobody uses it any more.
#[track_caller]
pub unsafe fn dma_free_attrs(
    dev: *mut device,
    size: usize,
    cpu_addr: *mut c_void,
    dma_handle: dma_addr_t,
    _attrs: c_ulong,
) {
    // SAFETY: The caller promises a live device.
    let state = unsafe { &(*dev).dma };

    let result = state.lock().remove(dma_handle, mapping(size));
    if let Err(what) = result {
        warn(format!(
            "DMA-API: {}: device driver {what} \
             [device address={dma_handle:#x}] [size={size} bytes]",
            super::dev_label(dev)
        ));
        return;
    }
    phys_free(dma_handle, size);
    if let Ok(layout) = Layout::from_size_align(size, PAGE_SIZE) {
        // SAFETY: It was allocated with this layout.
        unsafe { dealloc(cpu_addr.cast(), layout) };
    }
}
