// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Types that are generic over a lifetime, without one. Stands for `rust/kernel/types/for_lt.rs`.

use core::marker::PhantomData;

pub use devres_lazy_pin_macros::{CovariantForLt, ForLt};

/// A type that is generic over a lifetime.
///
/// [`ForLt!`](macro@ForLt) makes such types.
///
/// # Examples
///
/// ```
/// use kernel::types::ForLt;
///
/// struct Window<'a>(&'a [u32]);
///
/// fn first<F>(of: impl for<'a> Fn(&F::Of<'a>) -> u32, value: F::Of<'_>) -> u32
/// where
///     F: ForLt,
/// {
///     of(&value)
/// }
///
/// let registers = [5, 6];
/// let value = first::<ForLt!(Window<'_>)>(|window| window.0[0], Window(&registers));
/// assert_eq!(value, 5);
/// ```
pub trait ForLt {
    /// The type with that lifetime.
    type Of<'a>: 'a;
}

/// A [`ForLt`](trait@ForLt) whose types are covariant: one with a longer lifetime can be used as one with a
/// shorter lifetime.
///
/// [`CovariantForLt!`](macro@CovariantForLt) makes such types, and has the compiler prove it.
///
/// # Safety
///
/// `Of` is covariant.
///
/// # Examples
///
/// A type that is not does not compile:
///
/// ```compile_fail
/// use core::cell::Cell;
/// use kernel::types::CovariantForLt;
///
/// fn covariant<F: CovariantForLt>() {}
/// covariant::<CovariantForLt!(Cell<&u32>)>();
/// ```
///
/// ```
/// use kernel::types::CovariantForLt;
///
/// fn covariant<F: CovariantForLt>() {}
/// covariant::<CovariantForLt!(Option<&u32>)>();
/// ```
pub unsafe trait CovariantForLt: ForLt {
    /// Shortens the lifetime of what is behind a reference.
    #[inline]
    fn cast_ref<'r, 'short: 'r, 'long: 'short>(long: &'r Self::Of<'long>) -> &'r Self::Of<'short> {
        let short: *const Self::Of<'short> = (&raw const *long).cast();

        // SAFETY: The implementation promises that the types are covariant, so that the compiler
        // would do this if it knew them.
        unsafe { &*short }
    }
}

/// The type that the two macros make. Only they may name it.
///
/// `T` is `dyn for<'a> WithLt<'a, Of = ..>`, `Static` the type with the lifetime `'static`, which
/// is there to be well-formed, and `COVARIANT` is 1 where the macro has proved it.
#[doc(hidden)]
pub struct UnsafeForLtImpl<T: ?Sized, Static, const COVARIANT: usize>(PhantomData<(Static, T)>);

/// The trait by which the macros name a type with a lifetime.
#[doc(hidden)]
pub trait WithLt<'a> {
    /// The type.
    type Of: 'a;
}

impl<T, Static, const COVARIANT: usize> ForLt for UnsafeForLtImpl<T, Static, COVARIANT>
where
    T: ?Sized + for<'a> WithLt<'a>,
{
    type Of<'a> = <T as WithLt<'a>>::Of;
}

// SAFETY: `CovariantForLt!` gives 1 together with functions that do not compile unless the type is
// covariant.
unsafe impl<T, Static> CovariantForLt for UnsafeForLtImpl<T, Static, 1> where
    T: ?Sized + for<'a> WithLt<'a>
{
}
