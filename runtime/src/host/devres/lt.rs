// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Resources that borrow the bound device, such as a mapped BAR: a part of `rust/kernel/devres.rs`.

use super::Devres;
use crate::{
    device::{Bound, Device},
    prelude::*,
    revocable::RevocableGuard,
    types::{CovariantForLt, ForLt},
};
use ::pin_init::pin_init_from_closure;
use core::{marker::PhantomData, ops::Deref};

/// A [`Devres`] of a resource that borrows the bound device, which the `DevresLt` outlives.
///
/// `F` is the resource's type as [`ForLt!`](macro@crate::types::ForLt) makes it. Unbind drops the
/// resource, so that nobody has it when what it borrows is gone.
///
/// # Examples
///
/// ```
/// use kernel::{
///     device::{Bound, Device},
///     devres::DevresLt,
///     prelude::*,
///     testing::TestDevice,
///     types::CovariantForLt,
/// };
///
/// /// What is mapped of a device.
/// struct Window<'a> {
///     dev: &'a Device<Bound>,
///     registers: [u32; 4],
/// }
///
/// let mut gpu = TestDevice::new(c"gpu0")?;
/// let bound = gpu.bind()?;
/// let dev: &Device<Bound> = &bound;
///
/// let window = Window { dev, registers: [0, 1, 2, 3] };
/// // SAFETY: A `Window` borrows nothing but the bound device.
/// let window = unsafe { DevresLt::<CovariantForLt!(Window<'_>)>::new(dev, window)? };
/// assert_eq!(window.access(dev)?.registers[2], 2);
/// assert_eq!(window.access(dev)?.dev.name(), c"gpu0");
///
/// bound.unbind();
/// assert!(window.try_access().is_none());
/// # Ok::<(), Error>(())
/// ```
pub struct DevresLt<F: ForLt>(Devres<F::Of<'static>>)
where
    for<'a> F::Of<'a>: Send;

impl<F: ForLt> DevresLt<F>
where
    for<'a> F::Of<'a>: Send,
{
    /// Initialises a resource and registers it with its device: see [`Devres::new()`].
    ///
    /// # Errors
    ///
    /// As for [`Devres::new()`].
    ///
    /// # Safety
    ///
    /// The resource has to be valid for as long as `dev` is bound, and not only for `'a`. It may
    /// borrow the bound device, but nothing that goes before the device is unbound.
    #[track_caller]
    pub unsafe fn new<'a, E>(
        dev: &'a Device<Bound>,
        data: impl PinInit<F::Of<'a>, E>,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        let init = move |slot: *mut F::Of<'static>| {
            // SAFETY: The slot is valid for the type, which differs in a lifetime.
            unsafe { data.__pinned_init(slot.cast::<F::Of<'a>>()) }
        };
        // SAFETY: It initialises the slot in place. The caller promises that the value is good until
        // the device is unbound, and after that nobody has it.
        let data = unsafe { pin_init_from_closure(init) };

        Ok(Self(Devres::new(dev, data)?))
    }

    /// Returns the device that the resource belongs to.
    #[inline]
    pub fn device(&self) -> &Device {
        self.0.device()
    }

    /// Runs `f` on the resource, while the device is known to be bound: see [`Devres::access()`].
    ///
    /// # Errors
    ///
    /// `EINVAL` if `dev` is not the device that the resource belongs to.
    ///
    /// # Panics
    ///
    /// As for [`Devres::access()`].
    #[inline]
    #[track_caller]
    pub fn access_with<R, G>(&self, dev: &Device<Bound>, f: G) -> Result<R>
    where
        G: for<'a> FnOnce(&F::Of<'a>) -> R,
    {
        self.0.access(dev).map(f)
    }

    /// Runs `f` on the resource in an RCU read-side section, or returns [`None`] after the driver
    /// was unbound: see [`Devres::try_access_with()`].
    ///
    /// # Context
    ///
    /// Does not sleep, and `f` must not.
    #[inline]
    pub fn try_access_with<R, G>(&self, f: G) -> Option<R>
    where
        G: for<'a> FnOnce(&F::Of<'a>) -> R,
    {
        self.0.try_access_with(f)
    }
}

impl<F: CovariantForLt> DevresLt<F>
where
    for<'a> F::Of<'a>: Send,
{
    /// Returns the resource, for as long as the device is known to be bound: see
    /// [`Devres::access()`].
    ///
    /// # Errors
    ///
    /// `EINVAL` if `dev` is not the device that the resource belongs to.
    ///
    /// # Panics
    ///
    /// As for [`Devres::access()`].
    #[inline]
    #[track_caller]
    pub fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a F::Of<'a>> {
        self.0.access(dev).map(F::cast_ref)
    }

    /// Returns the resource, with an RCU read-side section that keeps it, or [`None`] after the
    /// driver was unbound: see [`Devres::try_access()`].
    ///
    /// # Context
    ///
    /// Does not sleep, and nothing may until the guard is dropped.
    #[inline]
    pub fn try_access(&self) -> Option<DevresGuard<'_, F>> {
        self.0
            .try_access()
            .map(|guard| DevresGuard(guard, PhantomData))
    }
}

/// The result of [`DevresLt::try_access()`]: it dereferences to the resource, and keeps it.
pub struct DevresGuard<'a, F: CovariantForLt>(
    RevocableGuard<'a, F::Of<'static>>,
    PhantomData<&'a F>,
);

impl<'a, F: CovariantForLt> Deref for DevresGuard<'a, F> {
    type Target = F::Of<'a>;

    #[inline]
    fn deref(&self) -> &F::Of<'a> {
        F::cast_ref(&*self.0)
    }
}
