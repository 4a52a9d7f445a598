// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Scatter-gather tables, as in `include/linux/scatterlist.h` and `lib/scatterlist.c`.
//!
//! Uses the pages of the C model. A table is one array here; the kernel chains arrays of up to 128
//! entries, which [`sg_next`] hides there just as well.

use super::{gfp_t, may_not_allocate, page, page_to_phys, phys_addr_t, warn, PAGE_SIZE};
use crate::error::code;
use core::{
    ffi::{c_int, c_uint, c_ulong},
    ptr,
};
use std::sync::{Mutex, PoisonError};

/// An address as a device uses it: `dma_addr_t`.
pub type dma_addr_t = u64;

/// Low bit of a page link that marks the last entry: `SG_END`.
const SG_END: usize = 0x02;

/// One run of physically contiguous memory: `struct scatterlist`.
#[derive(Debug)]
pub struct scatterlist {
    /// The first page, with `SG_END` in the low bits of the last entry's.
    pub page_link: *mut page,
    /// Where the run starts in the first page, in bytes.
    pub offset: c_uint,
    /// Bytes in the run.
    pub length: c_uint,
    /// Where the device finds it, once mapped.
    pub dma_address: dma_addr_t,
    /// Bytes that the device finds there, once mapped.
    pub dma_length: c_uint,
}

/// Marks a table that was freed and is kept.
const QUARANTINED: c_uint = c_uint::MAX;

/// A list of such runs: `struct sg_table`.
#[derive(Debug)]
pub struct sg_table {
    /// The first entry.
    pub sgl: *mut scatterlist,
    /// Entries that are mapped for a device.
    pub nents: c_uint,
    /// Entries in all.
    pub orig_nents: c_uint,
}

impl sg_table {
    /// A table without entries.
    pub const fn new() -> Self {
        Self {
            sgl: ptr::null_mut(),
            nents: 0,
            orig_nents: 0,
        }
    }
}

impl Default for sg_table {
    fn default() -> Self {
        Self::new()
    }
}

/// The entry after `sg`, or null after the last: `sg_next()`.
///
/// # Safety
///
/// `sg` is an entry of a live table.
pub unsafe fn sg_next(sg: *mut scatterlist) -> *mut scatterlist {
    // SAFETY: The caller promises that `sg` is an entry of a live table.
    let link = unsafe { (*sg).page_link };

    if link.addr() & SG_END != 0 {
        ptr::null_mut()
    } else {
        sg.wrapping_add(1)
    }
}

/// The first page of an entry: `sg_page()`.
///
/// # Safety
///
/// `sg` is an entry of a live table.
pub unsafe fn sg_page(sg: *mut scatterlist) -> *mut page {
    // SAFETY: The caller promises that `sg` is an entry of a live table.
    unsafe { (*sg).page_link }.map_addr(|addr| addr & !SG_END)
}

/// The physical address of an entry: `sg_phys()`.
///
/// # Safety
///
/// `sg` is an entry of a live table, and its pages are valid.
pub unsafe fn sg_phys(sg: *mut scatterlist) -> phys_addr_t {
    // SAFETY: An entry, by the requirement of this function.
    let page = unsafe { sg_page(sg) };
    // SAFETY: The caller promises that `sg` is an entry of a live table.
    let offset = unsafe { (*sg).offset };
    // SAFETY: The pages are valid, by the requirement of this function.
    let phys = unsafe { page_to_phys(page) };

    phys + phys_addr_t::from(offset)
}

/// Where the device finds an entry of a mapped table: `sg_dma_address()`.
///
/// # Safety
///
/// `sg` is an entry of a live table.
#[inline]
pub unsafe fn sg_dma_address(sg: *mut scatterlist) -> dma_addr_t {
    // SAFETY: The caller promises that `sg` is an entry of a live table.
    unsafe { (*sg).dma_address }
}

/// How much the device finds there, in bytes: `sg_dma_len()`.
///
/// # Safety
///
/// `sg` is an entry of a live table.
#[inline]
pub unsafe fn sg_dma_len(sg: *mut scatterlist) -> c_uint {
    // SAFETY: The caller promises that `sg` is an entry of a live table.
    unsafe { (*sg).dma_length }
}

