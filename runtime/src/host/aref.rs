// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Owned references to objects that count their references themselves.
//!
//! Stands for `rust/kernel/sync/aref.rs`.

use core::{fmt, marker::PhantomData, mem::ManuallyDrop, ops::Deref, ptr::NonNull};

/// Types whose instances are all reference-counted, by the type's own means.
///
/// # Safety
///
/// - After [`inc_ref()`](Self::inc_ref) an instance must exist at least until the matching
///   [`dec_ref()`](Self::dec_ref).
/// - No instance may exist that is not reference-counted, as on a stack.
pub unsafe trait AlwaysRefCounted {
    /// Takes one more reference.
    fn inc_ref(&self);

    /// Puts one reference; with the last one the object is gone.
    ///
    /// # Safety
    ///
    /// The caller must own a reference to `obj`, and give it up by this call.
    unsafe fn dec_ref(obj: NonNull<Self>);
}

/// An owned reference to an [`AlwaysRefCounted`] object.
///
/// # Invariants
///
/// The pointer is valid, and the `ARef` owns one reference to the object.
///
/// # Examples
///
/// ```
/// use kernel::{device::Device, prelude::*, sync::aref::ARef, testing::TestDevice};
///
/// let device: ARef<Device> = {
///     let gpu = TestDevice::new(c"gpu0")?;
///     gpu.device()
/// };
///
/// // The `struct device` is there as long as there is a reference.
/// assert_eq!(device.name(), c"gpu0");
/// # Ok::<(), Error>(())
/// ```
pub struct ARef<T: AlwaysRefCounted> {
    ptr: NonNull<T>,
    _p: PhantomData<T>,
}

// SAFETY: An `ARef` lends `&T` (`Sync`), and may drop the `T` on the thread it is on (`Send`).
unsafe impl<T: AlwaysRefCounted + Sync + Send> Send for ARef<T> {}

// SAFETY: A shared `ARef` lends `&T`, and can be cloned and so dropped on another thread.
unsafe impl<T: AlwaysRefCounted + Sync + Send> Sync for ARef<T> {}

// Moving the pointer does not move what it points to.
impl<T: AlwaysRefCounted> Unpin for ARef<T> {}

impl<T: AlwaysRefCounted> ARef<T> {
    /// Takes over a reference that the caller owns.
    ///
    /// # Safety
    ///
    /// `ptr` must be valid, and the caller must own a reference to the object and give it up.
    #[inline]
    pub unsafe fn from_raw(ptr: NonNull<T>) -> Self {
        // INVARIANT: By the caller's promise.
        Self {
            ptr,
            _p: PhantomData,
        }
    }

    /// Gives the reference to the caller, who has to put it: see [`from_raw()`](Self::from_raw).
    #[inline]
    pub fn into_raw(me: Self) -> NonNull<T> {
        ManuallyDrop::new(me).ptr
    }
}

impl<T: AlwaysRefCounted> Clone for ARef<T> {
    #[inline]
    fn clone(&self) -> Self {
        Self::from(&**self)
    }
}

impl<T: AlwaysRefCounted> Deref for ARef<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the object exists as long as `self`.
        unsafe { self.ptr.as_ref() }
    }
}

impl<T: AlwaysRefCounted> From<&T> for ARef<T> {
    #[inline]
    fn from(object: &T) -> Self {
        object.inc_ref();

        // SAFETY: The pointer comes from a reference, and the reference count was taken above.
        unsafe { Self::from_raw(NonNull::from(object)) }
    }
}

impl<T: AlwaysRefCounted> Drop for ARef<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant `self` owns a reference, and it is gone after this.
        unsafe { T::dec_ref(self.ptr) };
    }
}

impl<T, U> PartialEq<ARef<U>> for ARef<T>
where
    T: AlwaysRefCounted + PartialEq<U>,
    U: AlwaysRefCounted,
{
    #[inline]
    fn eq(&self, other: &ARef<U>) -> bool {
        **self == **other
    }
}

impl<T: AlwaysRefCounted + Eq> Eq for ARef<T> {}

impl<T: AlwaysRefCounted + fmt::Debug> fmt::Debug for ARef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    /// Counts by a cell, and is freed by nobody.
    struct Counted(Cell<u32>);

    // SAFETY: A leaked instance exists forever, and the test makes no others.
    unsafe impl AlwaysRefCounted for Counted {
        fn inc_ref(&self) {
            self.0.set(self.0.get() + 1);
        }

        unsafe fn dec_ref(obj: NonNull<Self>) {
            // SAFETY: By the caller's promise the object exists.
            let this = unsafe { obj.as_ref() };
            this.0.set(this.0.get() - 1);
        }
    }

    #[test]
    fn counts() {
        let object: &Counted = Box::leak(Box::new(Counted(Cell::new(1))));

        // SAFETY: The count started at one, for this.
        let first = unsafe { ARef::from_raw(NonNull::from(object)) };
        let second = first.clone();
        let third: ARef<Counted> = (&*second).into();
        assert_eq!(object.0.get(), 3);

        let raw = ARef::into_raw(third);
        assert_eq!(object.0.get(), 3);
        // SAFETY: `raw` comes from `into_raw()`.
        drop(unsafe { ARef::from_raw(raw) });
        assert_eq!(object.0.get(), 2);

        drop(first);
        drop(second);
        assert_eq!(object.0.get(), 0);
    }
}
