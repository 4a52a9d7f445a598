// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A reference-counted value that has one reference yet.
//!
//! Stands for a part of `rust/kernel/sync/arc.rs`.

use super::{Arc, ArcInner};
use crate::{
    alloc::{AllocError, Flags, KBox},
    bindings::refcount_t,
    init::InPlaceInit,
};
use core::{
    borrow::{Borrow, BorrowMut},
    fmt,
    mem::{ManuallyDrop, MaybeUninit},
    ops::{Deref, DerefMut},
    pin::Pin,
    ptr::NonNull,
};
use pin_init::{InPlaceWrite, Init, PinInit};

/// An [`Arc`] with one reference, whose value can still be changed.
///
/// # Invariants
///
/// There is no other reference.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, sync::{Arc, UniqueArc}};
///
/// let mut config = UniqueArc::new([0_u32; 4], GFP_KERNEL)?;
/// config[2] = 7;
/// let config: Arc<[u32; 4]> = config.into();
/// assert_eq!(*config, [0, 0, 7, 0]);
/// # Ok::<(), Error>(())
/// ```
///
/// Memory that is allocated where it may sleep, for a value that is made under a spinlock:
///
/// ```
/// use kernel::{new_spinlock, prelude::*, sync::{Arc, UniqueArc}};
///
/// let ids = KBox::pin_init(new_spinlock!(0), GFP_KERNEL)?;
///
/// let job = UniqueArc::<u32>::new_uninit(GFP_KERNEL)?;
/// let job: Arc<u32> = {
///     let mut last = ids.lock();
///     *last += 1;
///     job.write(*last).into()
/// };
/// assert_eq!(*job, 1);
/// # Ok::<(), Error>(())
/// ```
pub struct UniqueArc<T: ?Sized> {
    inner: Arc<T>,
}

impl<T> UniqueArc<T> {
    /// Allocates memory and moves `value` into it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory; `value` is then dropped.
    ///
    /// # Context
    ///
    /// May sleep with `GFP_KERNEL`.
    #[track_caller]
    pub fn new(value: T, flags: Flags) -> Result<Self, AllocError> {
        // INVARIANT: It was made just now.
        Ok(Self {
            inner: Arc::new(value, flags)?,
        })
    }

    /// Allocates memory for a value that is not there yet.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep with `GFP_KERNEL`.
    #[track_caller]
    pub fn new_uninit(flags: Flags) -> Result<UniqueArc<MaybeUninit<T>>, AllocError> {
        let memory = KBox::<ArcInner<MaybeUninit<T>>>::new_uninit(flags)?;
        let inner = NonNull::from(KBox::leak(memory)).cast::<ArcInner<MaybeUninit<T>>>();

        // SAFETY: The field is in the memory.
        let refcount = unsafe { &raw mut (*inner.as_ptr()).refcount };
        // SAFETY: The memory is valid for writes.
        unsafe { refcount.write(refcount_t::new(1)) };

        // INVARIANT: It was made just now.
        Ok(UniqueArc {
            // SAFETY: The count is one, for this reference, and any bytes are a `MaybeUninit`.
            inner: unsafe { Arc::from_inner(inner) },
        })
    }
}

impl<T: ?Sized> UniqueArc<T> {
    /// Makes one of an [`Arc`].
    ///
    /// # Safety
    ///
    /// There must be no other reference.
    pub(super) unsafe fn from_arc(inner: Arc<T>) -> Self {
        // INVARIANT: By the safety requirement.
        Self { inner }
    }

    /// Gives up that it is the only reference.
    #[inline]
    pub(super) fn into_arc(self) -> Arc<T> {
        self.inner
    }

    /// Returns the pointer to the value, valid as long as there is a reference.
    #[inline]
    pub fn as_ptr(this: &Self) -> *const T {
        Arc::as_ptr(&this.inner)
    }
}

impl<T> UniqueArc<MaybeUninit<T>> {
    /// Moves a value into the memory.
    pub fn write(mut self, value: T) -> UniqueArc<T> {
        (*self).write(value);

        // SAFETY: The value was written just now.
        unsafe { self.assume_init() }
    }

    /// Says that the value is there.
    ///
    /// # Safety
    ///
    /// The value must be initialised.
    pub unsafe fn assume_init(self) -> UniqueArc<T> {
        let inner = ManuallyDrop::new(self.inner).ptr;

        // INVARIANT: It is the same reference.
        UniqueArc {
            // SAFETY: `self` is given up for it, and both have the same layout.
            inner: unsafe { Arc::from_inner(inner.cast()) },
        }
    }

    /// Initialises the value in the memory.
    ///
    /// # Errors
    ///
    /// The error that `init` returns. The memory is then freed.
    pub fn init_with<E>(mut self, init: impl Init<T, E>) -> core::result::Result<UniqueArc<T>, E> {
        // SAFETY: The slot is valid for writes, and not used as a value if this fails or panics:
        // `self` then frees the memory and drops nothing.
        unsafe { init.__init(self.as_mut_ptr()) }?;

        // SAFETY: The initialiser succeeded.
        Ok(unsafe { self.assume_init() })
    }

