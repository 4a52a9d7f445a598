// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The box.
//!
//! Stands for `rust/kernel/alloc/kbox.rs`.
//!
//! A box does not coerce to one of a trait object or a slice, as it does in the kernel: that takes
//! an unstable feature of the compiler. [`Box::into_raw()`] and [`Box::from_raw()`] do it.

use super::{
    allocator::{KVmalloc, Kmalloc, Vmalloc, VmallocPageIter},
    flags::__GFP_ZERO,
    AllocError, Allocator, Flags, NumaNode, Vec,
};
use crate::{init::InPlaceInit, page::AsPageIter};
use core::{
    alloc::Layout,
    borrow::{Borrow, BorrowMut},
    fmt,
    marker::PhantomData,
    mem::{ManuallyDrop, MaybeUninit},
    ops::{Deref, DerefMut},
    pin::Pin,
    ptr::{self, NonNull},
};
use pin_init::{InPlaceWrite, Init, PinInit, Zeroable, ZeroableOption};

/// One owned value in memory of the allocator `A`.
///
/// As in the kernel, and other than with [`std::boxed::Box`], moving the box says nothing about
/// who else points to the value, so pointers to it stay good.
///
/// # Invariants
///
/// The pointer is valid for the value, which the box owns. It was allocated by `A` with the layout
/// of the value, or dangles if that has no size.
///
/// # Examples
///
/// ```
/// use kernel::{alloc::{allocator::Kmalloc, Box}, prelude::*};
///
/// let value: Box<u64, Kmalloc> = KBox::new(24_u64, GFP_KERNEL)?;
/// assert_eq!(*value, 24);
/// # Ok::<(), Error>(())
/// ```
#[repr(transparent)]
pub struct Box<T: ?Sized, A: Allocator>(NonNull<T>, PhantomData<A>);

/// A [`Box`] of `kmalloc()`.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// let value = KBox::new(24_u64, GFP_KERNEL)?;
/// assert_eq!(*value, 24);
/// # Ok::<(), Error>(())
/// ```
pub type KBox<T> = Box<T, Kmalloc>;

/// A [`Box`] of `vmalloc()`, in whole pages. Dropping it may sleep.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// let ring = VBox::<[u64; 4096]>::zeroed(GFP_KERNEL)?;
/// assert_eq!(ring[4095], 0);
/// # Ok::<(), Error>(())
/// ```
pub type VBox<T> = Box<T, Vmalloc>;

/// A [`Box`] of `kvmalloc()`. Dropping it may sleep if it is larger than a page.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// let value = KVBox::new([0_u8; 100], GFP_KERNEL)?;
/// assert_eq!(value.len(), 100);
/// # Ok::<(), Error>(())
/// ```
pub type KVBox<T> = Box<T, KVmalloc>;

// SAFETY: A box is a pointer that is not null, so zeroes are `None`.
unsafe impl<T, A: Allocator> ZeroableOption for Box<T, A> {}

// SAFETY: The box owns its `T`, and its memory may be freed on any thread.
unsafe impl<T: ?Sized + Send, A: Allocator> Send for Box<T, A> {}

// SAFETY: A shared box gives shared access to its `T` and nothing else.
unsafe impl<T: ?Sized + Sync, A: Allocator> Sync for Box<T, A> {}

impl<T: ?Sized, A: Allocator> Box<T, A> {
    /// Takes back what [`into_raw()`](Self::into_raw) gave.
    ///
    /// # Safety
    ///
    /// `raw` must come from [`into_raw()`](Self::into_raw) of a box of the same allocator, and
    /// nobody else may take it back.
    #[inline]
    pub const unsafe fn from_raw(raw: *mut T) -> Self {
        // INVARIANT: By the caller's promise the pointer was that of a `Box`.
        // SAFETY: So it is not null.
        Self(unsafe { NonNull::new_unchecked(raw) }, PhantomData)
    }

