// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Allocation that can fail: flags, and the box.
//!
//! Stands for `rust/kernel/alloc.rs` and `rust/kernel/alloc/kbox.rs`. C header:
//! `include/linux/gfp_types.h`. The memory is that of the host's allocator; it fails when
//! [`fail_nth()`](crate::testing::fail_nth) says so.

use crate::{
    fault,
    init::InPlaceInit, //
};
use core::{
    borrow::{
        Borrow,
        BorrowMut, //
    },
    fmt,
    marker::PhantomData,
    mem::{
        ManuallyDrop,
        MaybeUninit, //
    },
    ops::{
        BitAnd,
        BitOr,
        Deref,
        DerefMut,
        Not, //
    },
    pin::Pin,
    ptr::NonNull,
};
use pin_init::{
    InPlaceWrite,
    Init,
    PinInit,
    Zeroable, //
};

/// There was no memory; as an [`Error`](crate::error::Error) it is `ENOMEM`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AllocError;

impl fmt::Display for AllocError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("allocation failed")
    }
}

impl std::error::Error for AllocError {}

/// How memory may be got, C's `gfp_t`: one of [`flags`], or several of them combined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(u32);

impl Flags {
    /// Returns whether all of `flags` are set in `self`.
    #[inline]
    pub const fn contains(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Reports one allocation: that it may sleep, if it may, and whether it is to fail.
    #[inline]
    #[track_caller]
    pub(crate) fn try_alloc(self) -> Result<(), AllocError> {
        if self.contains(flags::DIRECT_RECLAIM) {
            fault::might_sleep("kmalloc");
        }
        if fault::should_fail() {
            Err(AllocError)
        } else {
            Ok(())
        }
    }
}

impl BitOr for Flags {
    type Output = Self;

    #[inline]
    fn bitor(self, rhs: Self) -> Self {
        Self(self.0 | rhs.0)
    }
}

impl BitAnd for Flags {
    type Output = Self;

    #[inline]
    fn bitand(self, rhs: Self) -> Self {
        Self(self.0 & rhs.0)
    }
}

impl Not for Flags {
    type Output = Self;

    #[inline]
    fn not(self) -> Self {
        Self(!self.0)
    }
}

pub mod allocator {
    //! Allocators: what iterates over the pages of their memory.

    pub use crate::host::vmalloc::VmallocPageIter;
}

pub mod flags {
    //! The ways to get memory.
    //!
    //! On the host they differ in one thing: what may sleep is a loud failure while the thread
    //! holds the RCU read lock.

    use super::Flags;

    /// Set in all flags with which an allocation may wait for memory.
    pub(super) const DIRECT_RECLAIM: Flags = Flags(1 << 0);

    const KSWAPD_RECLAIM: Flags = Flags(1 << 1);
    const IO: Flags = Flags(1 << 2);
    const FS: Flags = Flags(1 << 3);
    const HIGH: Flags = Flags(1 << 4);

    /// Asks for zeroed memory; to be combined with one of the others.
    pub const __GFP_ZERO: Flags = Flags(1 << 5);

    /// Asks that a failure be not reported; to be combined with one of the others.
    pub const __GFP_NOWARN: Flags = Flags(1 << 6);

    /// The usual way: it may sleep until there is memory.
    pub const GFP_KERNEL: Flags = Flags(DIRECT_RECLAIM.0 | KSWAPD_RECLAIM.0 | IO.0 | FS.0);

    /// For atomic context: it does not sleep, and may use the reserves.
    pub const GFP_ATOMIC: Flags = Flags(HIGH.0 | KSWAPD_RECLAIM.0);

    /// It does not sleep, and fails when there is no memory at hand.
    pub const GFP_NOWAIT: Flags = Flags(KSWAPD_RECLAIM.0 | __GFP_NOWARN.0);
}

/// One owned value in allocated memory.
///
/// As in the kernel, and other than with [`std::boxed::Box`], moving the box says nothing about
/// who else points to the value, so pointers to it stay good.
///
/// # Invariants
///
/// The pointer is that of a [`std::boxed::Box`] that was given up for it, with its value.
///
/// # Examples
///
/// ```
/// use devres_lazy::prelude::*;
///
/// let value = KBox::new(24_u64, GFP_KERNEL)?;
/// assert_eq!(*value, 24);
/// # Ok::<(), Error>(())
/// ```
#[repr(transparent)]
pub struct KBox<T: ?Sized>(NonNull<T>, PhantomData<Box<T>>);

// SAFETY: The box owns its `T` and nothing else.
unsafe impl<T: ?Sized + Send> Send for KBox<T> {}

// SAFETY: A shared box gives shared access to its `T` and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for KBox<T> {}

impl<T: ?Sized> KBox<T> {
    /// Takes back what [`into_raw()`](Self::into_raw) gave.
    ///
    /// # Safety
    ///
    /// `raw` must come from [`into_raw()`](Self::into_raw), and nobody else may take it back.
    #[inline]
    pub const unsafe fn from_raw(raw: *mut T) -> Self {
        // INVARIANT: By the caller's promise the pointer was that of a `KBox`.
        // SAFETY: So it is not null.
        Self(unsafe { NonNull::new_unchecked(raw) }, PhantomData)
    }

