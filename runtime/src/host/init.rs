// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Initialisation in place, with allocations that can fail.
//!
//! Stands for `rust/kernel/init.rs`. It builds on the pin-init library, the same one as the
//! kernel's, which is published as `pinned-init`.

use crate::{
    alloc::{AllocError, Flags},
    error::{self, Error},
};
use pin_init::{init_from_closure, pin_init_from_closure, Init, PinInit};

pub use super::init_scope::pin_init_scope;

#[doc(hidden)]
pub use ::pinned_init as __pin_init;

#[doc(hidden)]
pub mod pin_init_crate {
    //! The items that a driver in a kernel tree finds in the crate `pin_init`, which it names
    //! without depending on it.

    pub use super::pin_init_scope;
    pub use pin_init::*;
}

mod zeroable {
    //! The trait of pin-init and the derive macro of the same name, which is not pin-init's own.

    pub use devres_lazy_pin_macros::Zeroable;
    // The names above shadow the macro in here.
    pub use pin_init::*;
}

#[doc(no_inline)]
pub use zeroable::Zeroable;

/// Smart pointers that a value can be initialised in: [`KBox`](crate::alloc::KBox) and
/// [`Arc`](crate::sync::Arc).
///
/// If the initialiser fails or panics, the memory is freed and nothing else happens.
pub trait InPlaceInit<T>: Sized {
    /// The pinned pointer: `Pin<Self>`, or `Self` for a pointer whose value is pinned anyway.
    type PinnedSelf;

    /// Allocates memory and initialises a pinned value in it.
    ///
    /// # Errors
    ///
    /// [`AllocError`], in which case the initialiser is not run, or what the initialiser returns.
    ///
    /// # Context
    ///
    /// May sleep with `GFP_KERNEL`, and if the initialiser does.
    fn try_pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> Result<Self::PinnedSelf, E>
    where
        E: From<AllocError>;

    /// As [`try_pin_init()`](Self::try_pin_init), for any error that converts into an [`Error`].
    ///
    /// # Errors
    ///
    /// `ENOMEM`, in which case the initialiser is not run, or what the initialiser returns.
    ///
    /// # Context
    ///
    /// May sleep with `GFP_KERNEL`, and if the initialiser does.
    #[inline]
    #[track_caller]
    fn pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> error::Result<Self::PinnedSelf>
    where
        Error: From<E>,
    {
        let init = |slot: *mut T| {
            // SAFETY: The caller of this closure promises what the initialiser asks of its own.
            unsafe { init.__pinned_init(slot) }.map_err(Error::from)
        };
        // SAFETY: The closure does what an initialiser does, and changes the error only.
        Self::try_pin_init(unsafe { pin_init_from_closure(init) }, flags)
    }

    /// Allocates memory and initialises a value in it.
    ///
    /// # Errors
    ///
    /// [`AllocError`], in which case the initialiser is not run, or what the initialiser returns.
    ///
    /// # Context
    ///
    /// May sleep with `GFP_KERNEL`, and if the initialiser does.
    fn try_init<E>(init: impl Init<T, E>, flags: Flags) -> Result<Self, E>
    where
        E: From<AllocError>;

    /// As [`try_init()`](Self::try_init), for any error that converts into an [`Error`].
    ///
    /// # Errors
    ///
    /// `ENOMEM`, in which case the initialiser is not run, or what the initialiser returns.
    ///
    /// # Context
    ///
    /// May sleep with `GFP_KERNEL`, and if the initialiser does.
    #[inline]
    #[track_caller]
    fn init<E>(init: impl Init<T, E>, flags: Flags) -> error::Result<Self>
    where
        Error: From<E>,
    {
        let init = |slot: *mut T| {
            // SAFETY: The caller of this closure promises what the initialiser asks of its own.
            unsafe { init.__init(slot) }.map_err(Error::from)
        };
        // SAFETY: The closure does what an initialiser does, and changes the error only.
        Self::try_init(unsafe { init_from_closure(init) }, flags)
    }
}

