// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The part of the kernel's vocabulary that the protocol uses, over the model checker's vocabulary.

use std::any::Any;

pub(crate) mod prelude {
    //! Stands for `kernel::prelude`.

    pub(crate) use super::error::{code::*, Error, Result};
    pub(crate) use pin_init::{pin_data, pin_init, pinned_drop, PinInit};
    pub(crate) use std::pin::Pin;

    /// Allocations do not fail here.
    pub(crate) const GFP_KERNEL: () = ();
}

pub(crate) mod error {
    //! Stands for `kernel::error`.

    /// An error code.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Error(i32);

    impl From<std::convert::Infallible> for Error {
        fn from(never: std::convert::Infallible) -> Self {
            match never {}
        }
    }

    pub(crate) type Result<T = (), E = Error> = std::result::Result<T, E>;

    pub(crate) mod code {
        //! Stands for `kernel::error::code`.

        use super::Error;

        pub(crate) const EIO: Error = Error(5);
        pub(crate) const ENXIO: Error = Error(6);
        pub(crate) const EBUSY: Error = Error(16);
        pub(crate) const EINVAL: Error = Error(22);
        pub(crate) const EDEADLK: Error = Error(35);
        pub(crate) const EOVERFLOW: Error = Error(75);
    }
}

pub(crate) mod str {
    //! Stands for `kernel::str`.

    pub(crate) use std::ffi::CStr;
}

pub(crate) mod cell {
    //! Stands for `core::cell`. For the checker, `raw_get()` and `written()` are writes, and
    //! `get()` is a read.

    use std::cell;

    pub(crate) struct UnsafeCell<T> {
        value: cell::UnsafeCell<T>,
        uses: loom::cell::UnsafeCell<()>,
    }

    impl<T> UnsafeCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self {
                value: cell::UnsafeCell::new(value),
                uses: loom::cell::UnsafeCell::new(()),
            }
        }

        /// As `raw_get()` of `core`, but `this` has to be valid.
        pub(crate) fn raw_get(this: *const Self) -> *mut T {
            // SAFETY: The protocol calls this for cells of valid headers and registries only.
            let this = unsafe { &*this };

            this.written()
        }

        pub(crate) fn written(&self) -> *mut T {
            self.uses.with_mut(|_| ());
            self.value.get()
        }

        /// Returns a pointer to the value. For the checker, this is no access.
        pub(crate) fn place(&self) -> *mut T {
            self.value.get()
        }

        pub(crate) fn get(&self) -> *mut T {
            self.uses.with(|_| ());
            self.value.get()
        }
    }
}

pub(crate) mod bindings {
    //! Stands for `kernel::bindings`.

    #![allow(non_camel_case_types, reason = "the names are the C ones")]

    use super::{sync::Mutex, Managed};
    use loom::sync::atomic::AtomicBool;
    use std::pin::Pin;

    /// `struct device`. Its address is larger than the word of any other state.
    #[repr(align(64))]
    pub(crate) struct device {
        pub(crate) is_bound: AtomicBool,
        /// Whether the registry is older than the registration, and so released after it.
        pub(crate) is_registry_older: AtomicBool,
        /// The one managed resource, and its lock.
        pub(crate) devres: Pin<Box<Mutex<Managed>>>,
    }
}

pub(crate) mod device {
    //! Stands for `kernel::device`.

    use super::{bindings, sync::Mutex, List};
    use loom::sync::atomic::{AtomicBool, Ordering};
    use std::marker::PhantomData;

    /// The context of a device to which a driver is bound.
    pub(crate) struct Bound;

    pub(crate) struct Normal;

    pub(crate) struct Device<Ctx = Normal>(bindings::device, PhantomData<Ctx>);

    impl Device<Bound> {
        /// Makes a device that is bound.
        pub(crate) fn new() -> Self {
            Self(
                bindings::device {
                    is_bound: AtomicBool::new(true),
                    is_registry_older: AtomicBool::new(false),
                    devres: Box::pin(Mutex::unnamed(None)),
                },
                PhantomData,
            )
        }

