// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Memory: `struct page`, the file behind a shmem object, `kmalloc()` and `vmap()`.
//!
//! Stands for the little that the shmem helper needs of `include/linux/mm_types.h`, `mm/shmem.c`,
//! `mm/slab_common.c` and `mm/vmalloc.c`. Uses `fault`.
//!
//! # Physical addresses
//!
//! The pages of one file are one block of real host memory, which makes a virtual mapping of them
//! free. The addresses that a device sees are made up. Physical memory starts at 1 GiB, and is
//! handed out in runs of [`PAGES_PER_RUN`] pages with a hole after each. A file of `n` pages thus
//! gives a scatter-gather table of `n / PAGES_PER_RUN` entries, rounded up. DMA addresses equal
//! physical ones. A device that reaches 16 MiB only (24 bits) can map none of them, a 32-bit device
//! all of the first 1.5 GiB.

use super::refcount_t;
use crate::{error::code, fault};
use core::{
    ffi::{c_int, c_longlong, c_uint, c_void},
    ptr,
};
use std::{
    alloc::{alloc_zeroed, dealloc, Layout},
    sync::{Arc, Mutex, PoisonError},
};

/// Base-2 logarithm of [`PAGE_SIZE`].
pub const PAGE_SHIFT: usize = 12;

/// Bytes in a page.
pub const PAGE_SIZE: usize = 1 << PAGE_SHIFT;

/// How many pages of a file have consecutive physical addresses.
pub const PAGES_PER_RUN: usize = 4;

/// Allocation flags: `gfp_t` of `include/linux/types.h`.
pub type gfp_t = c_uint;

/// The bit that lets an allocation sleep: `__GFP_DIRECT_RECLAIM`.
pub const __GFP_DIRECT_RECLAIM: gfp_t = 0x400;

/// An ordinary allocation, which may sleep: `GFP_KERNEL`.
pub const GFP_KERNEL: gfp_t = 0xcc0;

/// A physical address: `phys_addr_t`.
pub type phys_addr_t = u64;

/// The first byte of physical memory.
const PHYS_BASE: phys_addr_t = 1 << 30;

/// From the start of one run to that of the next, in bytes: the run and a hole of the same size.
const RUN_STRIDE: phys_addr_t = (2 * PAGES_PER_RUN * PAGE_SIZE) as phys_addr_t;

/// One page of a file: `struct page`.
pub struct page {
    /// Users of the page: one for the file that it is part of, one for each page table that lists
    /// it.
    pub _refcount: refcount_t,
    phys: phys_addr_t,
    address: *mut u8,
}

impl page {
    /// A page at `address` that no other page is next to, for good.
    pub(super) fn alone(address: *mut u8) -> Self {
        Self {
            _refcount: refcount_t::new(1),
            phys: physical_memory().take(1)[0],
            address,
        }
    }
}

/// The physical address of a page: `page_to_phys()`.
///
/// # Safety
///
/// `page` points to a valid page.
pub unsafe fn page_to_phys(page: *const page) -> phys_addr_t {
    // SAFETY: Valid by the requirement of this function.
    unsafe { (*page).phys }
}

/// Where the kernel sees the contents of a page: `page_address()`.
///
/// # Safety
///
/// `page` points to a valid page.
pub unsafe fn page_address(page: *const page) -> *mut c_void {
    // SAFETY: Valid by the requirement of this function.
    unsafe { (*page).address }.cast()
}

/// The number of users of a page: `page_ref_count()`.
///
/// # Safety
///
/// `page` points to a valid page.
pub unsafe fn page_ref_count(page: *const page) -> i32 {
    // SAFETY: Valid by the requirement of this function.
    unsafe { &(*page)._refcount }.read()
}

/// An offset in a file, or the size of one: `loff_t`.
pub type loff_t = c_longlong;

/// The part of `struct inode` that the model keeps.
pub struct inode {
    /// The size of the file in bytes. Pages beyond it cannot be read. Not to be written to while
    /// another thread uses the file.
    pub i_size: loff_t,
}

