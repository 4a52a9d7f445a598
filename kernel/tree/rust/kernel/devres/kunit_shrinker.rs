// SPDX-License-Identifier: GPL-2.0

//! A shrinker for the KUnit suites of device-bound resources, and allocations until memory runs
//! short.
//!
//! The suites also run on the host, which has its own version of this file.
//!
//! C header: [`include/linux/shrinker.h`](srctree/include/linux/shrinker.h)

use crate::{
    bindings,
    ffi::c_ulong,
    prelude::*,
    sync::Arc, //
};
use core::{
    mem,
    num::NonZero,
    ptr::{
        self,
        NonNull, //
    },
};

/// An object that can give memory back when it runs short.
pub(crate) trait Shrink: Send + Sync + 'static {
    /// Returns the number of objects that may be freed.
    fn count(&self) -> usize;

    /// Frees objects, and returns their number.
    fn scan(&self) -> usize;
}

/// A registered shrinker. Dropping this waits until the shrinker does not run any more.
pub(crate) struct Shrinker<T: Shrink> {
    shrinker: NonNull<bindings::shrinker>,
    /// The object that the shrinker points to.
    _of: Arc<T>,
}

impl<T: Shrink> Shrinker<T> {
    /// Registers a shrinker, which the kernel calls whenever it reclaims memory.
    pub(crate) fn register(of: Arc<T>) -> Result<Self> {
        // SAFETY: The name is a format without directives.
        let shrinker = unsafe { bindings::shrinker_alloc(0, c"lazy-kunit".as_char_ptr()) };
        let mut shrinker = NonNull::new(shrinker).ok_or(ENOMEM)?;

        // SAFETY: The shrinker was allocated above, and no other code knows it yet.
        let fields = unsafe { shrinker.as_mut() };
        fields.count_objects = Some(Self::count);
        fields.scan_objects = Some(Self::scan);
        // There is little to free. With these values, reclaim asks for all of it at once.
        fields.seeks = 0;
        fields.batch = 1;
        fields.private_data = Arc::as_ptr(&of).cast_mut().cast();

        // SAFETY: The shrinker's callbacks and values are set.
        unsafe { bindings::shrinker_register(shrinker.as_ptr()) };

        Ok(Self { shrinker, _of: of })
    }

    /// Returns the object that a shrinker was registered for.
    ///
    /// # Safety
    ///
    /// `shrinker` was made by [`register()`](Self::register), and is not freed during `'a`.
    unsafe fn of<'a>(shrinker: *mut bindings::shrinker) -> &'a T {
        // SAFETY: The caller guarantees that `shrinker` is valid.
        let of = unsafe { (*shrinker).private_data };

        // SAFETY: `private_data` points into an `Arc` that is dropped after the shrinker.
        unsafe { &*of.cast::<T>() }
    }

    /// # Safety
    ///
    /// As for [`of()`](Self::of).
    unsafe extern "C" fn count(
        shrinker: *mut bindings::shrinker,
        _control: *mut bindings::shrink_control,
    ) -> c_ulong {
        // SAFETY: Freeing the shrinker waits for this function.
        unsafe { Self::of(shrinker) }.count()
    }

    /// # Safety
    ///
    /// As for [`of()`](Self::of).
    unsafe extern "C" fn scan(
        shrinker: *mut bindings::shrinker,
        _control: *mut bindings::shrink_control,
    ) -> c_ulong {
        // SAFETY: Freeing the shrinker waits for this function.
        unsafe { Self::of(shrinker) }.scan()
    }
}

impl<T: Shrink> Drop for Shrinker<T> {
    fn drop(&mut self) {
        // SAFETY: The shrinker was registered, and no other code frees it.
        unsafe { bindings::shrinker_free(self.shrinker.as_ptr()) };
    }
}

/// Memory that is allocated as by a driver: the allocation reclaims other memory if there is not
/// enough. If reclaiming does not help, it fails before the kernel kills a process.
pub(crate) struct Pages(NonZero<usize>);

impl Pages {
    /// `PAGE_ALLOC_COSTLY_ORDER`: up to this order, the kernel reclaims as for a single page.
    const ORDER: u32 = 3;

    /// Allocates memory, which is not initialised.
    pub(crate) fn new() -> Result<Self> {
        let flags = (GFP_KERNEL | __GFP_NOWARN).as_raw() | 1 << bindings::___GFP_NORETRY_BIT;
        // SAFETY: This thread may sleep.
        let address = unsafe { bindings::get_free_pages_noprof(flags, Self::ORDER) };

        NonZero::new(address).map(Self).ok_or(ENOMEM)
    }

    /// Writes to the first word.
    pub(crate) fn write(&mut self, word: usize) {
        // SAFETY: The memory belongs to `self`, which is borrowed exclusively.
        unsafe { self.first().write(word) };
    }

    /// Returns what was written to the first word.
    pub(crate) fn read(&self) -> usize {
        // SAFETY: The memory belongs to `self`.
        unsafe { self.first().read() }
    }

    fn first(&self) -> *mut usize {
        ptr::with_exposed_provenance_mut(self.0.get())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: The memory was allocated with this order, and no other code frees it.
        unsafe { bindings::free_pages(self.0.get(), Self::ORDER) };
    }
}

/// Allocates memory until an allocation fails or `is_enough` returns `true`, and frees it again.
pub(crate) fn exhaust(is_enough: impl Fn() -> bool) {
    // The blocks form a list: the first word of each is the address of the block before.
    let mut last: Option<NonZero<usize>> = None;
    while !is_enough() {
        let Ok(mut pages) = Pages::new() else {
            break;
        };
        pages.write(last.map_or(0, NonZero::get));
        last = Some(pages.0);
        mem::forget(pages);
    }

    while let Some(address) = last {
        let pages = Pages(address);
        last = NonZero::new(pages.read());
    }
}