    /// Gives up the box: the memory and the value are the caller's, see
    /// [`from_raw()`](Self::from_raw).
    #[inline]
    pub fn into_raw(b: Self) -> *mut T {
        ManuallyDrop::new(b).0.as_ptr()
    }

    /// Gives up the box for good; neither the value is dropped nor the memory freed.
    #[inline]
    pub fn leak<'a>(b: Self) -> &'a mut T {
        // SAFETY: By the type invariant the value is valid, it is nobody else's, and as nobody
        // takes it back it stays so.
        unsafe { &mut *Self::into_raw(b) }
    }

    /// Pins the value, which does not move as long as the box exists.
    #[inline]
    pub fn into_pin(this: Self) -> Pin<Self> {
        this.into()
    }
}

impl<T, A: Allocator> Box<T, A> {
    /// Allocates memory and moves `x` into it.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory; `x` is then dropped.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL).
    #[track_caller]
    pub fn new(x: T, flags: Flags) -> Result<Self, AllocError> {
        Ok(Self::new_uninit(flags)?.write(x))
    }

    /// Allocates memory for a value that is not there yet.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL).
    #[track_caller]
    pub fn new_uninit(flags: Flags) -> Result<Box<MaybeUninit<T>, A>, AllocError> {
        let memory = A::alloc(Layout::new::<T>(), flags, NumaNode::NO_NODE)?;

        // INVARIANT: It was just allocated with this layout, and any bytes are a `MaybeUninit`.
        Ok(Box(memory.cast(), PhantomData))
    }

    /// Allocates zeroed memory, for a type of which zeroes are a value.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL).
    #[track_caller]
    pub fn zeroed(flags: Flags) -> Result<Self, AllocError>
    where
        T: Zeroable,
    {
        let this = Self::new_uninit(flags | __GFP_ZERO)?;

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
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL).
    #[track_caller]
    pub fn pin(x: T, flags: Flags) -> Result<Pin<Box<T, A>>, AllocError>
    where
        A: 'static,
    {
        Ok(Self::new(x, flags)?.into())
    }

    /// Allocates memory for `len` values and initialises them in place, in their order. `init` is
    /// called with the index of each.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory, or what an initialiser returns. The values that are
    /// there are then dropped.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL), and if the initialisers do.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{new_mutex, prelude::*, sync::Mutex};
    ///
    /// #[pin_data]
    /// struct Queue {
    ///     #[pin]
    ///     head: Mutex<usize>,
    /// }
    ///
    /// let queues = KBox::pin_slice(
    ///     |index| {
    ///         try_pin_init!(Queue {
    ///             head <- new_mutex!(index),
    ///         })
    ///     },
    ///     4,
    ///     GFP_KERNEL,
    /// )?;
    /// assert_eq!(*queues[3].head.lock(), 3);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn pin_slice<Func, Item, E>(
        mut init: Func,
        len: usize,
        flags: Flags,
    ) -> Result<Pin<Box<[T], A>>, E>
    where
        Func: FnMut(usize) -> Item,
        Item: PinInit<T, E>,
        E: From<AllocError>,
    {
        let mut values = Vec::<T, A>::with_capacity(len, flags)?;
        for index in 0..len {
            let slot = values.spare_capacity_mut().as_mut_ptr();

            // SAFETY:
            // - There is room for `len` values, of which `index` are there.
            // - The value is not used if this fails, and does not move, as the memory does not.
            unsafe { init(index).__pinned_init(slot.cast()) }?;
            // SAFETY: The value was initialised just now.
            unsafe { values.inc_len(1) };
        }

        let (values, _, _) = values.into_raw_parts();
        // INVARIANT: The memory was allocated for `len` values, which are all there.
        // SAFETY: So the pointer is that of a box of a slice.
        let this = unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(values, len)) };
        Ok(this.into())
    }

    /// Drops the value, and keeps the memory.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::prelude::*;
    ///
    /// let first = KBox::new(1, GFP_KERNEL)?;
    /// let memory = KBox::drop_contents(first);
    /// assert_eq!(*KBox::write(memory, 2), 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn drop_contents(this: Self) -> Box<MaybeUninit<T>, A> {
        let memory = Self::forget_contents(this);

        // SAFETY: The value is valid, and is not used as a value any more.
        unsafe { ptr::drop_in_place(memory.0.as_ptr().cast::<T>()) };
        memory
    }

    /// Takes the value out and frees the memory.
    #[inline]
    #[track_caller]
    pub fn into_inner(b: Self) -> T {
        let memory = Self::forget_contents(b);

        // SAFETY: The value is valid, and is not used in the memory any more.
        unsafe { memory.assume_init_read() }
    }

    /// Keeps the memory, and forgets the value.
    fn forget_contents(this: Self) -> Box<MaybeUninit<T>, A> {
        // SAFETY: It is the pointer of a box with the same layout, and any bytes are a
        // `MaybeUninit`.
        unsafe { Box::from_raw(Self::into_raw(this).cast()) }
    }
}