/// The file that holds the contents of a shmem object: what the model keeps of `struct file`.
///
/// Its pages are made, zeroed, when they are first asked for. They and their contents stay while
/// anybody uses a page. Then the contents stay if the pages were put as dirty ones. Clean pages are
/// reclaimed at once, which is the worst that the kernel may do.
///
/// # Invariants
///
/// `f_inode` comes from a box, which this struct owns.
pub struct file {
    /// Its inode.
    pub f_inode: *mut inode,
    npages: usize,
    pages: Mutex<Option<Pages>>,
}

// SAFETY: `f_inode` and the pointers in `Pages` are to memory that the file owns and that no thread
// is tied to.
unsafe impl Send for file {}
// SAFETY: `pages` is only reached through its mutex, `f_inode` and `npages` never change, and
// `i_size` is not written to while another thread uses the file.
unsafe impl Sync for file {}

impl Drop for file {
    fn drop(&mut self) {
        // SAFETY: By the type's invariants it comes from a box, which is not used any more.
        drop(unsafe { Box::from_raw(self.f_inode) });
    }
}

impl file {
    /// A file of `size` bytes, a multiple of [`PAGE_SIZE`]: `shmem_file_setup()`. Null without
    /// memory.
    pub(crate) fn new(size: usize) -> *const Self {
        if may_not_allocate(GFP_KERNEL) {
            return ptr::null();
        }

        let inode = inode {
            // Allocations are smaller than `isize::MAX` bytes.
            i_size: size as loff_t,
        };
        // INVARIANT: The inode comes from a box.
        Arc::into_raw(Arc::new(Self {
            f_inode: Box::into_raw(Box::new(inode)),
            npages: size >> PAGE_SHIFT,
            pages: Mutex::new(None),
        }))
    }

    /// Lists all pages, one use of each and one of the file added: `shmem_read_mapping_page()` for
    /// each.
    ///
    /// Fails with `-ENOMEM`, or with `-EINVAL` if the file has become smaller.
    ///
    /// # Safety
    ///
    /// `this` comes from [`file::new`] and has not been put.
    pub(crate) unsafe fn read_pages(this: *const Self) -> Result<*mut *mut page, c_int> {
        let enomem = code::ENOMEM.to_errno();

        // SAFETY: The caller keeps its reference during the call.
        let file = unsafe { &*this };
        let mut guard = file.pages.lock().unwrap_or_else(PoisonError::into_inner);

        // First the array, then those pages that nobody has asked for yet.
        if may_not_allocate(GFP_KERNEL) {
            return Err(enomem);
        }
        let pages = match &*guard {
            Some(pages) => pages,
            None => guard.insert(Pages::new(file.npages).ok_or(enomem)?),
        };
        // SAFETY: By the type's invariants there is an inode, and no other thread writes to it.
        let size = unsafe { (*file.f_inode).i_size };
        if size < (file.npages << PAGE_SHIFT) as loff_t {
            return Err(code::EINVAL.to_errno());
        }

        let list = pages.list();
        // SAFETY: `this` comes from `Arc::into_raw()`, and the caller's reference keeps the count
        // above zero.
        unsafe { Arc::increment_strong_count(this) };

        Ok(Box::into_raw(list).cast())
    }

    /// Undoes one [`file::read_pages`]. `is_dirty` says that somebody may have written to the pages.
    ///
    /// # Safety
    ///
    /// `list` comes from [`file::read_pages`] on `this`, and is not used after this.
    pub(crate) unsafe fn put_pages(this: *const Self, list: *mut *mut page, is_dirty: bool) {
        // SAFETY: The list came with a reference to the file.
        let file = unsafe { &*this };
        let list = ptr::slice_from_raw_parts_mut(list, file.npages);
        // SAFETY: `read_pages()` made it from a box of as many pages as the file has.
        let list = unsafe { Box::from_raw(list) };

        for &page in &list {
            // SAFETY: The pages exist as long as the file.
            unsafe { &(*page)._refcount }.dec_and_test("page of a shmem file");
        }
        let mut guard = file.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pages) = &mut *guard {
            pages.are_dirty |= is_dirty;
        }
        guard.take_if(|pages| !pages.are_dirty && !pages.are_in_use());
        drop(guard);