/// Makes an in-place initialiser for a struct, whose fields may fail to initialise.
///
/// As pin-init's macro of this name, but the error is [`Error`] unless another one is named
/// behind the braces: `try_init!(Foo { .. }? OtherError)`.
///
/// # Examples
///
/// ```
/// use kernel::prelude::*;
///
/// struct Buffer {
///     data: KBox<[u8; 64]>,
/// }
///
/// let buffer = KBox::init(
///     try_init!(Buffer {
///         data: KBox::zeroed(GFP_KERNEL)?,
///     }),
///     GFP_KERNEL,
/// )?;
/// assert_eq!(buffer.data[0], 0);
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! try_init {
    ($(&$this:ident in)? $t:ident $(::<$($generics:ty),* $(,)?>)? {
        $($fields:tt)*
    }) => {
        $crate::try_init!($(&$this in)? $t $(::<$($generics),*>)? {
            $($fields)*
        }? $crate::error::Error)
    };
    ($(&$this:ident in)? $t:ident $(::<$($generics:ty),* $(,)?>)? {
        $($fields:tt)*
    }? $err:ty) => {
        $crate::init::__pin_init::try_init!($(&$this in)? $t $(::<$($generics),*>)? {
            $($fields)*
        }? $err)
    };
}

/// Makes an in-place initialiser for a pinned struct, whose fields may fail to initialise.
///
/// As pin-init's macro of this name, but the error is [`Error`] unless another one is named
/// behind the braces: `try_pin_init!(Foo { .. }? OtherError)`.
///
/// # Examples
///
/// ```
/// use kernel::{new_mutex, prelude::*, sync::Mutex};
///
/// #[pin_data]
/// struct Queue {
///     #[pin]
///     jobs: Mutex<u32>,
///     ring: KBox<[u8; 64]>,
/// }
///
/// let queue = KBox::pin_init(
///     try_pin_init!(Queue {
///         jobs <- new_mutex!(0),
///         ring: KBox::zeroed(GFP_KERNEL)?,
///     }),
///     GFP_KERNEL,
/// )?;
/// assert_eq!(*queue.jobs.lock(), u32::from(queue.ring[0]));
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! try_pin_init {
    ($(&$this:ident in)? $t:ident $(::<$($generics:ty),* $(,)?>)? {
        $($fields:tt)*
    }) => {
        $crate::try_pin_init!($(&$this in)? $t $(::<$($generics),*>)? {
            $($fields)*
        }? $crate::error::Error)
    };
    ($(&$this:ident in)? $t:ident $(::<$($generics:ty),* $(,)?>)? {
        $($fields:tt)*
    }? $err:ty) => {
        $crate::init::__pin_init::try_pin_init!($(&$this in)? $t $(::<$($generics),*>)? {
            $($fields)*
        }? $err)
    };
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use core::cell::Cell;
    use std::panic::{catch_unwind, AssertUnwindSafe};

    /// Tells when it is dropped.
    struct Part<'a>(&'a Cell<u32>);

    impl Drop for Part<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[pin_data]
    struct Whole<'a> {
        first: Part<'a>,
        second: Part<'a>,
    }

    #[test]
    fn the_error_is_ours_by_default() {
        let dropped = &Cell::new(0);
        let init = try_pin_init!(Whole {
            first: Part(dropped),
            second: Err(EBUSY)?,
        });

        assert_eq!(KBox::pin_init(init, GFP_KERNEL).err(), Some(EBUSY));
        assert_eq!(dropped.get(), 1);
    }

    #[test]
    fn another_error_converts() {
        let dropped = &Cell::new(0);
        let init = try_init!(Whole {
            first: Part(dropped),
            second: Err(crate::alloc::AllocError)?,
        }? crate::alloc::AllocError);

        assert_eq!(KBox::init(init, GFP_KERNEL).err(), Some(ENOMEM));
        assert_eq!(dropped.get(), 1);
    }

    #[test]
    fn a_panic_in_an_initialiser_drops_what_is_there() {
        let dropped = &Cell::new(0);
        let fails = || -> Part<'_> { panic!("second") };
        let init = try_pin_init!(Whole {
            first: Part(dropped),
            second: fails(),
        });
        let result = catch_unwind(AssertUnwindSafe(|| {
            KBox::pin_init(init, GFP_KERNEL).map(|_| ())
        }));

        assert!(result.is_err());
        assert_eq!(dropped.get(), 1);
    }
}