    /// Gives up the box: the memory and the value are the caller's, see
    /// [`from_raw()`](Self::from_raw).
    #[inline]
    pub fn into_raw(this: Self) -> *mut T {
        ManuallyDrop::new(this).0.as_ptr()
    }

    /// Gives up the box for good; neither the value is dropped nor the memory freed.
    #[inline]
    pub fn leak<'a>(this: Self) -> &'a mut T {
        // SAFETY: By the type invariant the value is valid, it is nobody else's, and as nobody
        // takes it back it stays so.
        unsafe { &mut *Self::into_raw(this) }
    }

    /// Pins the value, which does not move as long as the box exists.
    #[inline]
    pub fn into_pin(this: Self) -> Pin<Self> {
        // SAFETY: The value stays where it is when the box moves, and it is not possible to take
        // it out of a pinned box.
        unsafe { Pin::new_unchecked(this) }
    }
}

impl<T> KBox<T> {
    /// Allocates memory and moves `x` into it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory; `x` is then dropped.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](flags::GFP_KERNEL).
    #[track_caller]
    pub fn new(x: T, flags: Flags) -> Result<Self, AllocError> {
        Ok(KBox::new_uninit(flags)?.write(x))
    }

    /// Allocates memory for a value that is not there yet.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](flags::GFP_KERNEL).
    #[track_caller]
    pub fn new_uninit(flags: Flags) -> Result<KBox<MaybeUninit<T>>, AllocError> {
        flags.try_alloc()?;
        Ok(KBox::from_std(Box::new_uninit()))
    }

    /// Allocates zeroed memory, for a type of which zeroes are a value.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](flags::GFP_KERNEL).
    #[track_caller]
    pub fn zeroed(flags: Flags) -> Result<Self, AllocError>
    where
        T: Zeroable,
    {
        let mut this = Self::new_uninit(flags)?;
        *this = MaybeUninit::zeroed();
        // SAFETY: The memory is zeroed, and zeroes are a value of `T`.
        Ok(unsafe { this.assume_init() })
    }

    /// Allocates memory, moves `x` into it, and pins it there.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory; `x` is then dropped.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](flags::GFP_KERNEL).
    #[track_caller]
    pub fn pin(x: T, flags: Flags) -> Result<Pin<Self>, AllocError> {
        Ok(Self::new(x, flags)?.into())
    }

    /// Takes the value out and frees the memory.
    #[inline]
    pub fn into_inner(this: Self) -> T {
        *this.into_std()
    }
}

impl<T: ?Sized> KBox<T> {
    fn from_std(std: Box<T>) -> Self {
        // INVARIANT: `std` is given up for it.
        // SAFETY: The pointer of a box is not null.
        Self(
            unsafe { NonNull::new_unchecked(Box::into_raw(std)) },
            PhantomData,
        )
    }

    fn into_std(self) -> Box<T> {
        // SAFETY: By the type invariant the pointer comes from a `Box`, and `self` is given up.
        unsafe { Box::from_raw(Self::into_raw(self)) }
    }
}

impl<T> KBox<MaybeUninit<T>> {
    /// Says that the value is there.
    ///
    /// # Safety
    ///
    /// The value must be initialised.
    #[inline]
    pub unsafe fn assume_init(self) -> KBox<T> {
        let raw = Self::into_raw(self);

        // SAFETY: `raw` is that of a `KBox` of the same layout, whose value is initialised by the
        // caller's promise.
        unsafe { KBox::from_raw(raw.cast()) }
    }

    /// Moves a value into the memory.
    #[inline]
    pub fn write(mut self, value: T) -> KBox<T> {
        (*self).write(value);

        // SAFETY: The value was written just now.
        unsafe { self.assume_init() }
    }
}

impl<T> InPlaceWrite<T> for KBox<MaybeUninit<T>> {
    type Initialized = KBox<T>;

    fn write_init<E>(self, init: impl Init<T, E>) -> Result<KBox<T>, E> {
        let slot = self.0.as_ptr();

        // SAFETY: `slot` is valid for writes, and not used as a value if this fails or panics:
        // `self` then frees the memory and drops nothing.
        unsafe { init.__init(slot.cast()) }?;

        // SAFETY: The initialiser succeeded.
        Ok(unsafe { self.assume_init() })
    }

    fn write_pin_init<E>(self, init: impl PinInit<T, E>) -> Result<Pin<KBox<T>>, E> {
        let slot = self.0.as_ptr();

        // SAFETY:
        // - `slot` is valid for writes, and not used as a value if this fails or panics: `self`
        //   then frees the memory and drops nothing.
        // - The value stays where it is, as it is pinned below.
        unsafe { init.__pinned_init(slot.cast()) }?;

        // SAFETY: The initialiser succeeded.
        Ok(unsafe { self.assume_init() }.into())
    }
}

impl<T> InPlaceInit<T> for KBox<T> {
    type PinnedSelf = Pin<Self>;

