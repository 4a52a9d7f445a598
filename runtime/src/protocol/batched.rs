// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A resource that is there from the start, and belongs to one device: what a slot keeps its
//! resource in, without the slot.
//!
//! One source for the host and the kernel, under the same rule as the slot.

use super::{
    lazy::{
        same_device,
        LazyGuard, //
    },
    slot::{
        Claimed,
        Slot, //
    },
    sys,
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::aref::ARef,
    types::ScopeGuard, //
};
use core::ptr;

/// A resource that is dropped when its device is unbound, or with its owner, whichever comes first.
///
/// It has the methods of [`Devres`](crate::devres::Devres), and its promises, at another price: all
/// that a device has of these share one devres node. Unbind waits for one RCU grace period for all
/// of them together, or for none if nobody has called a [`try_access()`](Self::try_access).
/// Dropping one takes the same time however many there are. The resource is in place, in the owner,
/// and takes no allocation of its own.
///
/// After unbind every use is refused, also when the same device is bound again.
///
/// The initialiser links the resource's place in the owner with the device. So the owner must not
/// be freed without the destructor of this type. `Opaque` and `MaybeUninit`, which drop nothing,
/// must not hold a `Batched`. A `Devres` in them would only leak.
///
/// # Release order
///
/// That of [`Lazy`](crate::devres::Lazy), with which it shares the node: in the reverse order of
/// creation among those of the device, which have one place among what else devres releases.
///
/// # Drop
///
/// May sleep, as unbind may be dropping the resource at the time; the resource is gone in the end.
#[pin_data(PinnedDrop)]
pub struct Batched<T: 'static> {
    #[pin]
    inner: Slot<T>,
    dev: ARef<Device>,
}

// SAFETY: It owns its resource, which is `Send`, and a share in the registry of a device, which any
// thread may use.
unsafe impl<T: Send + Sync> Send for Batched<T> {}

// SAFETY: When shared, it lends `&T`, which is fine on any thread as `T: Sync`, and drops `T` on
// the thread that unbinds, which is fine as `T: Send`. The resource is written before it can be
// shared.
unsafe impl<T: Send + Sync> Sync for Batched<T> {}

impl<T: Send + Sync + 'static> Batched<T> {
    /// Returns an initialiser that makes the resource in place.
    ///
    /// # Errors
    ///
    /// The initialiser fails with
    ///
    /// - [`ENXIO`] if unbind is under way, and might miss the resource;
    /// - [`ENOMEM`] if there is no memory; `data` was not run;
    /// - what `data` fails with.
    ///
    /// # Context
    ///
    /// The initialiser may sleep: for the first one of a device it allocates memory with
    /// [`GFP_KERNEL`].
    pub fn new<'a, E: 'a>(
        dev: &'a Device<Bound>,
        data: impl PinInit<T, E> + 'a,
    ) -> impl PinInit<Self, Error> + 'a
    where
        Error: From<E>,
    {
        let init = move |slot: *mut Self| {
            let empty = pin_init!(Self {
                inner <- Slot::new(),
                dev: dev.into(),
            });
            // SAFETY: `slot` is valid for writes, and pinned if this closure succeeds.
            let Ok(()) = unsafe { sys::init_in_place(slot, empty) };

            // SAFETY: It was initialised above.
            let this = unsafe { &*slot };

            let undo = ScopeGuard::new(|| {
                // SAFETY: It was initialised above, and nobody uses it if this initialiser fails.
                unsafe { ptr::drop_in_place(slot) };
            });

            // SAFETY: It is pinned, as `slot` is, and the destructor retires it.
            match unsafe { this.inner.claim(dev) }? {
                Claimed::Vacant(vacancy) => vacancy.populate(|| Ok(data))?,
                Claimed::Populated(data) => data,
            };

            undo.dismiss();
            Ok(())
        };

        // SAFETY: If `init` succeeds, it has initialised `slot`, and if not, dropped what was in
        // it. It does not move it.
        unsafe { pin_init::pin_init_from_closure(init) }
    }
}

impl<T: 'static> Batched<T> {
    /// Returns the resource, which stays for as long as `dev` is bound.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if `dev` is another device than the resource's.
    /// - [`ENXIO`] if the resource was revoked, as the device was unbound since it was made.
    #[inline]
    pub fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a T> {
        self.inner.get(dev).ok_or_else(|| self.refusal(dev))
    }

    /// Why there is nothing for `dev`.
    #[cold]
    fn refusal(&self, dev: &Device<Bound>) -> Error {
        if same_device(&self.dev, dev) {
            ENXIO
        } else {
            EINVAL
        }
    }

    /// Returns a guard to the resource, without needing a bound device.
    ///
    /// [`None`] if it was revoked.
    ///
    /// # Context
    ///
    /// Does not sleep, and nobody may sleep while holding the guard: it is an RCU read-side
    /// critical section, which unbind waits for.
    #[inline]
    pub fn try_access(&self) -> Option<LazyGuard<'_, T>> {
        self.inner.try_access().map(LazyGuard)
    }

    /// Returns the device that the resource was made for.
    pub fn device(&self) -> &Device {
        &self.dev
    }
}

#[pinned_drop]
impl<T: 'static> PinnedDrop for Batched<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: `self` is being dropped, so nobody else uses it, except code that dropping the
        // resource calls.
        unsafe { self.into_ref().inner.end() };
    }
}
