// SPDX-License-Identifier: Apache-2.0 OR MIT

//! Atomic variables, by the kernel's names.
//!
//! Stands for `rust/kernel/sync/atomic.rs` and the files below `rust/kernel/sync/atomic/`. C header:
//! `include/linux/atomic.h`.
//!
//! Each operation is one operation of `core::sync::atomic`, so the memory model is that of Rust.
//! Where it differs from the kernel's it promises less: [`Full`] is sequentially consistent and
//! not a full barrier on both sides, so that what is right here is right there.

use core::fmt;

pub use ordering::{Acquire, Full, Relaxed, Release};

/// Chooses the types that the atomic variables are made of.
mod backing {
    pub(super) use core::sync::atomic::{
        AtomicBool, AtomicI32, AtomicI64, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64,
        AtomicUsize, Ordering,
    };
}

pub mod ordering {
    //! Memory orderings, as types.
    //!
    //! Stands for `rust/kernel/sync/atomic/ordering.rs`.

    use super::backing;

    /// No ordering at all.
    #[derive(Clone, Copy, Debug)]
    pub struct Relaxed;

    /// Accesses that follow the load in program order stay behind it.
    #[derive(Clone, Copy, Debug)]
    pub struct Acquire;

    /// Accesses that precede the store in program order stay before it.
    #[derive(Clone, Copy, Debug)]
    pub struct Release;

    /// Both, and all operations of this ordering have one order that all threads agree on.
    #[derive(Clone, Copy, Debug)]
    pub struct Full;

    mod private {
        /// Keeps the orderings to those of this module.
        pub trait Sealed {}

        impl Sealed for super::Relaxed {}
        impl Sealed for super::Acquire {}
        impl Sealed for super::Release {}
        impl Sealed for super::Full {}
    }

    /// Any ordering: what a read-modify-write operation takes.
    pub trait Ordering: private::Sealed {
        /// The ordering by its name in the standard library.
        #[doc(hidden)]
        const ORDERING: backing::Ordering;
    }

    impl Ordering for Relaxed {
        const ORDERING: backing::Ordering = backing::Ordering::Relaxed;
    }

    impl Ordering for Acquire {
        const ORDERING: backing::Ordering = backing::Ordering::Acquire;
    }

    impl Ordering for Release {
        const ORDERING: backing::Ordering = backing::Ordering::Release;
    }

    impl Ordering for Full {
        const ORDERING: backing::Ordering = backing::Ordering::SeqCst;
    }

    /// The orderings of a load.
    pub trait AcquireOrRelaxed: Ordering {}

    impl AcquireOrRelaxed for Acquire {}
    impl AcquireOrRelaxed for Relaxed {}

    /// The orderings of a store.
    pub trait ReleaseOrRelaxed: Ordering {}

    impl ReleaseOrRelaxed for Release {}
    impl ReleaseOrRelaxed for Relaxed {}
}

mod private {
    use super::backing::Ordering;

    /// The operations of every backing type, for values of type `T`.
    pub trait Backing<T> {
        fn load(&self, order: Ordering) -> T;
        fn store(&self, value: T, order: Ordering);
        fn swap(&self, value: T, order: Ordering) -> T;
        fn compare_exchange(&self, old: T, new: T, order: Ordering) -> Result<T, T>;
        fn get_mut(&mut self) -> &mut T;
    }

    /// Further operations, of the backing types of the integers.
    pub trait Arithmetic<T>: Backing<T> {
        fn fetch_add(&self, value: T, order: Ordering) -> T;
        fn fetch_sub(&self, value: T, order: Ordering) -> T;
    }
}

use private::{Arithmetic, Backing};

/// Types that there are atomic variables of: the 32-bit, 64-bit and pointer-sized integers, `bool`
/// and raw pointers.
///
/// # Safety
///
/// [`Self::Backing`] must have the size of `Self`, and its bytes must be those of its value.
pub unsafe trait AtomicType: Sized + Copy {
    /// The type that does the work.
    #[doc(hidden)]
    type Backing: Backing<Self>;
}

