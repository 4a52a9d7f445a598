// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The pages of memory that is contiguous for the CPU only: `vmalloc_to_page()` of `mm/vmalloc.c`.
//!
//! Any memory will do, as nothing says of an address how it was allocated. Each page has a physical
//! address that no other page is next to, so that a scatter-gather table has an entry for each.

use super::{page, PAGE_SIZE};
use core::ffi::c_void;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// The pages by address. They stay, as those of `mem_map` do: memory that is freed and allocated
/// again has the same.
struct Pages(BTreeMap<usize, *mut page>);

// SAFETY: No thread is tied to a page.
unsafe impl Send for Pages {}

/// Returns the page that is mapped at an address: `vmalloc_to_page()`.
///
/// # Safety
///
/// `addr` is an address of allocated memory.
pub unsafe fn vmalloc_to_page(addr: *const c_void) -> *mut page {
    static PAGES: Mutex<Pages> = Mutex::new(Pages(BTreeMap::new()));

    let address = addr.map_addr(|addr| addr & !(PAGE_SIZE - 1)).cast_mut();
    *PAGES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .0
        .entry(address.addr())
        .or_insert_with(|| Box::into_raw(Box::new(page::alone(address.cast()))))
}