impl<T, A: Allocator> Box<MaybeUninit<T>, A> {
    /// Says that the value is there.
    ///
    /// # Safety
    ///
    /// The value must be initialised.
    #[inline]
    pub unsafe fn assume_init(self) -> Box<T, A> {
        let raw = Self::into_raw(self);

        // SAFETY: `raw` is that of a `Box` of the same layout, whose value is initialised by the
        // caller's promise.
        unsafe { Box::from_raw(raw.cast()) }
    }

    /// Moves a value into the memory.
    #[inline]
    pub fn write(mut self, value: T) -> Box<T, A> {
        (*self).write(value);

        // SAFETY: The value was written just now.
        unsafe { self.assume_init() }
    }
}

impl<T, A: Allocator + 'static> InPlaceWrite<T> for Box<MaybeUninit<T>, A> {
    type Initialized = Box<T, A>;

    fn write_init<E>(self, init: impl Init<T, E>) -> Result<Self::Initialized, E> {
        let slot = self.0.as_ptr();

        // SAFETY: `slot` is valid for writes, and not used as a value if this fails or panics:
        // `self` then frees the memory and drops nothing.
        unsafe { init.__init(slot.cast()) }?;

        // SAFETY: The initialiser succeeded.
        Ok(unsafe { self.assume_init() })
    }

    fn write_pin_init<E>(self, init: impl PinInit<T, E>) -> Result<Pin<Self::Initialized>, E> {
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

impl<T, A: Allocator + 'static> InPlaceInit<T> for Box<T, A> {
    type PinnedSelf = Pin<Self>;

    #[inline]
    #[track_caller]
    fn try_pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> Result<Pin<Self>, E>
    where
        E: From<AllocError>,
    {
        Self::new_uninit(flags)?.write_pin_init(init)
    }

    #[inline]
    #[track_caller]
    fn try_init<E>(init: impl Init<T, E>, flags: Flags) -> Result<Self, E>
    where
        E: From<AllocError>,
    {
        Self::new_uninit(flags)?.write_init(init)
    }
}

impl<T: ?Sized, A: Allocator> From<Box<T, A>> for Pin<Box<T, A>> {
    #[inline]
    fn from(b: Box<T, A>) -> Self {
        // SAFETY: The value stays where it is when the box moves, and it is not possible to take
        // it out of a pinned box.
        unsafe { Pin::new_unchecked(b) }
    }
}

impl<T: ?Sized, A: Allocator> Deref for Box<T, A> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the value is valid, and `self` is borrowed for as long as
        // the reference.
        unsafe { self.0.as_ref() }
    }
}

impl<T: ?Sized, A: Allocator> DerefMut for Box<T, A> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariant the value is valid, and `self` is borrowed mutably for as
        // long as the reference.
        unsafe { self.0.as_mut() }
    }
}

impl<T> AsPageIter for VBox<T> {
    type Iter<'a>
        = VmallocPageIter<'a>
    where
        T: 'a;

