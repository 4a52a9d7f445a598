// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slot of a resource that can be unmapped while its owner is shared, and the pins that keep it
//! mapped.
//!
//! One source for the host, the model checker and the kernel, under the same rule as the slot.

use super::{
    lazy::{
        Entry,
        Lazy,
        Place,
        Placed,
        Vacant, //
    },
    pins::{
        Hold,
        Pins, //
    },
};
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    str::CStr,
    sync::LockClassKey, //
};
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};

/// A [`Lazy`] slot whose resource can be [evicted](Self::evict), that is, unmapped while other
/// threads have references to the owner.
///
/// It is the type of a lazy field with `evict = name`, and is created in place with
/// [`new_evictable_lazy!`](crate::new_evictable_lazy). Unbind, dropping and revoking do the same to
/// it as to a [`Lazy`].
///
/// Instead of a reference, [`get()`](Self::get) and [`entry()`](Self::entry) return a [`LazyPin`].
/// This is what C drivers do with a count, as `drm_gem_shmem_object` with `pages_pin_count`: who
/// uses the pages pins them, and the shrinker leaves pinned objects alone. Taking a pin is one
/// atomic operation, and dropping it is one more. The slot is two words larger than a [`Lazy`].
///
/// # Rules for authors
///
/// Those of [`Lazy`]. Where a shrinker evicts, the resource is also dropped while any thread
/// reclaims memory, with the locks that this thread holds. So dropping the resource
///
/// - does not allocate memory with [`GFP_KERNEL`];
/// - takes no lock under which anybody allocates memory with [`GFP_KERNEL`]. For a shmem object
///   that is its reservation lock, which the shrinkers of C drivers take with
///   `dma_resv_trylock()`. Lockdep sees this through `fs_reclaim`.
///
/// Wherever eviction is asked for, dropping the resource takes no lock that a thread holds which
/// calls the accessor: that thread waits until the resource is gone.
///
/// A resource that another one was made from is not evicted before that one: mapped anew, it would
/// be the later of the two, and unbind would drop it first.
#[pin_data]
#[repr(C)]
pub struct EvictableLazy<T: 'static> {
    /// First, so that a pointer to the whole is one to it. Its functions are called with a pin.
    #[pin]
    lazy: Lazy<T>,
    pins: Pins,
}

impl<T: 'static> EvictableLazy<T> {
    /// Returns an initialiser for an empty slot with the given name and lock class, as
    /// [`Lazy::new()`].
    ///
    /// Use [`new_evictable_lazy!`](crate::new_evictable_lazy), which makes both.
    pub fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            lazy <- Lazy::new(name, key),
            pins: Pins::new(),
        })
    }

    /// Returns the resource, pinned, if the slot is populated for `dev` and was not revoked.
    ///
    /// [`None`] says that one of the three does not hold; [`entry()`](Self::entry) finds out which.
    ///
    /// No lock and no RCU section: one atomic operation, one load and one comparison. Threads that
    /// use one slot write to one cache line.
    #[inline]
    pub fn get<'a>(&'a self, dev: &'a Device<Bound>) -> Option<LazyPin<'a, T>> {
        let hold = self.pins.pin().ok()?;

        self.lazy.get(dev).map(|value| LazyPin::new(value, hold))
    }

    /// Returns the resource, pinned, if the slot is populated for `dev`, or else the right to
    /// populate it.
    ///
    /// As [`Lazy::entry()`]. Where another thread is evicting the resource, this waits until it is
    /// gone, and then returns the right to make it anew.
    ///
    /// # Errors
    ///
    /// Those of [`Lazy::entry()`], and
    ///
    /// - [`EDEADLK`] if the caller is evicting the resource itself, as its drop is that calls the
    ///   accessor of its own slot;
    /// - [`EBUSY`] if another thread is evicting the resource for another device, or in an earlier
    ///   binding of `dev`;
    /// - [`EOVERFLOW`] if more than [`isize::MAX`] pins were leaked.
    ///
    /// # Context
    ///
    /// May sleep, as [`Lazy::entry()`], also until another thread has evicted the resource.
    #[inline]
    #[track_caller]
    pub fn entry<'a>(&'a self, dev: &'a Device<Bound>) -> Result<PinEntry<'a, T>> {
        if self.pins.is_evicting() {
            return Err(EDEADLK);
        }
        let hold = self.pins.pin()?;

        Ok(match self.lazy.entry(dev)? {
            Entry::Populated(value) => PinEntry::Populated(LazyPin::new(value, hold)),
            Entry::Vacant(vacant) => PinEntry::Vacant(PinVacant { vacant, hold }),
        })
    }

    /// Unmaps the resource now, unless somebody uses it, and makes the slot empty.
    ///
    /// Returns `true` if the resource was unmapped, and `false` if there was none. The next access
    /// maps it anew. Threads that come for it meanwhile wait.
    ///
    /// Stands for what C drivers do in their shrinkers, as `drm_gem_shmem_purge()` after
    /// `drm_gem_shmem_is_purgeable()`.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if
    ///
    /// - somebody has a [`LazyPin`], or is calling the accessor or this function; a pin that was
    ///   leaked counts for good;
    /// - the resource is being mapped, or is being evicted or dropped by another caller;
    /// - unbind has begun, and is to drop the resource.
    ///
    /// [`EOVERFLOW`] if more than [`isize::MAX`] pins were leaked.
    ///
    /// # Context
    ///
    /// Waits for nobody who maps, uses or drops a resource, nor for unbind. It takes one spinlock,
    /// under which nobody allocates memory or sleeps, and allocates nothing. So a shrinker may call
    /// this in reclaim, also for an object whose own initialiser is allocating memory. It sleeps
    /// where dropping the resource does.
    pub fn evict(&self) -> Result<bool> {
        // SAFETY: The functions of this type that return the resource take a pin first, and return
        // the resource with it. `Lazy::try_access()` is not called.
        unsafe { self.lazy.slot().evict(&self.pins) }
    }

    /// As [`Lazy::revoke()`]. Exclusive access is the proof that there is no pin.
    ///
    /// # Context
    ///
    /// May sleep, as [`Lazy::revoke()`].
    pub fn revoke(self: Pin<&mut Self>) {
        self.project().lazy.revoke();
    }

    /// As [`Lazy::retire()`].
    ///
    /// # Context
    ///
    /// May sleep, as [`Lazy::revoke()`].
    pub fn retire(self: Pin<&mut Self>) {
        self.project().lazy.retire();
    }

    /// Returns the slot that [`OwnerView::new()`](crate::devres::OwnerView::new) compares with the
    /// place that it is given.
    ///
    /// Generated code calls this with a pointer, which is not coerced: so the field's type is this
    /// one.
    #[inline]
    pub fn as_lazy(this: *const Self) -> *const Lazy<T> {
        // CAST: `lazy` is the first field.
        this.cast()
    }
}