    /// Initialises the value, which is pinned, in the memory.
    ///
    /// # Errors
    ///
    /// The error that `init` returns. The memory is then freed.
    pub fn pin_init_with<E>(
        mut self,
        init: impl PinInit<T, E>,
    ) -> core::result::Result<Pin<UniqueArc<T>>, E> {
        // SAFETY:
        // - The slot is valid for writes, and not used as a value if this fails or panics: `self`
        //   then frees the memory and drops nothing.
        // - The value stays where it is, as it is pinned below.
        unsafe { init.__pinned_init(self.as_mut_ptr()) }?;

        // SAFETY: The initialiser succeeded.
        Ok(unsafe { self.assume_init() }.into())
    }
}

impl<T> InPlaceWrite<T> for UniqueArc<MaybeUninit<T>> {
    type Initialized = UniqueArc<T>;

    #[inline]
    fn write_init<E>(self, init: impl Init<T, E>) -> Result<Self::Initialized, E> {
        self.init_with(init)
    }

    #[inline]
    fn write_pin_init<E>(self, init: impl PinInit<T, E>) -> Result<Pin<Self::Initialized>, E> {
        self.pin_init_with(init)
    }
}

impl<T> InPlaceInit<T> for UniqueArc<T> {
    type PinnedSelf = Pin<Self>;

    #[inline]
    #[track_caller]
    fn try_pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> Result<Self::PinnedSelf, E>
    where
        E: From<AllocError>,
    {
        UniqueArc::new_uninit(flags)?.write_pin_init(init)
    }

    #[inline]
    #[track_caller]
    fn try_init<E>(init: impl Init<T, E>, flags: Flags) -> Result<Self, E>
    where
        E: From<AllocError>,
    {
        UniqueArc::new_uninit(flags)?.write_init(init)
    }
}

impl<T: ?Sized> From<UniqueArc<T>> for Pin<UniqueArc<T>> {
    #[inline]
    fn from(obj: UniqueArc<T>) -> Self {
        // SAFETY: The value does not move, and it is not possible to take it out.
        unsafe { Pin::new_unchecked(obj) }
    }
}

impl<T: ?Sized> Deref for UniqueArc<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for UniqueArc<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariant there is no other reference, and `self` is borrowed mutably.
        &mut unsafe { self.inner.ptr.as_mut() }.data
    }
}

impl<T: ?Sized> Borrow<T> for UniqueArc<T> {
    #[inline]
    fn borrow(&self) -> &T {
        self
    }
}

impl<T: ?Sized> BorrowMut<T> for UniqueArc<T> {
    #[inline]
    fn borrow_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for UniqueArc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for UniqueArc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alloc::flags::GFP_KERNEL,
        error::{code::*, Error},
        testing::fail_nth,
    };
    use core::marker::PhantomPinned;
    use pin_init::{init_from_closure, pin_init_from_closure};

    #[test]
    fn is_written_and_shared() {
        let mut value = UniqueArc::<u32>::new_uninit(GFP_KERNEL).unwrap().write(5);
        *value += 1;
        *BorrowMut::<u32>::borrow_mut(&mut value) += 1;
        assert_eq!(format!("{value} {value:?}"), "7 7");
        let ptr = UniqueArc::as_ptr(&value);

        let shared: Arc<u32> = value.into();
        assert_eq!(Arc::as_ptr(&shared), ptr);
        let other = shared.clone();
        assert!(Arc::into_unique_or_drop(shared).is_none());
        assert_eq!(*Arc::into_unique_or_drop(other).unwrap(), 7);
    }

    #[test]
    fn a_failed_initialiser_frees_the_memory_only() {
        /// Must not be dropped.
        struct Never(#[allow(dead_code)] u64);
        impl Drop for Never {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }

        // SAFETY: The initialiser fails, and leaves nothing to drop.
        let init = unsafe { init_from_closure(|_: *mut Never| Err(EIO)) };
        let memory = UniqueArc::new_uninit(GFP_KERNEL).unwrap();
        assert_eq!(memory.init_with(init).err(), Some(EIO));

        // SAFETY: The initialiser fails, and leaves nothing to drop.
        let init = unsafe { pin_init_from_closure(|_: *mut Never| Err::<(), Error>(EBUSY)) };
        assert_eq!(UniqueArc::pin_init(init, GFP_KERNEL).err(), Some(EBUSY));

        let _fault = fail_nth(1);
        assert!(UniqueArc::<Never>::new_uninit(GFP_KERNEL).is_err());
    }

    #[test]
    fn a_pinned_value_stays_pinned() {
        let init = |slot: *mut PhantomPinned| {
            // SAFETY: The slot is valid for writes.
            unsafe { slot.write(PhantomPinned) };
            Ok::<(), Error>(())
        };
        // SAFETY: It writes the slot.
        let init = unsafe { pin_init_from_closure(init) };
        let value: Pin<UniqueArc<PhantomPinned>> = UniqueArc::pin_init(init, GFP_KERNEL).unwrap();
        let value: Arc<PhantomPinned> = value.into();
        let _: Pin<UniqueArc<PhantomPinned>> = Arc::into_unique_or_drop(value).unwrap();
    }
}