/// A variable that several threads may change at the same time.
///
/// # Examples
///
/// ```
/// use kernel::sync::atomic::{Acquire, Atomic, Full, Relaxed, Release};
///
/// static STATE: Atomic<u32> = Atomic::new(0);
///
/// STATE.store(1, Release);
/// assert_eq!(STATE.load(Acquire), 1);
/// assert_eq!(STATE.cmpxchg(1, 5, Full), Ok(1));
/// assert_eq!(STATE.cmpxchg(1, 6, Relaxed), Err(5));
/// ```
#[repr(transparent)]
pub struct Atomic<T: AtomicType>(T::Backing);

impl<T: AtomicType> Atomic<T> {
    /// Makes a variable with the value `v`.
    #[inline]
    pub const fn new(v: T) -> Self {
        // SAFETY: By the promise of `AtomicType` the sizes are the same, and the bytes of a value
        // are those of the backing type with that value.
        Self(unsafe { core::mem::transmute_copy(&v) })
    }

    /// Returns a variable of the C side as an atomic one.
    ///
    /// # Safety
    ///
    /// - `ptr` is aligned for `Self`, and valid for reads and writes for `'a`.
    /// - For the duration of `'a`, no other access to the variable is a data race with the atomic
    ///   operations on the result. If all of them are atomic, none is.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::sync::atomic::{Atomic, Relaxed};
    ///
    /// let mut count = 1_i32;
    /// // SAFETY: Only this thread uses the variable.
    /// let atomic = unsafe { Atomic::from_ptr(&raw mut count) };
    /// atomic.add(1, Relaxed);
    /// assert_eq!(atomic.load(Relaxed), 2);
    /// ```
    #[inline]
    pub unsafe fn from_ptr<'a>(ptr: *mut T) -> &'a Self {
        // CAST: `AtomicType` promises that `T` and `Self` have the same size and bytes.
        // SAFETY: The caller promises that `ptr` is aligned and valid, and that there are no data
        // races.
        unsafe { &*ptr.cast::<Self>() }
    }

    /// Returns the value, which nobody else can access meanwhile.
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut()
    }

    /// Returns the value. Stands for `READ_ONCE()` and `smp_load_acquire()`.
    #[inline]
    pub fn load<O: ordering::AcquireOrRelaxed>(&self, _: O) -> T {
        self.0.load(O::ORDERING)
    }

    /// Sets the value. Stands for `WRITE_ONCE()` and `smp_store_release()`.
    #[inline]
    pub fn store<O: ordering::ReleaseOrRelaxed>(&self, v: T, _: O) {
        self.0.store(v, O::ORDERING);
    }

    /// Sets the value and returns the one before. Stands for `xchg()`.
    #[inline]
    pub fn xchg<O: ordering::Ordering>(&self, v: T, _: O) -> T {
        self.0.swap(v, O::ORDERING)
    }

    /// Sets the value if it is `old`. Stands for `cmpxchg()`.
    ///
    /// # Errors
    ///
    /// The value, if it is not `old`. There is then no ordering, as in the kernel.
    #[inline]
    pub fn cmpxchg<O: ordering::Ordering>(&self, old: T, new: T, _: O) -> Result<T, T> {
        self.0.compare_exchange(old, new, O::ORDERING)
    }
}

impl<T: AtomicType> Atomic<T>
where
    T::Backing: Arithmetic<T>,
{
    /// Adds `v`, and wraps around.
    #[inline]
    pub fn add(&self, v: T, order: Relaxed) {
        self.fetch_add(v, order);
    }

    /// Adds `v`, wraps around, and returns the value before. Stands for `atomic_fetch_add()`.
    #[inline]
    pub fn fetch_add<O: ordering::Ordering>(&self, v: T, _: O) -> T {
        self.0.fetch_add(v, O::ORDERING)
    }

    /// Subtracts `v`, wraps around, and returns the value before. Stands for `atomic_fetch_sub()`.
    #[inline]
    pub fn fetch_sub<O: ordering::Ordering>(&self, v: T, _: O) -> T {
        self.0.fetch_sub(v, O::ORDERING)
    }
}