    #[inline]
    #[track_caller]
    fn try_pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> Result<Pin<Self>, E>
    where
        E: From<AllocError>,
    {
        KBox::new_uninit(flags)?.write_pin_init(init)
    }

    #[inline]
    #[track_caller]
    fn try_init<E>(init: impl Init<T, E>, flags: Flags) -> Result<Self, E>
    where
        E: From<AllocError>,
    {
        KBox::new_uninit(flags)?.write_init(init)
    }
}

impl<T: ?Sized> From<KBox<T>> for Pin<KBox<T>> {
    #[inline]
    fn from(this: KBox<T>) -> Self {
        KBox::into_pin(this)
    }
}

impl<T: ?Sized> Deref for KBox<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the value is valid, and `self` is borrowed for as long as
        // the reference.
        unsafe { self.0.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for KBox<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: As above, and mutably.
        unsafe { self.0.as_mut() }
    }
}

impl<T: ?Sized> Borrow<T> for KBox<T> {
    #[inline]
    fn borrow(&self) -> &T {
        self
    }
}

impl<T: ?Sized> BorrowMut<T> for KBox<T> {
    #[inline]
    fn borrow_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for KBox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for KBox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized> Drop for KBox<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant the pointer comes from a `Box`, and `self` is not used
        // after this.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

#[cfg(test)]
mod tests {
    use super::{
        flags::*,
        *, //
    };
    use crate::{
        error::{
            code::*,
            Error, //
        },
        sync::rcu,
        testing::fail_nth,
    };
    use pin_init::{
        init_from_closure,
        pin_init_from_closure, //
    };
    use std::{
        panic::{
            catch_unwind,
            AssertUnwindSafe, //
        },
        sync::Arc,
    };

    #[test]
    fn to_raw_and_back() {
        let value = Arc::new(());
        let raw = KBox::into_raw(KBox::new(value.clone(), GFP_KERNEL).unwrap());
        assert_eq!(Arc::strong_count(&value), 2);

        // SAFETY: `raw` comes from `into_raw()` above.
        drop(unsafe { KBox::from_raw(raw) });
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn values() {
        let mut value = KBox::new(3, GFP_ATOMIC).unwrap();
        *value += 1;
        assert_eq!(KBox::into_inner(value), 4);

        assert_eq!(*KBox::<[u32; 4]>::zeroed(GFP_KERNEL).unwrap(), [0; 4]);
        assert_eq!(*KBox::pin(5, GFP_NOWAIT).unwrap(), 5);
        assert_eq!(*KBox::<u8>::init::<Error>(Ok(6), GFP_KERNEL).unwrap(), 6);
    }

    #[test]
    fn a_failed_allocation_does_not_run_the_initialiser() {
        let fault = fail_nth(1);
        // SAFETY: It is never run.
        let init = unsafe { pin_init_from_closure(|_: *mut u8| -> Result<(), Error> { panic!() }) };

        assert_eq!(KBox::pin_init(init, GFP_KERNEL).err(), Some(ENOMEM));
        assert!(fault.tripped());
    }

    #[test]
    fn a_failed_initialiser_leaves_nothing_to_drop() {
        /// Must not be dropped.
        struct Never(#[allow(dead_code)] u64);
        impl Drop for Never {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }

        // SAFETY: It fails, and there is nothing to drop.
        let init = unsafe { init_from_closure(|_: *mut Never| Err(EIO)) };
        assert_eq!(KBox::init(init, GFP_KERNEL).err(), Some(EIO));

        // SAFETY: It panics, and there is nothing to drop.
        let init = unsafe {
            pin_init_from_closure(|_: *mut Never| -> Result<(), Error> { panic!("initialiser") })
        };
        let result = catch_unwind(AssertUnwindSafe(|| KBox::pin_init(init, GFP_KERNEL)));
        assert_eq!(result.err().unwrap().downcast_ref(), Some(&"initialiser"));
    }

    #[test]
    fn only_gfp_kernel_sleeps() {
        let _guard = rcu::read_lock();

        assert!(KBox::new(1, GFP_ATOMIC).is_ok());
        assert!(KBox::new(1, GFP_NOWAIT | __GFP_ZERO).is_ok());
        assert!(catch_unwind(|| KBox::new(1, GFP_KERNEL)).is_err());
    }

    #[test]
    fn flags_combine() {
        assert!((GFP_KERNEL | __GFP_ZERO).contains(__GFP_ZERO));
        assert!(!GFP_KERNEL.contains(__GFP_ZERO));
        assert!(!(GFP_NOWAIT & !__GFP_NOWARN).contains(__GFP_NOWARN));
    }
}
