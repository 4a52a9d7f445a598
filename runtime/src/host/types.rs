// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Types that everything else is made of.
//!
//! Stands for `rust/kernel/types.rs`.

pub mod for_lt;

pub use self::for_lt::{CovariantForLt, ForLt};

use core::{
    cell::UnsafeCell,
    convert::Infallible,
    marker::{PhantomData, PhantomPinned},
    mem::MaybeUninit,
    ops::{Deref, DerefMut},
};
use pin_init::{pin_init_from_closure, PinInit, Wrapper, Zeroable};

/// A value that belongs to C code, or to nobody yet.
///
/// Rust assumes nothing about it. It may be uninitialised, and may change behind a shared
/// reference. It is never `Unpin`, so a `&mut` to it need not be the only pointer to it. It is not
/// dropped; its owner does that.
///
/// # Examples
///
/// ```
/// use kernel::types::Opaque;
///
/// let value = Opaque::new(5u32);
/// // SAFETY: The value is initialised, and nobody else accesses it.
/// assert_eq!(unsafe { *value.get() }, 5);
/// ```
#[repr(transparent)]
pub struct Opaque<T> {
    value: UnsafeCell<MaybeUninit<T>>,
    _pin: PhantomPinned,
}

// SAFETY: `MaybeUninit` may hold any bytes, zeroes among them.
unsafe impl<T> Zeroable for Opaque<T> {}

impl<T> Opaque<T> {
    /// Wraps a value.
    #[inline]
    pub const fn new(value: T) -> Self {
        Self {
            value: UnsafeCell::new(MaybeUninit::new(value)),
            _pin: PhantomPinned,
        }
    }

    /// Makes room for a value that is not there yet.
    #[inline]
    pub const fn uninit() -> Self {
        Self {
            value: UnsafeCell::new(MaybeUninit::uninit()),
            _pin: PhantomPinned,
        }
    }

    /// Makes room for a value, filled with zeroes.
    #[inline]
    pub const fn zeroed() -> Self {
        Self {
            value: UnsafeCell::new(MaybeUninit::zeroed()),
            _pin: PhantomPinned,
        }
    }

    /// Initialises the value in place by a C function that cannot fail.
    ///
    /// The function gets a pointer to memory that is not initialised.
    #[inline]
    pub fn ffi_init(init: impl FnOnce(*mut T)) -> impl PinInit<Self> {
        Self::try_ffi_init(move |slot| {
            init(slot);
            Ok::<(), Infallible>(())
        })
    }

    /// Initialises the value in place by a C function that may fail.
    ///
    /// # Errors
    ///
    /// The error that `init` returns. The value then counts as not initialised.
    #[inline]
    pub fn try_ffi_init<E>(init: impl FnOnce(*mut T) -> Result<(), E>) -> impl PinInit<Self, E> {
        let init = move |slot: *mut Self| init(Self::cast_into(slot));

        // SAFETY:
        // - If it succeeds, the slot is initialised whatever `init` did: any bytes will do for
        //   the `MaybeUninit` in it, and the other field has no bytes.
        // - If it fails, there is nothing to drop, for the same reason.
        // - The value is not moved, and no reference to it is made.
        unsafe { pin_init_from_closure(init) }
    }

    /// Returns a pointer to the value.
    #[inline]
    pub const fn get(&self) -> *mut T {
        UnsafeCell::get(&self.value).cast()
    }

    /// Returns a pointer to the value, without a reference to any of it.
    #[inline]
    pub const fn cast_into(this: *const Self) -> *mut T {
        // CAST: `Self`, `UnsafeCell` and `MaybeUninit` are all transparent.
        UnsafeCell::raw_get(this.cast::<UnsafeCell<T>>())
    }

    /// Returns the pointer to the wrapper of the value that `this` points to.
    #[inline]
    pub const fn cast_from(this: *const T) -> *const Self {
        this.cast()
    }
}

impl<T> Wrapper<T> for Opaque<T> {
    #[inline]
    fn pin_init<E>(value_init: impl PinInit<T, E>) -> impl PinInit<Self, E> {
        Self::try_ffi_init(move |slot| {
            // SAFETY:
            // - `slot` is valid for writes of a `T`, and not initialised.
            // - It is not used after a failure.
            // - An `Opaque` that is initialised in place is pinned, and so is what it wraps.
            unsafe { value_init.__pinned_init(slot) }
        })
    }
}