/// Makes a table of `size` bytes that start `offset` bytes into the first of `n_pages` pages:
/// `sg_alloc_table_from_pages_segment()` of `lib/scatterlist.c`.
///
/// Pages that follow each other in physical memory share an entry of up to `max_segment` bytes.
/// Returns 0, or `-EINVAL` for a `max_segment` of less than a page, or `-ENOMEM`; `sgt` is only
/// written on success.
///
/// A call without pages is a loud failure: the kernel follows a bad pointer.
///
/// # Safety
///
/// - `sgt` is valid for writing.
/// - `pages` points to `n_pages` pointers to valid pages, which outlive the table.
pub unsafe fn sg_alloc_table_from_pages_segment(
    sgt: *mut sg_table,
    pages: *mut *mut page,
    n_pages: c_uint,
    offset: c_uint,
    size: c_ulong,
    max_segment: c_uint,
    gfp_mask: gfp_t,
) -> c_int {
    let max_pages = max_segment as usize / PAGE_SIZE;

    if max_pages == 0 {
        warn("sg_alloc_table_from_pages_segment(): `max_segment` is less than a page");
        return code::EINVAL.to_errno();
    }
    if n_pages == 0 {
        warn("sg_alloc_table_from_pages_segment(): a table without pages");
        return code::EINVAL.to_errno();
    }
    if may_not_allocate(gfp_mask) {
        return code::ENOMEM.to_errno();
    }

    // SAFETY: By the requirement of this function; there is at least one.
    let pages = unsafe { core::slice::from_raw_parts(pages, n_pages as usize) };
    // SAFETY: All of them are valid.
    let phys = |i: usize| unsafe { page_to_phys(pages[i]) };

    let mut entries = Vec::new();
    let mut left = size as usize;
    let mut skip = offset;
    let mut first = 0;
    while first < pages.len() {
        let mut end = first + 1;
        while end < pages.len()
            && end - first < max_pages
            && phys(end) == phys(end - 1) + PAGE_SIZE as phys_addr_t
        {
            end += 1;
        }

        let run = (end - first) * PAGE_SIZE - skip as usize;
        let length = run.min(left);
        entries.push(scatterlist {
            page_link: pages[first],
            offset: skip,
            // At most `max_segment`, which is of this type.
            length: length as c_uint,
            dma_address: 0,
            dma_length: 0,
        });
        left -= length;
        skip = 0;
        first = end;
    }

    if let Some(last) = entries.last_mut() {
        last.page_link = last.page_link.map_addr(|addr| addr | SG_END);
    }
    // At most one entry for each page.
    let nents = entries.len() as c_uint;
    let table = sg_table {
        sgl: Box::into_raw(entries.into_boxed_slice()).cast(),
        nents,
        orig_nents: nents,
    };

    // SAFETY: The caller promises that `sgt` is valid for writing.
    unsafe { sgt.write(table) };
    0
}

/// Frees the entries of a table and leaves it empty: `sg_free_table()`.
///
/// # Safety
///
/// `sgt` is valid, nobody uses its entries any more, and they come from
/// [`sg_alloc_table_from_pages_segment`].
pub unsafe fn sg_free_table(sgt: *mut sg_table) {
    // SAFETY: By the requirement of this function. Taken out, so that a second call finds nothing.
    let table = unsafe { sgt.replace(sg_table::new()) };

    if !table.sgl.is_null() {
        let entries = ptr::slice_from_raw_parts_mut(table.sgl, table.orig_nents as usize);
        // SAFETY: Allocated as a box of that many entries.
        drop(unsafe { Box::from_raw(entries) });
    }
}

/// Marks a table as freed, and keeps it and its entries for good. For a table that other code may
/// still have a reference to: using it is then reported.
///
/// # Safety
///
/// `sgt` points to a valid table, and is not freed otherwise.
pub(crate) unsafe fn sg_quarantine_table(sgt: *mut sg_table) {
    /// Pointers to memory that stays allocated, where leak checkers find them.
    struct Freed(#[allow(dead_code, reason = "kept for leak checkers only")] *mut sg_table);

    // SAFETY: The pointer is never followed.
    unsafe impl Send for Freed {}

    static FREED: Mutex<Vec<Freed>> = Mutex::new(Vec::new());

    // SAFETY: The caller promises that `sgt` is a valid table.
    unsafe { (*sgt).nents = 0 };
    // SAFETY: The caller promises that `sgt` is a valid table.
    unsafe { (*sgt).orig_nents = QUARANTINED };
    FREED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Freed(sgt));
}

