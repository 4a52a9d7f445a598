// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The slot of a resource that can be unmapped while its owner is shared, and the pins that keep
//! the resource mapped.
//!
//! The host, the model checker and the kernel compile this file, under the rule of `lazy`.

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
/// This is the type of a lazy field with `evict = name`, and is created in place with
/// [`new_evictable_lazy!`](crate::new_evictable_lazy). Unbind, dropping and revoking have the same
/// effect as on a [`Lazy`].
///
/// Instead of a reference, [`get()`](Self::get) and [`entry()`](Self::entry) return a [`LazyPin`].
/// C drivers count pins for the same purpose, as `drm_gem_shmem_object` does in `pages_pin_count`:
/// the users of the pages pin them, and the shrinker skips pinned objects. Taking a pin is one
/// atomic operation, and dropping it is one more. The slot is two words larger than a [`Lazy`].
///
/// # Rules for authors
///
/// The rules of [`Lazy`] hold. If a shrinker evicts, the resource is also dropped by threads that
/// reclaim memory, with the locks that these threads hold. So dropping the resource
///
/// - does not allocate memory with [`GFP_KERNEL`];
/// - takes no lock under which any code allocates memory with [`GFP_KERNEL`]. The reservation lock
///   of a shmem object is such a lock: the shrinkers of C drivers take it with
///   `dma_resv_trylock()`. Lockdep reports this through `fs_reclaim`.
///
/// Also without a shrinker, dropping the resource takes no lock under which a thread calls the
/// accessor. The thread would wait until the resource is gone, and the drop for the lock.
///
/// A resource is evicted after the resources that were made from it. Otherwise, mapped anew, the
/// resource would be newer than they are, and unbind would drop it first.
#[pin_data]
#[repr(C)]
pub struct EvictableLazy<T: 'static> {
    /// The first field, so that a pointer to the whole is also a pointer to this. A pin is taken
    /// before this returns the resource.
    #[pin]
    lazy: Lazy<T>,
    pins: Pins,
}

impl<T: 'static> EvictableLazy<T> {
    /// Returns an initialiser for an empty slot with the given name and lock class, as
    /// [`Lazy::new()`].
    ///
    /// Use [`new_evictable_lazy!`](crate::new_evictable_lazy), which makes the name and the class.
    pub fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            lazy <- Lazy::new(name, key),
            pins: Pins::new(),
        })
    }

    /// Returns the resource, pinned, if the slot is populated for `dev` and was not revoked.
    ///
    /// Returns [`None`] in every other state, and if more than [`isize::MAX`] pins were leaked;
    /// [`entry()`](Self::entry) tells these cases apart.
    ///
    /// # Context
    ///
    /// Does not sleep. Takes one atomic operation, one load and one comparison: no lock and no RCU
    /// section. Threads that use the same slot write to the same cache line.
    #[inline]
    pub fn get<'a>(&'a self, dev: &'a Device<Bound>) -> Option<LazyPin<'a, T>> {
        let hold = self.pins.pin().ok()?;

        self.lazy.get(dev).map(|value| LazyPin::new(value, hold))
    }

    /// Returns the resource, pinned, if the slot is populated for `dev`, or else the right to
    /// populate it.
    ///
    /// As [`Lazy::entry()`]. If another thread is evicting the resource, this waits until the
    /// resource is gone, and then returns the right to make it anew.
    ///
    /// # Errors
    ///
    /// Those of [`Lazy::entry()`], and
    ///
    /// - [`EDEADLK`] if the caller is evicting the resource itself: the drop of the resource calls
    ///   the accessor of its own slot;
    /// - [`EBUSY`] if another thread is evicting the resource for another device, or in an earlier
    ///   binding of `dev`;
    /// - [`EOVERFLOW`] if more than [`isize::MAX`] pins were leaked.
    ///
    /// # Context
    ///
    /// May sleep, as [`Lazy::entry()`]. Also waits for another thread to evict the resource.
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

    /// Unmaps the resource now, unless it is in use, and makes the slot empty.
    ///
    /// Returns `true` if the resource was unmapped, and `false` if there was none. The next access
    /// maps the resource anew. Threads that call the accessor during the eviction wait for its end.
    ///
    /// C drivers do the same in their shrinkers, as `drm_gem_shmem_purge()` after
    /// `drm_gem_shmem_is_purgeable()`.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if
    ///
    /// - there is a [`LazyPin`], or another thread is calling the accessor or this function; a pin
    ///   that was leaked counts for ever;
    /// - the resource is being mapped, or another caller is evicting or dropping it;
    /// - unbind has begun, and will drop the resource.
    ///
    /// [`EOVERFLOW`] if more than [`isize::MAX`] pins were leaked.
    ///
    /// # Context
    ///
    /// May sleep while it drops the resource. It does not wait for threads that map, use or drop a
    /// resource, nor for unbind. It allocates nothing, and takes one spinlock, whose critical
    /// sections neither allocate memory nor sleep. So a shrinker may call this in reclaim, also for
    /// an object whose own initialiser is allocating memory.
    pub fn evict(&self) -> Result<bool> {
        // SAFETY: The functions of this type that return the resource take a pin first, and return
        // the pin with the resource. No function of this type calls `Lazy::try_access()`.
        unsafe { self.lazy.slot().evict(&self.pins) }
    }

    /// As [`Lazy::revoke()`]. Exclusive access proves that no pin is in use.
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

    /// Returns the slot that [`OwnerView::new()`](crate::devres::OwnerView::new) compares with its
    /// place.
    ///
    /// Generated code calls this with a raw pointer to the field. A raw pointer is not coerced, so
    /// the field has this type.
    #[inline]
    pub fn as_lazy(this: *const Self) -> *const Lazy<T> {
        // CAST: `lazy` is the first field.
        this.cast()
    }
}