    fn page_iter(&mut self) -> VmallocPageIter<'_> {
        // SAFETY: By the type invariants this is memory of `vmalloc()`, and `self` is borrowed.
        unsafe { VmallocPageIter::new(self.0.cast(), size_of::<T>()) }
    }
}

impl<T: ?Sized, A: Allocator> Borrow<T> for Box<T, A> {
    #[inline]
    fn borrow(&self) -> &T {
        self
    }
}

impl<T: ?Sized, A: Allocator> BorrowMut<T> for Box<T, A> {
    #[inline]
    fn borrow_mut(&mut self) -> &mut T {
        self
    }
}

impl<T: ?Sized + fmt::Debug, A: Allocator> fmt::Debug for Box<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display, A: Allocator> fmt::Display for Box<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized, A: Allocator> Drop for Box<T, A> {
    #[inline]
    #[track_caller]
    fn drop(&mut self) {
        /// Frees memory, also if the destructor of its value panics.
        struct Free<A: Allocator>(NonNull<u8>, Layout, PhantomData<A>);

        impl<A: Allocator> Drop for Free<A> {
            #[inline]
            #[track_caller]
            fn drop(&mut self) {
                // SAFETY: By the type invariant of `Box` the memory was allocated by `A` with this
                // layout, and the value in it is dropped.
                unsafe { A::free(self.0, self.1) };
            }
        }

        let _free = Free::<A>(self.0.cast(), Layout::for_value::<T>(self), PhantomData);

        // SAFETY: By the type invariant the value is valid. It is not used after this.
        unsafe { ptr::drop_in_place(self.0.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alloc::flags::*,
        error::{code::*, Error},
        sync::rcu,
        testing::fail_nth,
    };
    use pin_init::{init_from_closure, pin_init_from_closure};
    use std::{
        panic::{catch_unwind, AssertUnwindSafe},
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
    fn the_value_goes_and_the_memory_stays() {
        let value = Arc::new(());
        let memory = KVBox::drop_contents(KVBox::new(value.clone(), GFP_KERNEL).unwrap());
        assert_eq!(Arc::strong_count(&value), 1);

        let fault = fail_nth(1);
        let written = KVBox::write(memory, value.clone());
        assert!(!fault.tripped());
        assert_eq!(Arc::strong_count(&value), 2);
        drop(written);
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn a_slice_is_initialised_up_to_a_failure() {
        let value = &Arc::new(());
        let make = |fails: usize| {
            VBox::pin_slice(
                move |index| {
                    let value = value.clone();
                    let init = move |slot: *mut Arc<()>| {
                        if index == fails {
                            return Err(EIO);
                        }
                        // SAFETY: The slot is valid for writes.
                        unsafe { slot.write(value) };
                        Ok(())
                    };
                    // SAFETY: It writes a value, or fails.
                    unsafe { pin_init_from_closure(init) }
                },
                4,
                GFP_KERNEL,
            )
        };

        let values = make(4).unwrap();
        assert_eq!((values.len(), Arc::strong_count(value)), (4, 5));
        drop(values);
        assert_eq!(Arc::strong_count(value), 1);

        assert_eq!(make(2).err(), Some(EIO));
        assert_eq!(Arc::strong_count(value), 1);

        let _fault = fail_nth(1);
        assert_eq!(make(4).err(), Some(ENOMEM));
    }

    #[test]
    fn a_trait_object_by_its_raw_pointer() {
        let value = KBox::into_raw(KBox::new(5, GFP_KERNEL).unwrap());
        let value: *mut dyn fmt::Display = value;
        // SAFETY: The pointer comes from `into_raw()`.
        let value: KBox<dyn fmt::Display> = unsafe { KBox::from_raw(value) };
        assert_eq!(value.to_string(), "5");
    }

    #[test]
    fn a_panic_of_the_destructor_frees_the_memory() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("destructor");
            }
        }

        // AddressSanitizer looks for the memory.
        let value = KBox::new((Panics, 5), GFP_KERNEL).unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(value))).is_err());
    }
}
