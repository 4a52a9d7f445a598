// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Initialisers that are made when they are run: a part of the kernel's crate `pin-init` that the
//! published one does not have.

use pin_init::{pin_init_from_closure, PinInit};

/// Makes an initialiser of a function that makes one, which is called when the value is
/// initialised. The function may first do work that can fail, and may use `?`.
///
/// # Examples
///
/// ```
/// use kernel::{init::pin_init_scope, prelude::*};
///
/// #[pin_data]
/// struct Queue {
///     depth: u32,
/// }
///
/// fn queue(depth: Result<u32>) -> impl PinInit<Queue, Error> {
///     pin_init_scope(move || {
///         let depth = depth?;
///         Ok(try_pin_init!(Queue { depth }))
///     })
/// }
///
/// assert_eq!(KBox::pin_init(queue(Ok(4)), GFP_KERNEL)?.depth, 4);
/// assert_eq!(KBox::pin_init(queue(Err(ENODEV)), GFP_KERNEL).err(), Some(ENODEV));
/// # Ok::<(), Error>(())
/// ```
pub fn pin_init_scope<T, E, F, I>(make_init: F) -> impl PinInit<T, E>
where
    F: FnOnce() -> Result<I, E>,
    I: PinInit<T, E>,
{
    let init = move |slot: *mut T| {
        // SAFETY: The slot is that of the initialiser.
        unsafe { make_init()?.__pinned_init(slot) }
    };

    // SAFETY: It is as good as the initialiser that it runs, and touches nothing if there is none.
    unsafe { pin_init_from_closure(init) }
}
