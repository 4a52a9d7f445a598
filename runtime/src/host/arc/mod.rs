// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Shared ownership of a value of Rust code.
//!
//! Stands for `rust/kernel/sync/arc.rs`, over the standard library's `Arc`. Allocation can fail,
//! the value is pinned, and there are no weak references.

use crate::{
    alloc::{
        AllocError,
        Flags, //
    },
    init::InPlaceInit,
};
use core::{
    borrow::Borrow,
    fmt,
    mem::MaybeUninit,
    ops::Deref, //
};
use pin_init::{
    Init,
    PinInit, //
};
use std::sync;

/// A reference-counted pointer to a value, which is dropped with the last one.
///
/// The value is pinned: there is no way to move it, or to get `&mut` to it.
///
/// # Examples
///
/// ```
/// use devres_lazy::{prelude::*, sync::Arc};
///
/// let first = Arc::new(3, GFP_KERNEL)?;
/// let second = first.clone();
/// assert!(Arc::ptr_eq(&first, &second));
/// # Ok::<(), Error>(())
/// ```
pub struct Arc<T: ?Sized>(sync::Arc<T>);

impl<T> Arc<T> {
    /// Allocates memory and moves `contents` into it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory; `contents` is then dropped.
    ///
    /// # Context
    ///
    /// May sleep with `GFP_KERNEL`.
    #[track_caller]
    pub fn new(contents: T, flags: Flags) -> Result<Self, AllocError> {
        flags.try_alloc()?;
        Ok(Self(sync::Arc::new(contents)))
    }

    /// Allocates memory and has it initialised through a pointer.
    fn init_with<E>(init: impl FnOnce(*mut T) -> Result<(), E>, flags: Flags) -> Result<Self, E>
    where
        E: From<AllocError>,
    {
        flags.try_alloc()?;

        let this = sync::Arc::<T>::new_uninit();
        let slot = sync::Arc::as_ptr(&this).cast_mut();

        // If this fails or panics, `this` frees the memory and drops nothing.
        init(slot.cast::<T>())?;

        // SAFETY: The initialiser succeeded.
        Ok(Self(unsafe {
            sync::Arc::<MaybeUninit<T>>::assume_init(this)
        }))
    }
}

impl<T: ?Sized> Arc<T> {
    /// Gives up the reference, which the caller has to put: see [`from_raw()`](Self::from_raw).
    #[inline]
    pub fn into_raw(self) -> *const T {
        sync::Arc::into_raw(self.0)
    }

    /// Takes over a reference.
    ///
    /// # Safety
    ///
    /// `ptr` must come from [`into_raw()`](Self::into_raw) or [`as_ptr()`](Self::as_ptr) of an
    /// `Arc` of this type, and the caller must own a reference that no `Arc` stands for.
    #[inline]
    pub unsafe fn from_raw(ptr: *const T) -> Self {
        // SAFETY: By the caller's promise.
        Self(unsafe { sync::Arc::from_raw(ptr) })
    }

    /// Returns the pointer to the value, good as long as somebody owns a reference.
    #[inline]
    pub fn as_ptr(this: &Self) -> *const T {
        sync::Arc::as_ptr(&this.0)
    }

    /// Returns whether both point to the same value.
    #[inline]
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        sync::Arc::ptr_eq(&this.0, &other.0)
    }
}

impl<T> InPlaceInit<T> for Arc<T> {
    type PinnedSelf = Self;

    #[inline]
    #[track_caller]
    fn try_pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> Result<Self, E>
    where
        E: From<AllocError>,
    {
        // SAFETY:
        // - `init_with()` passes a pointer to fresh memory, which nobody else has: the pointer is
        //   the one that the allocation is owned by, so it may be written through.
        // - The value is not used if this fails, and does not move afterwards.
        Self::init_with(|slot| unsafe { init.__pinned_init(slot) }, flags)
    }

    #[inline]
    #[track_caller]
    fn try_init<E>(init: impl Init<T, E>, flags: Flags) -> Result<Self, E>
    where
        E: From<AllocError>,
    {
        // SAFETY: As above.
        Self::init_with(|slot| unsafe { init.__init(slot) }, flags)
    }
}

impl<T: ?Sized> Clone for Arc<T> {
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> Deref for Arc<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> AsRef<T> for Arc<T> {
    #[inline]
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: ?Sized> Borrow<T> for Arc<T> {
    #[inline]
    fn borrow(&self) -> &T {
        self
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for Arc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        prelude::*,
        testing::fail_nth, //
    };
    use core::cell::Cell;

    /// Tells when it is dropped.
    struct Tell<'a>(&'a Cell<u32>);

    impl Drop for Tell<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn dropped_with_the_last_reference() {
        let dropped = &Cell::new(0);
        let first = Arc::new(Tell(dropped), GFP_KERNEL).unwrap();
        let raw = first.clone().into_raw();
        assert_eq!(raw, Arc::as_ptr(&first));

        drop(first);
        assert_eq!(dropped.get(), 0);
        // SAFETY: `raw` comes from `into_raw()`.
        drop(unsafe { Arc::from_raw(raw) });
        assert_eq!(dropped.get(), 1);
    }

    #[test]
    fn initialised_in_place() {
        #[pin_data]
        struct Pair<'a> {
            tell: Tell<'a>,
            value: u32,
        }

        let dropped = &Cell::new(0);
        let pair = Arc::pin_init(
            try_pin_init!(Pair {
                tell: Tell(dropped),
                value: 7,
            }),
            GFP_KERNEL,
        );
        assert_eq!(pair.unwrap().value, 7);
        assert_eq!(dropped.get(), 1);

        let pair = Arc::pin_init(
            try_pin_init!(Pair {
                tell: Tell(dropped),
                value: Err(EIO)?,
            }),
            GFP_KERNEL,
        );
        assert_eq!(pair.err(), Some(EIO));
        assert_eq!(dropped.get(), 2);
    }

    #[test]
    fn allocation_fails_on_demand() {
        let _fault = fail_nth(1);
        assert_eq!(Arc::new(1, GFP_KERNEL).err(), Some(AllocError));
    }
}