        // SAFETY: This is the reference that `read_pages()` took.
        unsafe { Arc::decrement_strong_count(this) };
    }

    /// Gives back the pages and what is in them, if nobody else uses one: `shmem_truncate_range()`
    /// of the whole file. Later they are there again, zeroed.
    ///
    /// # Safety
    ///
    /// `this` comes from [`file::new`] and has not been put.
    pub(crate) unsafe fn truncate(this: *const Self) {
        // SAFETY: The caller keeps its reference during the call.
        let file = unsafe { &*this };
        let mut guard = file.pages.lock().unwrap_or_else(PoisonError::into_inner);

        guard.take_if(|pages| !pages.are_in_use());
    }

    /// Puts the reference that [`file::new`] returned: `fput()`. Pages that are still listed
    /// somewhere live on.
    ///
    /// # Safety
    ///
    /// `this` comes from [`file::new`], and the caller does not use it again.
    pub(crate) unsafe fn put(this: *const Self) {
        // SAFETY: The caller gives up a reference that it owns.
        unsafe { Arc::decrement_strong_count(this) };
    }
}

/// All pages of a file.
///
/// # Invariants
///
/// - `memory` is an allocation of `layout`, unless that is of size zero.
/// - `pages` comes from a box and is owned by this struct. The pages divide `memory` up, in order.
struct Pages {
    memory: *mut u8,
    layout: Layout,
    // Not a box: lists are made of pointers into it, which a later use of a box as a whole would
    // invalidate.
    pages: *mut [page],
    runs: Vec<phys_addr_t>,
    are_dirty: bool,
}

impl Pages {
    fn new(npages: usize) -> Option<Self> {
        if may_not_allocate(GFP_KERNEL) {
            return None;
        }

        let layout = Layout::from_size_align(npages.checked_mul(PAGE_SIZE)?, PAGE_SIZE).ok()?;
        let memory = if layout.size() == 0 {
            ptr::null_mut()
        } else {
            // SAFETY: The size is not zero.
            let memory = unsafe { alloc_zeroed(layout) };
            if memory.is_null() {
                return None;
            }
            memory
        };

        let runs = physical_memory().take(npages.div_ceil(PAGES_PER_RUN));
        let pages: Box<[page]> = (0..npages)
            .map(|i| page {
                _refcount: refcount_t::new(1),
                phys: runs[i / PAGES_PER_RUN] + (i % PAGES_PER_RUN * PAGE_SIZE) as phys_addr_t,
                address: memory.wrapping_add(i * PAGE_SIZE),
            })
            .collect();

        // INVARIANT: Both allocated above, `memory` with room for `npages`.
        Some(Self {
            memory,
            layout,
            pages: Box::into_raw(pages),
            runs,
            are_dirty: false,
        })
    }

    /// Whether anybody but the file uses one of the pages.
    fn are_in_use(&self) -> bool {
        let first = self.pages.cast::<page>();

        (0..self.pages.len()).any(|i| {
            // SAFETY: By the invariant there is a page, as `i` is in bounds.
            unsafe { page_ref_count(first.wrapping_add(i)) != 1 }
        })
    }

    /// All pages, with one use more each.
    fn list(&self) -> Box<[*mut page]> {
        let first = self.pages.cast::<page>();

        (0..self.pages.len())
            .map(|i| {
                let page = first.wrapping_add(i);
                // SAFETY: By the invariant there is a page, as `i` is in bounds.
                unsafe { &(*page)._refcount }.inc("page of a shmem file");
                page
            })
            .collect()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        physical_memory().give_back(&mut self.runs);

        // SAFETY: By the invariant the pages are ours, and nobody lists one any more: each list
        // holds a reference to the file.
        drop(unsafe { Box::from_raw(self.pages) });

        if self.layout.size() != 0 {
            // SAFETY: By the invariant `memory` is an allocation of this layout. It has no users,
            // as each list holds a reference to the file.
            unsafe { dealloc(self.memory, self.layout) };
        }
    }
}

/// Which runs of physical memory are taken.
struct PhysicalMemory {
    /// Runs that were in use before.
    free: Vec<phys_addr_t>,
    /// The first run that never was.
    next: phys_addr_t,
}

