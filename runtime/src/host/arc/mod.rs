// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Shared ownership of a value of Rust code.
//!
//! Stands for `rust/kernel/sync/arc.rs` and the file below `rust/kernel/sync/arc/`. Allocation can fail, the value is pinned, and there are no
//! weak references. The count is a `refcount_t`.
//!
//! The pointers do not coerce to those of a trait object or a slice, as they do in the kernel: that
//! takes an unstable feature of the compiler.

mod unique;

pub use self::unique::UniqueArc;

use crate::{
    alloc::{AllocError, Flags, KBox},
    bindings::refcount_t,
    init::InPlaceInit,
};
use core::{
    alloc::Layout,
    any::{type_name, Any},
    borrow::Borrow,
    fmt,
    marker::PhantomData,
    mem::{offset_of, ManuallyDrop},
    ops::Deref,
    pin::Pin,
    ptr::NonNull,
};
use pin_init::{Init, PinInit};

/// A value and the count of its references. An [`Arc`] may be moved whether or not the value may.
#[pin_init::pin_data]
#[repr(C)]
struct ArcInner<T: ?Sized> {
    refcount: refcount_t,
    data: T,
}

impl<T: ?Sized> ArcInner<T> {
    /// Returns the pointer to the whole.
    ///
    /// # Safety
    ///
    /// `data` must point to the `data` of a valid `ArcInner`, with the provenance of the whole.
    unsafe fn of(data: *const T) -> NonNull<Self> {
        // SAFETY: By the safety requirement the value is valid.
        let layout = Layout::for_value(unsafe { &*data });
        let offset = size_of::<refcount_t>().next_multiple_of(layout.align());

        // CAST: The metadata of `T`, its last field, is that of the whole.
        let inner = data as *const Self;
        // SAFETY: By the safety requirement `data` is so far into the whole.
        let inner = unsafe { inner.byte_sub(offset) };
        // SAFETY: So it is not null.
        unsafe { NonNull::new_unchecked(inner.cast_mut()) }
    }
}

/// A reference-counted pointer to a value, which is dropped with the last one.
///
/// The value is pinned: there is no way to move it, or to get `&mut` to it.
///
/// # Invariants
///
/// The pointer is valid, and the `Arc` owns one reference.
///
/// # Examples
///
/// ```
/// use kernel::{prelude::*, sync::Arc};
///
/// let first = Arc::new(3, GFP_KERNEL)?;
/// let second = first.clone();
/// assert!(Arc::ptr_eq(&first, &second));
/// # Ok::<(), Error>(())
/// ```
#[repr(transparent)]
pub struct Arc<T: ?Sized> {
    ptr: NonNull<ArcInner<T>>,
    _p: PhantomData<ArcInner<T>>,
}

// SAFETY: An `Arc` gives `&T` (`Sync`), and may drop the `T` on the thread that it is on (`Send`).
unsafe impl<T: ?Sized + Sync + Send> Send for Arc<T> {}

// SAFETY: A shared `Arc` gives `&T`, and can be cloned and so dropped on another thread.
unsafe impl<T: ?Sized + Sync + Send> Sync for Arc<T> {}

impl<T> Arc<T> {
    /// How far the value is behind the start of the allocation.
    pub const DATA_OFFSET: usize = offset_of!(ArcInner<T>, data);

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
        let inner = KBox::new(
            ArcInner {
                refcount: refcount_t::new(1),
                data: contents,
            },
            flags,
        )?;

        // SAFETY: The count is one, for this reference.
        Ok(unsafe { Self::from_inner(NonNull::from(KBox::leak(inner))) })
    }
}

impl<T: ?Sized> Arc<T> {
    /// Takes over a reference.
    ///
    /// # Safety
    ///
    /// `inner` must be that of an `Arc`, and the caller must own a reference that no `Arc` stands
    /// for.
    #[inline]
    unsafe fn from_inner(inner: NonNull<ArcInner<T>>) -> Self {
        // INVARIANT: By the safety requirement.
        Self {
            ptr: inner,
            _p: PhantomData,
        }
    }

    /// Returns the count.
    #[inline]
    fn refcount(&self) -> &refcount_t {
        // SAFETY: By the type invariant the pointer is valid.
        &unsafe { self.ptr.as_ref() }.refcount
    }

    /// Gives up the reference, which the caller has to put: see [`from_raw()`](Self::from_raw).
    #[inline]
    pub fn into_raw(self) -> *const T {
        Self::as_ptr(&ManuallyDrop::new(self))
    }

    /// Takes over a reference.
    ///
    /// # Safety
    ///
    /// `ptr` must come from [`into_raw()`](Self::into_raw) or [`as_ptr()`](Self::as_ptr) of an
    /// `Arc` of this type, and the caller must own a reference that no `Arc` stands for.
    #[inline]
    pub unsafe fn from_raw(ptr: *const T) -> Self {
        // SAFETY: By the safety requirement it points to the value of an `Arc`.
        let inner = unsafe { ArcInner::of(ptr) };

        // SAFETY: The caller promises to own a reference that no `Arc` stands for.
        unsafe { Self::from_inner(inner) }
    }