/// The outcome of [`EvictableLazy::entry()`].
pub enum PinEntry<'a, T: 'static> {
    /// The slot is populated for the device, with this resource.
    Populated(LazyPin<'a, T>),
    /// The slot was empty, and the caller may populate it.
    Vacant(PinVacant<'a, T>),
}

/// The right to populate a slot, as [`Vacant`], for a resource that is pinned from the start.
#[must_use = "threads that wait for the slot go on when this is dropped"]
pub struct PinVacant<'a, T: 'static> {
    /// Dropped before `hold`: a claimed slot needs the pin.
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
/// The holder of a pin may sleep, and may send the pin to another thread. A pin borrows the bound
/// device and the owner, so no pin is in use when unbind or the owner's destructor drops the
/// resource. [`EvictableLazy::evict()`] fails while there is a pin, so drop it after use.
///
/// If a pin is leaked, for instance by `mem::forget()`, the resource is not evicted any more.
/// Unbind still drops it, and so does the owner.
///
/// # Invariants
///
/// `value` is valid for shared access while `hold` exists.
#[must_use = "the resource may be evicted as soon as this is dropped"]
pub struct LazyPin<'a, T: ?Sized> {
    /// A pointer. A reference would have to stay valid until a function returns that takes the pin
    /// by value, also if this function drops the pin earlier.
    value: NonNull<T>,
    hold: Hold<'a>,
    _value: PhantomData<&'a T>,
}

// SAFETY: A pin returns `&T`, which any thread may use as `T: Sync`. Any thread may drop a pin.
unsafe impl<T: ?Sized + Sync> Send for LazyPin<'_, T> {}

// SAFETY: A shared pin returns `&T`, which any thread may use as `T: Sync`.
unsafe impl<T: ?Sized + Sync> Sync for LazyPin<'_, T> {}

impl<'a, T: ?Sized> LazyPin<'a, T> {
    /// Returns the pin of a resource that was found, or made, after `hold` was taken.
    #[inline]
    fn new(value: &T, hold: Hold<'a>) -> Self {
        // INVARIANT: The slot of `value` was found populated, or was populated, after `hold` was
        // taken. So no thread evicts `value` while `hold` exists. No other code drops `value`: the
        // slot and the bound device are borrowed for `'a`.
        Self {
            value: NonNull::from(value),
            hold,
            _value: PhantomData,
        }
    }

    /// Turns a pin of a resource into a pin of a part of it, or of the target that it derefs to.
    ///
    /// An associated function, as `T` may have a method of this name.
    #[inline]
    pub fn map<U: ?Sized>(this: Self, part: impl FnOnce(&T) -> &U) -> LazyPin<'a, U> {
        let value = NonNull::from(part(&this));

        // INVARIANT: `part()` works for a borrow of any length, so `value` is valid as long as the
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
        // SAFETY: By the type invariants `value` is valid for shared access while `self` exists.
        unsafe { self.value.as_ref() }
    }
}

/// Creates an initialiser for an empty [`EvictableLazy`] slot, as
/// [`new_lazy!`](crate::new_lazy) does for a [`Lazy`] slot.
#[macro_export]
macro_rules! new_evictable_lazy {
    ($($name:literal)? $(,)?) => {{
        // A static, as in `new_lazy!`.
        static NAME: &$crate::str::CStr = $crate::optional_name!($($name)?);
        $crate::devres::EvictableLazy::new(NAME, $crate::static_lock_class!())
    }};
}
pub use new_evictable_lazy;