/// Makes a type that contains it neither `Send` nor `Sync`.
///
/// # Examples
///
/// ```
/// use kernel::types::NotThreadSafe;
///
/// /// A guard that belongs to the thread that made it.
/// struct Guard(NotThreadSafe);
///
/// let _guard = Guard(NotThreadSafe);
/// ```
pub type NotThreadSafe = PhantomData<*mut ()>;

/// The value of the type of this name, so that it can be written where a value is due.
#[allow(non_upper_case_globals)]
pub const NotThreadSafe: NotThreadSafe = PhantomData;

/// Runs a function at the end of its scope, unless it is dismissed.
///
/// # Examples
///
/// ```
/// use core::cell::Cell;
/// use kernel::types::ScopeGuard;
///
/// let undone = Cell::new(false);
/// {
///     let undo = ScopeGuard::new(|| undone.set(true));
///     // Return early here, and it is undone.
///     undo.dismiss();
/// }
/// assert!(!undone.get());
/// ```
pub struct ScopeGuard<T, F: FnOnce(T)>(Option<(T, F)>);

impl<T, F: FnOnce(T)> ScopeGuard<T, F> {
    /// Makes a guard that passes `data` to `cleanup` when it is dropped.
    #[inline]
    pub fn new_with_data(data: T, cleanup: F) -> Self {
        Self(Some((data, cleanup)))
    }

    /// Returns the data; the function is not run.
    #[inline]
    pub fn dismiss(mut self) -> T {
        match self.0.take() {
            Some((data, _)) => data,
            None => unreachable!("a guard is emptied only when it is consumed"),
        }
    }
}

impl ScopeGuard<(), fn(())> {
    /// Makes a guard that runs `cleanup` when it is dropped.
    #[inline]
    pub fn new(cleanup: impl FnOnce()) -> ScopeGuard<(), impl FnOnce(())> {
        ScopeGuard::new_with_data((), move |()| cleanup())
    }
}

impl<T, F: FnOnce(T)> Deref for ScopeGuard<T, F> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.0 {
            Some((data, _)) => data,
            None => unreachable!("a guard is emptied only when it is consumed"),
        }
    }
}

impl<T, F: FnOnce(T)> DerefMut for ScopeGuard<T, F> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.0 {
            Some((data, _)) => data,
            None => unreachable!("a guard is emptied only when it is consumed"),
        }
    }
}

impl<T, F: FnOnce(T)> Drop for ScopeGuard<T, F> {
    #[inline]
    fn drop(&mut self) {
        if let Some((data, cleanup)) = self.0.take() {
            cleanup(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::{
        cell::Cell,
        mem::{align_of, size_of},
        pin::pin,
    };
    use pin_init::stack_pin_init;

    #[test]
    fn opaque_is_the_size_of_what_it_wraps_and_does_not_drop_it() {
        struct Bomb(#[allow(dead_code)] u64);
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }

        assert_eq!(size_of::<Opaque<Bomb>>(), size_of::<Bomb>());
        assert_eq!(align_of::<Opaque<Bomb>>(), align_of::<Bomb>());
        let _ = Opaque::new(Bomb(0));
    }

    #[test]
    fn opaque_is_initialised_in_place() {
        stack_pin_init!(let value = Opaque::ffi_init(|slot: *mut u32| {
            // SAFETY: `slot` is valid for writes.
            unsafe { slot.write(7) };
        }));
        // SAFETY: The value was initialised above.
        assert_eq!(unsafe { value.get().read() }, 7);

        stack_pin_init!(let value = <Opaque<u32> as Wrapper<u32>>::pin_init(8));
        // SAFETY: The value was initialised above.
        assert_eq!(unsafe { *Opaque::cast_into(&raw const *value) }, 8);
    }

    #[test]
    fn opaque_reports_a_failure() {
        let slot = pin!(pin_init::__internal::StackInit::<Opaque<u32>>::uninit());
        assert!(matches!(
            slot.init(Opaque::try_ffi_init(|_| Err("no"))),
            Err("no")
        ));
    }

    #[test]
    fn scope_guard() {
        let ran = Cell::new(0);
        drop(ScopeGuard::new(|| ran.set(1)));
        assert_eq!(ran.get(), 1);

        let mut guard = ScopeGuard::new_with_data(3, |data| ran.set(data));
        *guard += 1;
        assert_eq!(*guard, 4);
        drop(guard);
        assert_eq!(ran.get(), 4);

        assert_eq!(
            ScopeGuard::new_with_data(5, |data| ran.set(data)).dismiss(),
            5
        );
        assert_eq!(ran.get(), 4);
    }
}