        pub(crate) fn list(&self) -> List<'_> {
            List(self.0.devres.lock())
        }

        pub(crate) fn is_bound(&self) -> bool {
            self.0.is_bound.load(Ordering::Relaxed)
        }

        fn set_bound(&self, is_bound: bool) {
            self.0.is_bound.store(is_bound, Ordering::Relaxed);
        }

        /// Adds the registration, whose release waits for its callbacks. If this is not called, the
        /// registration is the oldest resource.
        pub(crate) fn register(&self) {
            self.0
                .is_registry_older
                .store(!self.list().is_empty(), Ordering::Relaxed);
        }

        /// Unbinds the driver. Calls `release` with the registry, if there is one on the list.
        /// `callbacks` stands for the release of the registration.
        pub(crate) fn unbind<R: Send + Sync + 'static>(
            &self,
            release: impl FnOnce(&R),
            callbacks: impl FnOnce(),
        ) {
            self.set_bound(false);
            let registry = {
                let mut list = self.list();
                let registry = list.registry::<R>();
                list.clear();
                registry
            };
            let mut callbacks = Some(callbacks);
            if self.0.is_registry_older.load(Ordering::Relaxed) {
                callbacks.take().into_iter().for_each(|it| it());
            }
            if let Some(registry) = registry {
                release(&registry);
            }
            callbacks.into_iter().for_each(|it| it());

            assert!(self.list().is_empty(), "something is left on the device");
        }

        /// Releases a devres group with the registry in it. Calls `release` with the registry, if
        /// there is one. `meanwhile` runs when the registry is off the list and not released yet.
        pub(crate) fn release_group<R: Send + Sync + 'static>(
            &self,
            release: impl FnOnce(&R),
            meanwhile: impl FnOnce(),
        ) {
            let registry = {
                let mut list = self.list();
                let registry = list.registry::<R>();
                list.clear();
                registry
            };
            if let Some(registry) = registry {
                meanwhile();
                release(&registry);
            }
        }

        /// Binds a driver again.
        pub(crate) fn bind(&self) {
            self.set_bound(true);
        }
    }

    impl<Ctx> Device<Ctx> {
        pub(crate) fn as_raw(&self) -> *mut bindings::device {
            std::ptr::from_ref(&self.0).cast_mut()
        }
    }

    impl std::ops::Deref for Device<Bound> {
        type Target = Device;

        fn deref(&self) -> &Device {
            // SAFETY: The two types have the same fields, and one layout as the context has no
            // size.
            unsafe { &*std::ptr::from_ref(self).cast() }
        }
    }

    // SAFETY: The fields of a device are atomic, or protected by a lock.
    unsafe impl<Ctx> Send for Device<Ctx> {}

    // SAFETY: The fields of a device are atomic, or protected by a lock.
    unsafe impl<Ctx> Sync for Device<Ctx> {}
}

/// The resource that unbind releases: at most one registry, of any variant.
type Managed = Option<std::sync::Arc<dyn Any + Send + Sync>>;

/// A device's list, locked.
pub(crate) struct List<'a>(sync::MutexGuard<'a, Managed>);