impl<T: AtomicType + fmt::Debug> fmt::Debug for Atomic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load(Relaxed).fmt(f)
    }
}

/// Implements [`Backing`] by the methods of the same names.
macro_rules! backing_methods {
    ($type:ty) => {
        #[inline]
        fn load(&self, order: backing::Ordering) -> $type {
            self.load(order)
        }

        #[inline]
        fn store(&self, value: $type, order: backing::Ordering) {
            self.store(value, order);
        }

        #[inline]
        fn swap(&self, value: $type, order: backing::Ordering) -> $type {
            self.swap(value, order)
        }

        #[inline]
        fn compare_exchange(
            &self,
            old: $type,
            new: $type,
            order: backing::Ordering,
        ) -> Result<$type, $type> {
            self.compare_exchange(old, new, order, backing::Ordering::Relaxed)
        }

        #[inline]
        fn get_mut(&mut self) -> &mut $type {
            self.get_mut()
        }
    };
}

macro_rules! integers {
    ($($type:ty => $backing:ident,)*) => {
        $(
            // SAFETY: The standard library documents the same size and bit validity.
            unsafe impl AtomicType for $type {
                type Backing = backing::$backing;
            }

            impl Backing<$type> for backing::$backing {
                backing_methods!($type);
            }

            impl Arithmetic<$type> for backing::$backing {
                #[inline]
                fn fetch_add(&self, value: $type, order: backing::Ordering) -> $type {
                    self.fetch_add(value, order)
                }

                #[inline]
                fn fetch_sub(&self, value: $type, order: backing::Ordering) -> $type {
                    self.fetch_sub(value, order)
                }
            }
        )*
    };
}

integers! {
    i32 => AtomicI32,
    u32 => AtomicU32,
    i64 => AtomicI64,
    u64 => AtomicU64,
    isize => AtomicIsize,
    usize => AtomicUsize,
}

// SAFETY: The standard library documents the same size and bit validity.
unsafe impl AtomicType for bool {
    type Backing = backing::AtomicBool;
}

impl Backing<bool> for backing::AtomicBool {
    backing_methods!(bool);
}

// SAFETY: The standard library documents the same size and bit validity.
unsafe impl<T> AtomicType for *mut T {
    type Backing = backing::AtomicPtr<T>;
}

impl<T> Backing<*mut T> for backing::AtomicPtr<T> {
    backing_methods!(*mut T);
}

// SAFETY: The standard library documents the same size and bit validity for `*mut T`, and a
// pointer is the same whether it is `*mut` or `*const`.
unsafe impl<T> AtomicType for *const T {
    type Backing = backing::AtomicPtr<T>;
}

impl<T> Backing<*const T> for backing::AtomicPtr<T> {
    #[inline]
    fn load(&self, order: backing::Ordering) -> *const T {
        self.load(order)
    }

    #[inline]
    fn store(&self, value: *const T, order: backing::Ordering) {
        self.store(value.cast_mut(), order);
    }

    #[inline]
    fn swap(&self, value: *const T, order: backing::Ordering) -> *const T {
        self.swap(value.cast_mut(), order)
    }

    #[inline]
    fn compare_exchange(
        &self,
        old: *const T,
        new: *const T,
        order: backing::Ordering,
    ) -> Result<*const T, *const T> {
        self.compare_exchange(
            old.cast_mut(),
            new.cast_mut(),
            order,
            backing::Ordering::Relaxed,
        )
        .map(<*mut T>::cast_const)
        .map_err(<*mut T>::cast_const)
    }

    #[inline]
    fn get_mut(&mut self) -> &mut *const T {
        let value: *mut *mut T = self.get_mut();

        // SAFETY: The pointer comes from a reference that is not used any more, and the two types
        // of pointers have the same layout and the same values.
        unsafe { &mut *value.cast() }
    }
}