    /// Returns the pointer to the value, valid as long as there is a reference.
    #[inline]
    pub fn as_ptr(this: &Self) -> *const T {
        let inner = this.ptr.as_ptr();

        // SAFETY: By the type invariant the pointer is valid.
        unsafe { &raw const (*inner).data }
    }

    /// Borrows the reference, without a change of the count.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{prelude::*, sync::{Arc, ArcBorrow}};
    ///
    /// fn keep(value: ArcBorrow<'_, u32>) -> Arc<u32> {
    ///     value.into()
    /// }
    ///
    /// let value = Arc::new(5, GFP_KERNEL)?;
    /// assert!(Arc::ptr_eq(&keep(value.as_arc_borrow()), &value));
    /// # Ok::<(), Error>(())
    /// ```
    #[inline]
    pub fn as_arc_borrow(&self) -> ArcBorrow<'_, T> {
        // SAFETY: `self` owns a reference for as long as the result exists.
        unsafe { ArcBorrow::new(self.ptr) }
    }

    /// Returns whether both point to the same value.
    #[inline]
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        core::ptr::addr_eq(this.ptr.as_ptr(), other.ptr.as_ptr())
    }

    /// Puts the reference, and returns the value if it was the last one.
    ///
    /// If several threads put the references that are left in this way, one of them gets the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{prelude::*, sync::Arc};
    ///
    /// let first = Arc::new(5, GFP_KERNEL)?;
    /// let second = first.clone();
    /// assert!(Arc::into_unique_or_drop(first).is_none());
    ///
    /// let mut value = Arc::into_unique_or_drop(second).unwrap();
    /// *value += 1;
    /// assert_eq!(*Arc::from(value), 6);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn into_unique_or_drop(this: Self) -> Option<Pin<UniqueArc<T>>> {
        let this = ManuallyDrop::new(this);

        if !this.refcount().dec_and_test(type_name::<T>()) {
            return None;
        }
        // The value is this thread's, and the reference is its own again.
        this.refcount().set(1);
        // SAFETY: There is no other reference.
        Some(Pin::from(unsafe {
            UniqueArc::from_arc(ManuallyDrop::into_inner(this))
        }))
    }
}

impl Arc<dyn Any + Send + Sync> {
    /// Returns the value as one of the type `T`.
    ///
    /// # Errors
    ///
    /// `self` if it has another type.
    pub fn downcast<T>(self) -> core::result::Result<Arc<T>, Self>
    where
        T: Any + Send + Sync,
    {
        if !(*self).is::<T>() {
            return Err(self);
        }

        let inner = ManuallyDrop::new(self).ptr;
        // SAFETY: It is an `ArcInner<T>`, and `self` was given up for this reference.
        Ok(unsafe { Arc::from_inner(inner.cast()) })
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
        UniqueArc::try_pin_init(init, flags).map(Self::from)
    }

    #[inline]
    #[track_caller]
    fn try_init<E>(init: impl Init<T, E>, flags: Flags) -> Result<Self, E>
    where
        E: From<AllocError>,
    {
        UniqueArc::try_init(init, flags).map(Self::from)
    }
}

impl<T: ?Sized> Clone for Arc<T> {
    #[inline]
    fn clone(&self) -> Self {
        self.refcount().inc(type_name::<T>());

        // SAFETY: The count was incremented just now.
        unsafe { Self::from_inner(self.ptr) }
    }
}

impl<T: ?Sized> Drop for Arc<T> {
    #[inline]
    fn drop(&mut self) {
        if self.refcount().dec_and_test(type_name::<T>()) {
            // SAFETY: It was allocated by `KBox`, and there are no other references.
            drop(unsafe { KBox::from_raw(self.ptr.as_ptr()) });
        }
    }
}

impl<T: ?Sized> From<UniqueArc<T>> for Arc<T> {
    #[inline]
    fn from(item: UniqueArc<T>) -> Self {
        item.into_arc()
    }
}

impl<T: ?Sized> From<Pin<UniqueArc<T>>> for Arc<T> {
    #[inline]
    fn from(item: Pin<UniqueArc<T>>) -> Self {
        // SAFETY: The value of an `Arc` is pinned.
        unsafe { Pin::into_inner_unchecked(item) }.into_arc()
    }
}

impl<T: ?Sized> Deref for Arc<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the pointer is valid.
        &unsafe { self.ptr.as_ref() }.data
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

/// A borrowed [`Arc`]: a `&T` that can become an `Arc`.
///
/// It is smaller than an `&Arc<T>` by one dereference, and can be made from the pointer of an `Arc`
/// that C code keeps.
///
/// # Invariants
///
/// The pointer is valid, and there is a reference, during `'a`.
#[repr(transparent)]
pub struct ArcBorrow<'a, T: ?Sized + 'a> {
    inner: NonNull<ArcInner<T>>,
    _p: PhantomData<&'a ()>,
}