/// A slot, as [`EvictableLazy::entry()`] finds it.
pub enum PinEntry<'a, T: 'static> {
    /// The slot is populated for the device.
    Populated(LazyPin<'a, T>),
    /// The slot is empty, and the caller is the one to populate it.
    Vacant(PinVacant<'a, T>),
}

/// The right to populate a slot, as [`Vacant`], for a resource that is pinned from the start.
#[must_use = "threads that wait for the slot go on when this is dropped"]
pub struct PinVacant<'a, T: 'static> {
    /// Dropped first: it counts on the pin.
    vacant: Vacant<'a, T>,
    hold: Hold<'a>,
}

impl<'a, T: 'static> PinVacant<'a, T> {
    /// As [`Vacant::populate()`]. The resource is not evicted before the pin is dropped.
    ///
    /// # Errors
    ///
    /// As [`Vacant::populate()`].
    ///
    /// # Context
    ///
    /// As [`Vacant::populate()`].
    pub fn populate<I, E>(self, init: impl FnOnce() -> Result<I>) -> Result<LazyPin<'a, T>>
    where
        T: Send + Sync,
        I: PinInit<T, E>,
        Error: From<E>,
    {
        let Self { vacant, hold } = self;

        Ok(LazyPin::new(vacant.populate(init)?, hold))
    }

    /// As [`Vacant::populate_with()`]. The resource is not evicted before the pin is dropped.
    ///
    /// # Errors
    ///
    /// As [`Vacant::populate_with()`].
    ///
    /// # Context
    ///
    /// As [`Vacant::populate_with()`].
    pub fn populate_with(
        self,
        init: impl for<'p> FnOnce(Place<'p, T>) -> Result<Placed<'p, T>>,
    ) -> Result<LazyPin<'a, T>>
    where
        T: Send + Sync,
    {
        let Self { vacant, hold } = self;

        Ok(LazyPin::new(vacant.populate_with(init)?, hold))
    }
}

/// A pin: keeps a resource, or a part of it, from being evicted.
///
/// It may be held while sleeping, and sent to another thread. It borrows the bound device and the
/// owner, so neither unbind nor a free meets one. [`EvictableLazy::evict()`] fails while there is
/// one, so keep it no longer than the resource is in use.
///
/// If it is leaked, as by `mem::forget()`, the resource stays until unbind, or until the owner
/// revokes it or is dropped.
///
/// # Invariants
///
/// `value` is valid for shared access while `hold` is there.
#[must_use = "the resource may be evicted as soon as this is dropped"]
pub struct LazyPin<'a, T: ?Sized> {
    /// A pointer, as a reference would have to be good until a function returns that takes the pin
    /// by value and drops it.
    value: NonNull<T>,
    hold: Hold<'a>,
    _value: PhantomData<&'a T>,
}

// SAFETY: It lends `&T`, which is fine on any thread as `T: Sync`. A pin may be dropped on any
// thread.
unsafe impl<T: ?Sized + Sync> Send for LazyPin<'_, T> {}

// SAFETY: It lends `&T`, which is fine on any thread as `T: Sync`.
unsafe impl<T: ?Sized + Sync> Sync for LazyPin<'_, T> {}

impl<'a, T: ?Sized> LazyPin<'a, T> {
    /// Returns the pin of a resource that was found, or made, with `hold`.
    #[inline]
    fn new(value: &T, hold: Hold<'a>) -> Self {
        // INVARIANT: `value` is the resource of a slot that was found populated with `hold`. It is
        // not dropped while `hold` is there: `'a` is that of the slot and of the bound device, and
        // nobody evicts it.
        Self {
            value: NonNull::from(value),
            hold,
            _value: PhantomData,
        }
    }

    /// Turns a pin into one of a part of the resource, or of what the resource derefs to.
    ///
    /// An associated function, as `T` may have a method of this name.
    #[inline]
    pub fn map<U: ?Sized>(this: Self, part: impl FnOnce(&T) -> &U) -> LazyPin<'a, U> {
        let value = NonNull::from(part(&this));

        // INVARIANT: `part()` works for a borrow of any length, so `value` is good as long as the
        // resource is.
        LazyPin {
            value,
            hold: this.hold,
            _value: PhantomData,
        }
    }
}

impl<'a, T: ?Sized> Deref for LazyPin<'a, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariants.
        unsafe { self.value.as_ref() }
    }
}