/// Reports a table that was freed while there was a reference to it.
///
/// # Safety
///
/// `sgt` points to a table, freed by [`sg_quarantine_table`] or not.
#[inline]
#[track_caller]
pub(crate) unsafe fn sg_check_table(sgt: *const sg_table, who: &str) {
    // SAFETY: The caller promises that `sgt` points to a table, freed or not.
    if unsafe { (*sgt).orig_nents } == QUARANTINED {
        use_after_free(sgt, who);
    }
}

/// The report of [`sg_check_table()`].
#[cold]
#[inline(never)]
#[track_caller]
fn use_after_free(sgt: *const sg_table, who: &str) {
    warn(format!(
        "BUG: use after free in {who}(): table {sgt:p} was freed by C code"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::{collect_warnings, file, GFP_KERNEL, PAGES_PER_RUN};

    /// `(length, offset)` of each entry of a table over a file of `npages`, or what the allocation
    /// returned.
    fn entries(
        npages: usize,
        offset: c_uint,
        size: usize,
        max_segment: c_uint,
    ) -> Result<Vec<(c_uint, c_uint)>, c_int> {
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
                offset,
                size as c_ulong,
                max_segment,
                GFP_KERNEL,
            )
        };

        let mut found = Vec::new();
        let mut sg = sgt.sgl;
        while !sg.is_null() {
            // SAFETY: `sg` is an entry of the table.
            let entry = unsafe { &*sg };
            found.push((entry.length, entry.offset));
            // SAFETY: `sg` is an entry of the table.
            sg = unsafe { sg_next(sg) };
        }
        assert_eq!(found.len(), sgt.orig_nents as usize);

        // SAFETY: The table is not used again, nor are the pages.
        unsafe { sg_free_table(&mut sgt) };
        // SAFETY: The list comes from `file`, and the table that named its pages was freed.
        unsafe { file::put_pages(file, pages, false) };
        // SAFETY: `file` comes from `file::new()`, and is not used again.
        unsafe { file::put(file) };

        if ret == 0 {
            Ok(found)
        } else {
            Err(ret)
        }
    }

    const PAGE: c_uint = PAGE_SIZE as c_uint;
    const RUN: c_uint = PAGE * PAGES_PER_RUN as c_uint;

    #[test]
    fn one_entry_for_each_run() {
        assert_eq!(entries(1, 0, PAGE_SIZE, c_uint::MAX), Ok(vec![(PAGE, 0)]));
        assert_eq!(
            entries(10, 0, 10 * PAGE_SIZE, c_uint::MAX),
            Ok(vec![(RUN, 0), (RUN, 0), (2 * PAGE, 0)])
        );
    }

    #[test]
    fn offset_size_and_segment_limit_are_kept() {
        assert_eq!(
            entries(5, 100, 4 * PAGE_SIZE, c_uint::MAX),
            Ok(vec![(RUN - 100, 100), (100, 0)])
        );
        // Rounded down to two pages.
        assert_eq!(
            entries(4, 0, 4 * PAGE_SIZE, 3 * PAGE - 1),
            Ok(vec![(2 * PAGE, 0), (2 * PAGE, 0)])
        );
    }

    #[test]
    fn bad_arguments_are_loud() {
        let (result, warnings) = collect_warnings(|| entries(0, 0, 0, c_uint::MAX));
        assert_eq!(result, Err(-22));
        assert_eq!(warnings.len(), 1);

        let (result, warnings) = collect_warnings(|| entries(1, 0, PAGE_SIZE, PAGE - 1));
        assert_eq!(result, Err(-22));
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn freeing_twice_does_nothing() {
        let mut sgt = sg_table::new();
        // SAFETY: An empty table.
        unsafe { sg_free_table(&mut sgt) };
    }
}