impl PhysicalMemory {
    fn take(&mut self, count: usize) -> Vec<phys_addr_t> {
        let mut runs = Vec::with_capacity(count);

        runs.extend((0..count).map(|_| {
            self.free.pop().unwrap_or_else(|| {
                let run = self.next;
                self.next += RUN_STRIDE;
                run
            })
        }));
        runs
    }

    fn give_back(&mut self, runs: &mut Vec<phys_addr_t>) {
        self.free.append(runs);
    }
}

fn physical_memory() -> std::sync::MutexGuard<'static, PhysicalMemory> {
    static MEMORY: Mutex<PhysicalMemory> = Mutex::new(PhysicalMemory {
        free: Vec::new(),
        next: PHYS_BASE,
    });

    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes physical memory that is contiguous, for `size` bytes.
pub(super) fn phys_alloc(size: usize) -> phys_addr_t {
    let mut memory = physical_memory();
    let addr = memory.next;

    memory.next += (size as phys_addr_t).div_ceil(RUN_STRIDE) * RUN_STRIDE;
    addr
}

/// Gives back what [`phys_alloc`] returned for that size.
pub(super) fn phys_free(addr: phys_addr_t, size: usize) {
    let runs = (size as phys_addr_t).div_ceil(RUN_STRIDE);
    let mut runs = (0..runs).map(|run| addr + run * RUN_STRIDE).collect();

    physical_memory().give_back(&mut runs);
}

/// What every allocation of the model asks first: may this thread sleep, and should the allocation
/// fail?
#[track_caller]
pub(crate) fn may_not_allocate(gfp: gfp_t) -> bool {
    if gfp & __GFP_DIRECT_RECLAIM != 0 {
        fault::might_sleep("kmalloc");
    }
    fault::should_fail()
}

/// Moves `value` to the heap: `kmalloc_obj()`. Null without memory.
pub(crate) fn kmalloc_obj<T>(value: T, gfp: gfp_t) -> *mut T {
    if may_not_allocate(gfp) {
        return ptr::null_mut();
    }
    Box::into_raw(Box::new(value))
}

/// Drops what [`kmalloc_obj`] made: `kfree()`.
///
/// # Safety
///
/// `object` comes from [`kmalloc_obj`] and is not used after this.
pub(crate) unsafe fn kfree_obj<T>(object: *mut T) {
    // SAFETY: The caller promises that `object` comes from `kmalloc_obj()`, and is not used after
    // this.
    drop(unsafe { Box::from_raw(object) });
}