impl List<'_> {
    pub(crate) fn registry<R: Send + Sync + 'static>(&self) -> Option<sync::Arc<R>> {
        let there: std::sync::Arc<dyn Any + Send + Sync> = (*self.0).clone()?;
        there.downcast().ok().map(sync::Arc)
    }

    pub(crate) fn set_registry<R: Send + Sync + 'static>(&mut self, registry: sync::Arc<R>) {
        *self.0 = Some(registry.0);
    }

    pub(crate) fn clear(&mut self) {
        *self.0 = None;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

pub(crate) mod sync {
    //! Stands for `kernel::sync`.

    use pin_init::PinInit;
    use std::{
        cell::UnsafeCell,
        mem::MaybeUninit,
        ops::{Deref, DerefMut},
    };

    pub(crate) use crate::{new_condvar, new_spinlock};

    pub(crate) mod atomic {
        //! Stands for `kernel::sync::atomic`.

        use loom::sync::atomic::{AtomicBool, AtomicIsize, AtomicPtr, AtomicUsize, Ordering};

        pub(crate) struct Relaxed;
        pub(crate) struct Acquire;
        pub(crate) struct Release;
        pub(crate) struct Full;

        pub(crate) trait Order {
            const ORDER: Ordering;
        }

        impl Order for Relaxed {
            const ORDER: Ordering = Ordering::Relaxed;
        }

        impl Order for Acquire {
            const ORDER: Ordering = Ordering::Acquire;
        }

        impl Order for Release {
            const ORDER: Ordering = Ordering::Release;
        }

        // The full barrier is a separate fence, `smp_mb_after_full()` in `sys`.
        impl Order for Full {
            const ORDER: Ordering = Ordering::AcqRel;
        }

        /// An atomic pointer or number.
        pub(crate) struct Atomic<T: AtomicType>(T::Backing);

        /// A type for which the checker has an atomic variable.
        pub(crate) trait AtomicType: Sized {
            type Backing: Backing<Self>;
        }

        pub(crate) trait Backing<T> {
            fn new(value: T) -> Self;
            fn load(&self, order: Ordering) -> T;
            fn store(&self, value: T, order: Ordering);
            fn cmpxchg(&self, old: T, new: T, order: Ordering) -> Result<T, T>;
        }

        macro_rules! atomics {
            ($([$($parameter:ident)?] $type:ty => $backing:ty,)*) => {$(
                impl$(<$parameter>)? AtomicType for $type {
                    type Backing = $backing;
                }

                impl$(<$parameter>)? Backing<$type> for $backing {
                    fn new(value: $type) -> Self {
                        Self::new(value)
                    }

                    fn load(&self, order: Ordering) -> $type {
                        self.load(order)
                    }

                    fn store(&self, value: $type, order: Ordering) {
                        self.store(value, order);
                    }

                    fn cmpxchg(
                        &self,
                        old: $type,
                        new: $type,
                        order: Ordering,
                    ) -> Result<$type, $type> {
                        self.compare_exchange(old, new, order, Ordering::Relaxed)
                    }
                }
            )*};
        }

        atomics! {
            [T] *mut T => AtomicPtr<T>,
            [] isize => AtomicIsize,
            [] usize => AtomicUsize,
        }

        impl<T: AtomicType> Atomic<T> {
            pub(crate) fn new(value: T) -> Self {
                Self(T::Backing::new(value))
            }

            pub(crate) fn load<O: Order>(&self, _: O) -> T {
                self.0.load(O::ORDER)
            }

            pub(crate) fn store<O: Order>(&self, value: T, _: O) {
                self.0.store(value, O::ORDER);
            }

            pub(crate) fn cmpxchg<O: Order>(&self, old: T, new: T, _: O) -> Result<T, T> {
                self.0.cmpxchg(old, new, O::ORDER)
            }
        }

        impl Atomic<isize> {
            pub(crate) fn fetch_add<O: Order>(&self, value: isize, _: O) -> isize {
                self.0.fetch_add(value, O::ORDER)
            }

            pub(crate) fn fetch_sub<O: Order>(&self, value: isize, _: O) -> isize {
                self.0.fetch_sub(value, O::ORDER)
            }
        }

        pub(crate) struct AtomicFlag(AtomicBool);

        impl AtomicFlag {
            pub(crate) fn new(value: bool) -> Self {
                Self(AtomicBool::new(value))
            }

            pub(crate) fn load<O: Order>(&self, _: O) -> bool {
                self.0.load(O::ORDER)
            }

            pub(crate) fn store<O: Order>(&self, value: bool, _: O) {
                self.0.store(value, O::ORDER);
            }
        }
    }

    pub(crate) mod barrier {
        //! Stands for `kernel::sync::barrier`.

        use super::atomic::Full;
        use loom::sync::atomic::{fence, Ordering};

        pub(crate) fn smp_mb(_: Full) {
            fence(Ordering::SeqCst);
        }
    }

    pub(crate) mod rcu {
        //! Stands for `kernel::sync::rcu`, and promises more. A grace period also waits for readers
        //! that come after it began, and one reader is ordered with another.

        use loom::sync::{Condvar, Mutex};

        loom::lazy_static! {
            static ref READERS: Mutex<usize> = Mutex::new(0);
            static ref LEFT: Condvar = Condvar::new();
        }

        pub(crate) struct Guard(());

        pub(crate) fn read_lock() -> Guard {
            *READERS.lock().unwrap() += 1;
            Guard(())
        }

        impl Drop for Guard {
            fn drop(&mut self) {
                *READERS.lock().unwrap() -= 1;
                LEFT.notify_all();
            }
        }

        pub(crate) fn synchronize_rcu() {
            let mut readers = READERS.lock().unwrap();
            while *readers != 0 {
                readers = LEFT.wait(readers).unwrap();
            }
        }
    }

    /// The `Arc` of the standard library: the checker does not have to follow reference counts.
    pub(crate) struct Arc<T: ?Sized>(pub(crate) std::sync::Arc<T>);

    impl<T> Arc<T> {
        pub(crate) fn pin_init(init: impl PinInit<T>, (): ()) -> super::error::Result<Self> {
            let this = std::sync::Arc::new(MaybeUninit::<T>::uninit());
            let slot = std::sync::Arc::as_ptr(&this).cast_mut().cast::<T>();

            // SAFETY: `slot` is newly allocated memory, which does not move.
            let Ok(()) = unsafe { init.__pinned_init(slot) };

            // SAFETY: The memory of `this` was initialised above.
            let this = unsafe { std::sync::Arc::from_raw(std::sync::Arc::into_raw(this).cast()) };
            Ok(Self(this))
        }
    }

    impl<T: ?Sized> Clone for Arc<T> {
        fn clone(&self) -> Self {
            Self(self.0.clone())
        }
    }

    impl<T: ?Sized> Deref for Arc<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }

    pub(crate) struct LockClassKey;

    pub(crate) struct Mutex<T> {
        lock: loom::sync::Mutex<()>,
        value: UnsafeCell<T>,
    }

    // SAFETY: The lock gives access to one thread at a time.
    unsafe impl<T: Send> Send for Mutex<T> {}

    // SAFETY: The lock gives access to one thread at a time.
    unsafe impl<T: Send> Sync for Mutex<T> {}

    impl<T> Mutex<T> {
        pub(crate) fn unnamed(value: T) -> Self {
            Self {
                lock: loom::sync::Mutex::new(()),
                value: UnsafeCell::new(value),
            }
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard {
                mutex: self,
                lock: Some(self.lock.lock().unwrap()),
            }
        }
    }

    pub(crate) struct MutexGuard<'a, T> {
        mutex: &'a Mutex<T>,
        lock: Option<loom::sync::MutexGuard<'a, ()>>,
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            // SAFETY: The guard holds the lock that protects the value.
            unsafe { &*self.mutex.value.get() }
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: The guard holds the lock that protects the value.
            unsafe { &mut *self.mutex.value.get() }
        }
    }

    /// A mutex: the checker has one kind of lock.
    pub(crate) type SpinLock<T> = Mutex<T>;

    pub(crate) type SpinLockGuard<'a, T> = MutexGuard<'a, T>;

    pub(crate) struct CondVar(loom::sync::Condvar);

    impl CondVar {
        pub(crate) fn new() -> Self {
            Self(loom::sync::Condvar::new())
        }

        pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            guard.lock = guard.lock.take().map(|lock| self.0.wait(lock).unwrap());
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}

/// As the kernel's, without a name.
#[macro_export]
macro_rules! new_spinlock {
    ($value:expr, $name:literal) => {
        $crate::kernel::sync::Mutex::unnamed($value)
    };
}

/// As the kernel's, without a name.
#[macro_export]
macro_rules! new_condvar {
    ($name:literal) => {
        $crate::kernel::sync::CondVar::new()
    };
}