impl<T: ?Sized> ArcBorrow<'_, T> {
    /// Makes one.
    ///
    /// # Safety
    ///
    /// `inner` must be that of an `Arc`, and there must be a reference for as long as the result
    /// exists. There must be no [`UniqueArc`] of it.
    #[inline]
    unsafe fn new(inner: NonNull<ArcInner<T>>) -> Self {
        // INVARIANT: By the safety requirement.
        Self {
            inner,
            _p: PhantomData,
        }
    }

    /// Makes one of the pointer that an [`Arc`] was given up for.
    ///
    /// # Safety
    ///
    /// `ptr` must come from [`Arc::into_raw()`] or [`Arc::as_ptr()`] of this type. For as long as the
    /// result exists, there must be a reference, and no [`UniqueArc`].
    #[inline]
    pub unsafe fn from_raw(ptr: *const T) -> Self {
        // SAFETY: By the safety requirement it points to the value of an `Arc`.
        let inner = unsafe { ArcInner::of(ptr) };

        // SAFETY: The caller promises a reference for as long as the result exists, and that there
        // is no `UniqueArc`.
        unsafe { Self::new(inner) }
    }
}

impl<T: ?Sized> Clone for ArcBorrow<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for ArcBorrow<'_, T> {}

impl<T: ?Sized> From<ArcBorrow<'_, T>> for Arc<T> {
    #[inline]
    fn from(b: ArcBorrow<'_, T>) -> Self {
        // SAFETY: It is not dropped, so that the reference stays its owner's.
        let borrowed = ManuallyDrop::new(unsafe { Arc::from_inner(b.inner) });
        Arc::clone(&borrowed)
    }
}

impl<T: ?Sized> Deref for ArcBorrow<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the pointer is valid.
        &unsafe { self.inner.as_ref() }.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{prelude::*, testing::fail_nth};
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
    fn a_borrow_becomes_a_reference() {
        let dropped = &Cell::new(0);
        let raw = Arc::new(Tell(dropped), GFP_KERNEL).unwrap().into_raw();

        // SAFETY: `raw` comes from `into_raw()`, and stands for a reference.
        let borrow = unsafe { ArcBorrow::from_raw(raw) };
        let copy = borrow;
        assert_eq!(copy.0.get(), 0);
        let owned = Arc::from(borrow);
        assert_eq!(Arc::as_ptr(&owned), raw);

        // SAFETY: `raw` comes from `into_raw()`.
        drop(unsafe { Arc::from_raw(raw) });
        assert_eq!(dropped.get(), 0);
        drop(owned);
        assert_eq!(dropped.get(), 1);
    }

    #[test]
    fn one_of_those_who_put_it_gets_the_value() {
        for _ in 0..200 {
            let value = Arc::new(5, GFP_KERNEL).unwrap();
            let values: Vec<_> = (0..3).map(|_| value.clone()).collect();
            drop(value);

            let got = std::thread::scope(|scope| {
                let threads: Vec<_> = values
                    .into_iter()
                    .map(|value| scope.spawn(|| Arc::into_unique_or_drop(value).is_some()))
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap())
                    .filter(|got| *got)
                    .count()
            });
            assert_eq!(got, 1);
        }
    }

    #[test]
    fn a_value_of_no_size_known_has_its_place() {
        #[repr(align(64))]
        struct Aligned(u8);

        let value = Arc::new(Aligned(7), GFP_KERNEL).unwrap();
        assert_eq!(Arc::<Aligned>::DATA_OFFSET, 64);
        assert_eq!(Arc::<u8>::DATA_OFFSET, 4);
        let raw = value.into_raw();
        assert!(raw.is_aligned());
        // SAFETY: `raw` comes from `into_raw()`.
        assert_eq!(unsafe { Arc::from_raw(raw) }.0, 7);

        let slice: *const [u32] = Arc::new([1, 2, 3], GFP_KERNEL).unwrap().into_raw();
        // SAFETY: `slice` comes from `into_raw()`, and has the same layout.
        let slice: Arc<[u32]> = unsafe { Arc::from_raw(slice) };
        assert_eq!(slice.iter().sum::<u32>(), 6);

        let any = Arc::new(5_u32, GFP_KERNEL).unwrap().into_raw();
        let any: *const (dyn Any + Send + Sync) = any;
        // SAFETY: `any` comes from `into_raw()`, and has the same layout.
        let any: Arc<dyn Any + Send + Sync> = unsafe { Arc::from_raw(any) };
        let any = any.downcast::<u64>().err().unwrap();
        assert_eq!(*any.downcast::<u32>().ok().unwrap(), 5);
    }

    #[test]
    fn allocation_fails_on_demand() {
        let _fault = fail_nth(1);
        assert_eq!(Arc::new(1, GFP_KERNEL).err(), Some(AllocError));
    }
}