/// An atomic `bool`, which in the kernel may be wider than a byte, where that is faster.
///
/// # Examples
///
/// ```
/// use kernel::sync::atomic::{AtomicFlag, Relaxed};
///
/// let enabled = AtomicFlag::new(true);
/// assert!(enabled.xchg(false, Relaxed));
/// assert!(!enabled.load(Relaxed));
/// ```
pub struct AtomicFlag(Atomic<bool>);

impl AtomicFlag {
    /// Makes a flag.
    #[inline]
    pub const fn new(b: bool) -> Self {
        Self(Atomic::new(b))
    }

    /// Returns the flag, which nobody else can access meanwhile.
    #[inline]
    pub fn get_mut(&mut self) -> &mut bool {
        self.0.get_mut()
    }

    /// Returns the flag.
    #[inline]
    pub fn load<O: ordering::AcquireOrRelaxed>(&self, o: O) -> bool {
        self.0.load(o)
    }

    /// Sets the flag.
    #[inline]
    pub fn store<O: ordering::ReleaseOrRelaxed>(&self, v: bool, o: O) {
        self.0.store(v, o);
    }

    /// Sets the flag and returns the one before.
    #[inline]
    pub fn xchg<O: ordering::Ordering>(&self, new: bool, o: O) -> bool {
        self.0.xchg(new, o)
    }

    /// Sets the flag if it is `old`.
    ///
    /// # Errors
    ///
    /// The flag, if it is not `old`.
    #[inline]
    pub fn cmpxchg<O: ordering::Ordering>(&self, old: bool, new: bool, o: O) -> Result<bool, bool> {
        self.0.cmpxchg(old, new, o)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::size_of;
    use std::{ptr, thread};

    #[test]
    fn integers() {
        let mut x = Atomic::new(u32::MAX);
        assert_eq!(x.fetch_add(2, Relaxed), u32::MAX);
        assert_eq!(x.load(Acquire), 1);
        x.add(4, Relaxed);
        assert_eq!(x.fetch_sub(6, Full), 5);
        assert_eq!(*x.get_mut(), u32::MAX);

        let x = Atomic::new(-5i64);
        assert_eq!(x.xchg(6, Release), -5);
        assert_eq!(x.cmpxchg(7, 8, Acquire), Err(6));
        assert_eq!(x.cmpxchg(6, 8, Release), Ok(6));
        assert_eq!(format!("{x:?}"), "8");
        assert_eq!(size_of::<Atomic<i64>>(), 8);
    }

    #[test]
    fn pointers() {
        let (a, b) = (1u8, 2u8);

        let mut p = Atomic::new(&raw const a);
        assert_eq!(
            p.cmpxchg(&raw const a, &raw const b, Full),
            Ok(&raw const a)
        );
        assert_eq!(*p.get_mut(), &raw const b);
        *p.get_mut() = &raw const a;
        assert_eq!(p.load(Relaxed), &raw const a);

        let p = Atomic::new(ptr::null_mut::<u8>());
        p.store((&raw const b).cast_mut(), Release);
        assert_eq!(p.xchg(ptr::null_mut(), Acquire), (&raw const b).cast_mut());
    }

    #[test]
    fn flags() {
        let mut flag = AtomicFlag::new(false);
        assert_eq!(flag.cmpxchg(true, true, Full), Err(false));
        assert_eq!(flag.cmpxchg(false, true, Full), Ok(false));
        assert!(*flag.get_mut());
        flag.store(false, Release);
        assert!(!flag.load(Acquire));
    }

    #[test]
    fn release_and_acquire_pass_a_value_on() {
        for _ in 0..100 {
            let (value, ready) = (Atomic::new(0u64), AtomicFlag::new(false));
            thread::scope(|s| {
                s.spawn(|| {
                    value.store(1, Relaxed);
                    ready.store(true, Release);
                });
                while !ready.load(Acquire) {
                    thread::yield_now();
                }
                assert_eq!(value.load(Relaxed), 1);
            });
        }
    }
}
