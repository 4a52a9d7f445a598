// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A resource that is made with its owner, and belongs to one device. It uses the storage of a
//! slot.
//!
//! The host and the kernel compile this file, under the rule of `lazy`.

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
/// A `Batched` has the methods and the promises of [`Devres`](crate::devres::Devres), at other
/// costs:
///
/// - All `Batched` resources and slots of a device share one devres node.
/// - Unbind waits for one RCU grace period for all of them together, and for none if
///   [`try_access()`](Self::try_access) was never called for any of them.
/// - Dropping a `Batched` takes the same time for any number of them.
/// - The resource is stored inline in the owner, without an allocation of its own.
///
/// After unbind, [`access()`](Self::access) fails with [`ENXIO`], also when the same device is
/// bound again.
///
/// The initialiser links the resource's place in the owner with the device. So the owner must not
/// be freed without the destructor of this type. `Opaque` and `MaybeUninit`, which drop nothing,
/// must not hold a `Batched`. A `Devres` in them would only leak.
///
/// # Release order
///
/// Unbind drops the slots and the `Batched` resources of a device in the reverse order of
/// population and creation. All of them have one place among the other resources that devres
/// releases: see [`Lazy`](crate::devres::Lazy), which shares the node.
///
/// # Drop
///
/// May sleep: if unbind is dropping the resource, the drop waits for unbind. When the drop returns,
/// the resource is gone.
#[pin_data(PinnedDrop)]
pub struct Batched<T: 'static> {
    #[pin]
    inner: Slot<T>,
    dev: ARef<Device>,
}

// SAFETY: A `Batched` owns its resource, which is `Send`, and references to a device and to its
// registry, which any thread may use.
unsafe impl<T: Send + Sync> Send for Batched<T> {}

// SAFETY: A shared `Batched` returns `&T`, which any thread may use as `T: Sync`. Unbind drops `T`,
// which any thread may do as `T: Send`. The resource is written before the `Batched` can be shared.
unsafe impl<T: Send + Sync> Sync for Batched<T> {}

impl<T: Send + Sync + 'static> Batched<T> {
    /// Returns an initialiser that makes the resource in place.
    ///
    /// # Errors
    ///
    /// The initialiser fails with
    ///
    /// - [`ENXIO`] if unbind is under way, and might come to the resource too late, or not at all;
    /// - [`ENOMEM`] if there is no memory to keep track of the resource; `data` was not run;
    /// - the error of `data`.
    ///
    /// # Context
    ///
    /// The initialiser may sleep: for the first resource of a device it allocates memory with
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

            // SAFETY: `slot` was initialised above.
            let this = unsafe { &*slot };

            let undo = ScopeGuard::new(|| {
                // SAFETY: `slot` was initialised above. No code uses it if this initialiser fails.
                unsafe { ptr::drop_in_place(slot) };
            });

            // SAFETY: `this.inner` is pinned, as `slot` is. The destructor of `this` retires it.
            match unsafe { this.inner.claim(dev) }? {
                Claimed::Vacant(vacancy) => vacancy.populate(|| Ok(data))?,
                Claimed::Populated(data) => data,
            };

            undo.dismiss();
            Ok(())
        };

        // SAFETY: If `init` succeeds, it has initialised `slot`. If `init` fails, it has dropped
        // the fields of `slot` that were initialised. It does not move them.
        unsafe { pin_init::pin_init_from_closure(init) }
    }
}

impl<T: 'static> Batched<T> {
    /// Returns the resource, which stays for as long as `dev` is bound.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`] if `dev` is another device than the resource's.
    /// - [`ENXIO`] if unbind has revoked the resource.
    ///
    /// # Context
    ///
    /// Does not sleep.
    #[inline]
    pub fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a T> {
        self.inner.get(dev).ok_or_else(|| self.refusal(dev))
    }

    /// Returns the error for an access with `dev` that finds no resource.
    #[cold]
    fn refusal(&self, dev: &Device<Bound>) -> Error {
        if same_device(&self.dev, dev) {
            ENXIO
        } else {
            EINVAL
        }
    }

    /// Returns a guard to the resource. The caller needs no bound device.
    ///
    /// Returns [`None`] if the resource was revoked.
    ///
    /// # Context
    ///
    /// Does not sleep. The holder of the guard must not sleep either: the guard is an RCU read-side
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
        // SAFETY: `self` is being dropped, so no code uses the slot except unbind and code that
        // dropping the resource calls.
        unsafe { self.into_ref().inner.end() };
    }
}