/// Makes the pages of a file appear at consecutive virtual addresses: `vmap()`. Null without
/// memory, or without pages.
///
/// # Safety
///
/// `list` comes from [`file::read_pages`], and `count` is the number of pages in it.
pub(crate) unsafe fn vmap(list: *mut *mut page, count: usize) -> *mut c_void {
    if count == 0 || may_not_allocate(GFP_KERNEL) {
        return ptr::null_mut();
    }

    // SAFETY: There is a first page, by the check above.
    let first = unsafe { *list };
    // SAFETY: Pages in a list are valid.
    unsafe { page_address(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The physical addresses and use counts of a file's pages, and the address of the first.
    fn look(list: *mut *mut page, npages: usize) -> Vec<(phys_addr_t, i32)> {
        // SAFETY: The tests pass lists of this length.
        let list = unsafe { core::slice::from_raw_parts(list, npages) };

        list.iter()
            .map(|&page| {
                // SAFETY: The list keeps its pages valid.
                let phys = unsafe { page_to_phys(page) };
                // SAFETY: The list keeps its pages valid.
                (phys, unsafe { page_ref_count(page) })
            })
            .collect()
    }

    #[test]
    fn pages_keep_their_contents_and_count_their_users() {
        const N: usize = 6;
        let file = file::new(N * PAGE_SIZE);

        // SAFETY: `file` is alive.
        let list = unsafe { file::read_pages(file) }.unwrap();
        // SAFETY: `file` is alive.
        let again = unsafe { file::read_pages(file) }.unwrap();
        let seen = look(list, N);
        assert!(seen.iter().all(|&(_, count)| count == 3));
        assert_eq!(seen[1].0, seen[0].0 + PAGE_SIZE as u64);
        // The second run is not where the first one ends.
        assert_ne!(
            seen[PAGES_PER_RUN].0,
            seen[PAGES_PER_RUN - 1].0 + PAGE_SIZE as u64
        );

        // SAFETY: `list` has `N` pages.
        let memory = unsafe { vmap(list, N) }.cast::<u8>();
        // SAFETY: The list keeps the memory, of `N` pages.
        unsafe { memory.wrapping_add(5 * PAGE_SIZE).write(42) };
        // SAFETY: `list` comes from `file`, and is not used after this.
        unsafe { file::put_pages(file, list, true) };
        // SAFETY: `again` comes from `file`, and is not used after this.
        unsafe { file::put_pages(file, again, false) };

        // SAFETY: `file` is alive.
        let list = unsafe { file::read_pages(file) }.unwrap();
        // SAFETY: It is put once; the list keeps the pages.
        unsafe { file::put(file) };
        assert_eq!(look(list, N)[0].1, 2);
        // SAFETY: The list has six pages.
        let last = unsafe { *list.wrapping_add(5) };
        // SAFETY: The list is alive.
        let address = unsafe { page_address(last) }.cast::<u8>();
        // SAFETY: Memory of a live page.
        assert_eq!(unsafe { address.read() }, 42);
        // SAFETY: The list holds the last reference.
        unsafe { file::put_pages(file, list, false) };
    }

    #[test]
    fn clean_pages_are_reclaimed() {
        let file = file::new(PAGE_SIZE);
        // Writes to the page, and puts it like this. Returns what was in it before.
        let write = |is_dirty| {
            // SAFETY: `file` is alive.
            let list = unsafe { file::read_pages(file) }.unwrap();
            // SAFETY: The list has a page.
            let page = unsafe { *list };
            // SAFETY: The list keeps the page.
            let address = unsafe { page_address(page) }.cast::<u8>();
            // SAFETY: Memory of a live page.
            let before = unsafe { address.replace(42) };
            // SAFETY: `list` comes from `file`, and is not used after this.
            unsafe { file::put_pages(file, list, is_dirty) };
            before
        };

        assert_eq!([false, true, false, false].map(write), [0, 0, 42, 42]);
        // SAFETY: `file` is not used any more.
        unsafe { file::put(file) };
    }

    #[test]
    fn a_smaller_file_has_fewer_pages() {
        const N: usize = 2;
        let file = file::new(N * PAGE_SIZE);
        // SAFETY: `file` is alive.
        let inode = unsafe { (*file).f_inode };
        let set_size = |size: usize| {
            // SAFETY: `file` is alive, and only this thread uses it.
            unsafe { (*inode).i_size = size as loff_t };
        };
        // SAFETY: `file` is alive.
        let read = || unsafe { file::read_pages(file) };

        set_size(N * PAGE_SIZE - 1);
        assert_eq!(read(), Err(code::EINVAL.to_errno()));
        set_size(N * PAGE_SIZE);
        let list = read().unwrap();
        // Nothing is left of the failure.
        assert!(look(list, N).iter().all(|&(_, count)| count == 2));

        // SAFETY: The list is alive, and put once.
        unsafe { file::put_pages(file, list, false) };
        // SAFETY: `file` is not used any more.
        unsafe { file::put(file) };
    }

    #[test]
    fn physical_memory_is_reused_and_never_shared() {
        let mut memory = PhysicalMemory {
            free: Vec::new(),
            next: PHYS_BASE,
        };

        let mut first = memory.take(3);
        let second = memory.take(1);
        assert_eq!(
            first,
            [
                PHYS_BASE,
                PHYS_BASE + RUN_STRIDE,
                PHYS_BASE + 2 * RUN_STRIDE
            ]
        );
        memory.give_back(&mut first);
        let third = memory.take(4);
        assert!(!third.contains(&second[0]));
        assert_eq!(memory.next, PHYS_BASE + 5 * RUN_STRIDE);
    }
}
