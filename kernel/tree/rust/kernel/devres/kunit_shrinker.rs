// SPDX-License-Identifier: GPL-2.0

//! A shrinker for the KUnit suites of device-bound resources, and memory that runs short.
//!
//! The suites run on the host as well, which has a file of its own in place of this one.
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
    /// Returns how many things there are.
    fn count(&self) -> usize;

    /// Gives back what it can, and returns how many things that were.
    fn scan(&self) -> usize;
}

/// A registered shrinker. It is not running any more when this is dropped.
pub(crate) struct Shrinker<T: Shrink> {
    shrinker: NonNull<bindings::shrinker>,
    /// The object that the shrinker has a pointer to.
    _of: Arc<T>,
}

impl<T: Shrink> Shrinker<T> {
    /// Registers a shrinker, which the kernel calls whenever it reclaims memory.
    pub(crate) fn register(of: Arc<T>) -> Result<Self> {
        // SAFETY: The name has no directives.
        let shrinker = unsafe { bindings::shrinker_alloc(0, c"lazy-kunit".as_char_ptr()) };
        let mut shrinker = NonNull::new(shrinker).ok_or(ENOMEM)?;

        // SAFETY: It was allocated, and nobody else knows it yet.
        let fields = unsafe { shrinker.as_mut() };
        fields.count_objects = Some(Self::count);
        fields.scan_objects = Some(Self::scan);
        // There is little to give back: whoever reclaims asks for it at once, and for all of it.
        fields.seeks = 0;
        fields.batch = 1;
        fields.private_data = Arc::as_ptr(&of).cast_mut().cast();

        // SAFETY: It is complete.
        unsafe { bindings::shrinker_register(shrinker.as_ptr()) };

        Ok(Self { shrinker, _of: of })
    }

    /// Returns what a shrinker was registered for.
    ///
    /// # Safety
    ///
    /// `shrinker` is one of [`register()`](Self::register), and is not freed for `'a`.
    unsafe fn of<'a>(shrinker: *mut bindings::shrinker) -> &'a T {
        // SAFETY: The caller has a valid shrinker.
        let of = unsafe { (*shrinker).private_data };

        // SAFETY: It is that of an `Arc`, which is dropped after the shrinker.
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
        // SAFETY: It was registered, and nobody else frees it.
        unsafe { bindings::shrinker_free(self.shrinker.as_ptr()) };
    }
}

/// Memory that is allocated as a driver does it, so that the allocation reclaims other memory if
/// there is not enough. It fails if that was in vain, before the kernel ends a process.
pub(crate) struct Pages(NonZero<usize>);

impl Pages {
    /// The largest order that the kernel reclaims memory for as for a single page.
    const ORDER: u32 = 3;

    /// Allocates memory. It has any contents.
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
        // SAFETY: It was allocated with this order, and nobody else frees it.
        unsafe { bindings::free_pages(self.0.get(), Self::ORDER) };
    }
}

/// Allocates memory until there is no more, or until `is_enough` says so, and frees it again.
pub(crate) fn exhaust(is_enough: impl Fn() -> bool) {
    // A list in the memory itself: each has the address of the one before in its first word.
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
