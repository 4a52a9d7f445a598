// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The vector.
//!
//! Stands for `rust/kernel/alloc/kvec.rs`.

mod errors;
mod into_iter;
mod traits;

pub use self::{
    errors::{InsertError, PushError, RemoveError},
    into_iter::{DrainAll, IntoIter},
};

use super::{
    allocator::{KVmalloc, Kmalloc, Vmalloc},
    flags::__GFP_ZERO,
    AllocError, Allocator, Flags, NumaNode,
};
use core::{
    alloc::Layout,
    marker::PhantomData,
    mem::{self, ManuallyDrop, MaybeUninit},
    ptr::{self, NonNull},
    slice,
};
use pin_init::Zeroable;

/// Makes a [`KVec`] of the values, with memory by `GFP_KERNEL`.
///
/// Without values the result is the vector, and otherwise `Result<KVec<_>, AllocError>`.
///
/// # Context
///
/// May sleep, unless there are no values.
///
/// # Examples
///
/// ```
/// use kernel::{kvec, prelude::*};
///
/// assert_eq!(kvec![1, 2, 3]?, [1, 2, 3]);
/// assert_eq!(kvec![7; 3]?, [7, 7, 7]);
///
/// let mut none = kvec![];
/// none.push(1, GFP_KERNEL)?;
/// assert_eq!(none, [1]);
/// # Ok::<(), Error>(())
/// ```
#[macro_export]
macro_rules! kvec {
    () => {
        $crate::alloc::KVec::new()
    };
    ($elem:expr; $n:expr) => {
        $crate::alloc::KVec::from_elem($elem, $n, $crate::alloc::flags::GFP_KERNEL)
    };
    ($($x:expr),+ $(,)?) => {
        match $crate::alloc::KBox::new_uninit($crate::alloc::flags::GFP_KERNEL) {
            ::core::result::Result::Ok(memory) => ::core::result::Result::Ok(
                $crate::alloc::KVec::from($crate::alloc::KBox::write(memory, [$($x),+])),
            ),
            ::core::result::Result::Err(error) => ::core::result::Result::Err(error),
        }
    };
}

/// A growable array in memory of the allocator `A`.
///
/// # Invariants
///
/// - The memory was allocated by `A` as an array of `capacity` values of type `T`. The pointer
///   dangles if that has no size.
/// - The first `len` of them are there, and `len` is no larger than [`capacity()`](Self::capacity).
///
/// # Examples
///
/// ```
/// use kernel::{alloc::{allocator::Kmalloc, Vec}, prelude::*};
///
/// let mut rings: Vec<u32, Kmalloc> = KVec::new();
/// rings.push(5, GFP_KERNEL)?;
/// rings.extend_from_slice(&[6, 7], GFP_KERNEL)?;
/// assert_eq!(rings, [5, 6, 7]);
/// assert_eq!(rings.iter().sum::<u32>(), 18);
/// # Ok::<(), Error>(())
/// ```
pub struct Vec<T, A: Allocator> {
    ptr: NonNull<T>,
    /// Zero for values without a size, which need no memory.
    capacity: usize,
    len: usize,
    _p: PhantomData<A>,
}

/// A [`Vec`] of `kmalloc()`, which serves up to 4 MiB.
pub type KVec<T> = Vec<T, Kmalloc>;

/// A [`Vec`] of `vmalloc()`, in whole pages. Dropping it may sleep.
pub type VVec<T> = Vec<T, Vmalloc>;

/// A [`Vec`] of `kvmalloc()`. Dropping it may sleep if it is larger than a page.
pub type KVVec<T> = Vec<T, KVmalloc>;

// SAFETY: The vector owns its values, and its memory may be freed on any thread.
unsafe impl<T: Send, A: Allocator> Send for Vec<T, A> {}

// SAFETY: A shared vector gives shared access to its values and nothing else.
unsafe impl<T: Sync, A: Allocator> Sync for Vec<T, A> {}

impl<T, A: Allocator> Vec<T, A> {
    const IS_ZST: bool = size_of::<T>() == 0;

    /// Makes an empty vector, without memory.
    #[inline]
    pub const fn new() -> Self {
        // INVARIANT: There is neither memory nor a value.
        Self {
            ptr: NonNull::dangling(),
            capacity: 0,
            len: 0,
            _p: PhantomData,
        }
    }

    /// Makes an empty vector with room for at least `capacity` values.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory, or no memory could be so large.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL).
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::prelude::*;
    ///
    /// let mut slots = KVec::with_capacity(2, GFP_KERNEL)?;
    /// slots.push_within_capacity(1)?;
    /// slots.push_within_capacity(2)?;
    /// assert_eq!(slots.push_within_capacity(3).map_err(Error::from), Err(EINVAL));
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn with_capacity(capacity: usize, flags: Flags) -> Result<Self, AllocError> {
        let mut this = Self::new();
        this.reserve(capacity, flags)?;
        Ok(this)
    }

    /// Makes a vector of `n` values that are all zeroes.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory, or no memory could be so large.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL).
    #[track_caller]
    pub fn zeroed(n: usize, flags: Flags) -> Result<Self, AllocError>
    where
        T: Zeroable,
    {
        let mut this = Self::with_capacity(n, flags | __GFP_ZERO)?;

        // SAFETY: The memory is zeroed, and zeroes are a value of `T`.
        unsafe { this.inc_len(n) };
        Ok(this)
    }

    /// Returns how many values there is room for, without another allocation.
    pub const fn capacity(&self) -> usize {
        if Self::IS_ZST {
            usize::MAX
        } else {
            self.capacity
        }
    }

    /// Returns the number of values.
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no values.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Says that the next `additional` values are there.
    ///
    /// # Safety
    ///
    /// - There must be room for them.
    /// - They must be initialised.
    #[inline]
    pub const unsafe fn inc_len(&mut self, additional: usize) {
        debug_assert!(additional <= self.capacity() - self.len);

        // INVARIANT: By the safety requirements.
        self.len += additional;
    }

    /// Gives the last `count` values to the caller, who must drop them.
    ///
    /// # Safety
    ///
    /// There must be so many.
    unsafe fn dec_len(&mut self, count: usize) -> &mut [T] {
        debug_assert!(count <= self.len);

        // INVARIANT: Fewer values are there.
        self.len -= count;
        // SAFETY: The value is in the memory, or one past it.
        let first = unsafe { self.as_mut_ptr().add(self.len) };
        // SAFETY: By the type invariants the values are there, and `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(first, count) }
    }

    /// Gives all values to the caller, who must drop them, and returns how many there are.
    fn take_len(&mut self) -> usize {
        // INVARIANT: No values are there.
        mem::take(&mut self.len)
    }

    /// Returns the values.
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        self
    }

    /// Returns the values.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }

    /// Returns a pointer to the first value, which dangles if there is no memory.
    #[inline]
    pub fn as_mut_ptr(&mut self) -> *mut T {
        self.ptr.as_ptr()
    }

    /// Returns a pointer to the first value, which dangles if there is no memory.
    #[inline]
    pub const fn as_ptr(&self) -> *const T {
        self.ptr.as_ptr()
    }

    /// Returns the room behind the values.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::prelude::*;
    ///
    /// let mut values = KVec::<u32>::with_capacity(4, GFP_KERNEL)?;
    /// values.spare_capacity_mut()[0].write(9);
    /// // SAFETY: The first value was written just now.
    /// unsafe { values.inc_len(1) };
    /// assert_eq!(values, [9]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn spare_capacity_mut(&mut self) -> &mut [MaybeUninit<T>] {
        let room = self.capacity() - self.len;

        // SAFETY: It is in the memory, or one past it.
        let first = unsafe { self.as_mut_ptr().add(self.len) };
        // SAFETY: There is room for so many, and `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(first.cast(), room) }
    }

    /// Appends a value.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no room and no memory; `v` is then dropped.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL), if there is no room.
    #[track_caller]
    pub fn push(&mut self, v: T, flags: Flags) -> Result<(), AllocError> {
        self.reserve(1, flags)?;
        // SAFETY: There is room.
        unsafe { self.push_within_capacity_unchecked(v) };
        Ok(())
    }

    /// Appends a value if there is room.
    ///
    /// # Errors
    ///
    /// [`PushError`] with the value if there is none.
    ///
    /// # Context
    ///
    /// Does not sleep.
    pub fn push_within_capacity(&mut self, v: T) -> Result<(), PushError<T>> {
        if self.len == self.capacity() {
            return Err(PushError(v));
        }
        // SAFETY: There is room.
        unsafe { self.push_within_capacity_unchecked(v) };
        Ok(())
    }

    /// Appends a value.
    ///
    /// # Safety
    ///
    /// There must be room.
    unsafe fn push_within_capacity_unchecked(&mut self, v: T) {
        // SAFETY: By the safety requirement it is in the memory.
        let slot = unsafe { self.as_mut_ptr().add(self.len) };
        // SAFETY: And so it is valid for a write.
        unsafe { slot.write(v) };
        // SAFETY: The value was written just now.
        unsafe { self.inc_len(1) };
    }

    /// Inserts a value before the one with this index, or at the end, if there is room.
    ///
    /// # Errors
    ///
    /// [`InsertError`] with the value if there is no room, or the index is larger than the length.
    ///
    /// # Context
    ///
    /// Does not sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::prelude::*;
    ///
    /// let mut values = KVec::with_capacity(3, GFP_KERNEL)?;
    /// values.extend_from_slice(&[1, 3], GFP_KERNEL)?;
    /// values.insert_within_capacity(1, 2)?;
    /// assert_eq!(values, [1, 2, 3]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn insert_within_capacity(
        &mut self,
        index: usize,
        element: T,
    ) -> Result<(), InsertError<T>> {
        if index > self.len {
            return Err(InsertError::IndexOutOfBounds(element));
        }
        match self.push_within_capacity(element) {
            Ok(()) => {
                self[index..].rotate_right(1);
                Ok(())
            }
            Err(PushError(element)) => Err(InsertError::OutOfCapacity(element)),
        }
    }

    /// Removes the last value and returns it, or [`None`] if there is none.
    pub fn pop(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }

        // SAFETY: There is a value.
        let last = unsafe { self.dec_len(1) };
        // SAFETY: It was there, and is not used again.
        Some(unsafe { ptr::from_mut(last).cast::<T>().read() })
    }

    /// Removes the value with this index and returns it. Those behind it move up.
    ///
    /// # Errors
    ///
    /// [`RemoveError`] if there is no such value.
    pub fn remove(&mut self, i: usize) -> Result<T, RemoveError> {
        self.get_mut(i..).ok_or(RemoveError).and_then(|behind| {
            if behind.is_empty() {
                return Err(RemoveError);
            }
            behind.rotate_left(1);
            Ok(())
        })?;
        self.pop().ok_or(RemoveError)
    }

    /// Takes over memory and values.
    ///
    /// # Safety
    ///
    /// - They must come from [`into_raw_parts()`](Self::into_raw_parts) of a vector of the same
    ///   allocator and the same type of values, or from a box of an array that was given up.
    /// - No other code may take them over.
    pub unsafe fn from_raw_parts(ptr: *mut T, length: usize, capacity: usize) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            // SAFETY: And so it is not null.
            ptr: unsafe { NonNull::new_unchecked(ptr) },
            capacity: if Self::IS_ZST { 0 } else { capacity },
            len: length,
            _p: PhantomData,
        }
    }

    /// Gives up the vector, and returns the pointer, the length and the capacity. The values and
    /// the memory are the caller's: see [`from_raw_parts()`](Self::from_raw_parts).
    pub fn into_raw_parts(self) -> (*mut T, usize, usize) {
        let mut this = ManuallyDrop::new(self);
        (this.as_mut_ptr(), this.len(), this.capacity())
    }

    /// Drops all values, and keeps the memory.
    #[inline]
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Makes room for at least `additional` more values.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory, or no memory could be so large. The vector stays as it
    /// is.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL), if there is no room.
    #[track_caller]
    pub fn reserve(&mut self, additional: usize, flags: Flags) -> Result<(), AllocError> {
        if additional <= self.capacity() - self.len {
            return Ok(());
        }

        let needed = self.len.checked_add(additional).ok_or(AllocError)?;
        // Twice the memory each time, so that a value is moved a constant number of times.
        self.resize_memory(needed.max(self.capacity.saturating_mul(2)), flags)
    }

    /// Changes the capacity, which must not be less than the length.
    #[track_caller]
    fn resize_memory(&mut self, capacity: usize, flags: Flags) -> Result<(), AllocError> {
        debug_assert!(self.len <= capacity);
        if Self::IS_ZST {
            return Ok(());
        }

        let layout = Layout::array::<T>(capacity).map_err(|_| AllocError)?;
        let old = self.layout();
        let memory = Some(self.ptr.cast());
        // SAFETY: By the type invariants it is memory of `A` with the layout `old`, or has no size.
        let memory = unsafe { A::realloc(memory, layout, old, flags, NumaNode::NO_NODE) }?;

        // INVARIANT: It was just allocated for `capacity` values, and the values were kept.
        self.ptr = memory.cast();
        self.capacity = capacity;
        Ok(())
    }

    /// Returns the layout of the memory.
    fn layout(&self) -> Layout {
        // SAFETY: By the type invariants memory of this layout exists.
        unsafe { Layout::array::<T>(self.capacity).unwrap_unchecked() }
    }

    /// Drops the values behind the first `len`, if there are so many, and keeps the memory.
    pub fn truncate(&mut self, len: usize) {
        if let Some(count) = self.len.checked_sub(len) {
            // SAFETY: There are so many.
            let values: *mut [T] = unsafe { self.dec_len(count) };
            // SAFETY: They were there, and are not used again.
            unsafe { ptr::drop_in_place(values) };
        }
    }

    /// Takes all values out, and keeps the memory. The values that the iterator leaves are dropped
    /// with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{kvec, prelude::*};
    ///
    /// let mut jobs = kvec![1, 2, 3]?;
    /// assert_eq!(jobs.drain_all().sum::<i32>(), 6);
    /// assert!(jobs.is_empty() && jobs.capacity() >= 3);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn drain_all(&mut self) -> DrainAll<'_, T> {
        // SAFETY: There are so many.
        let values = unsafe { self.dec_len(self.len) };
        // SAFETY: The vector has given them up.
        unsafe { DrainAll::new(values) }
    }

    /// Drops the values that `f` returns `false` for. The others keep their order.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::{kvec, prelude::*};
    ///
    /// let mut values = kvec![1, 2, 3, 4]?;
    /// values.retain(|value| *value % 2 == 0);
    /// assert_eq!(values, [2, 4]);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn retain(&mut self, mut f: impl FnMut(&mut T) -> bool) {
        let mut kept = 0;
        for index in 0..self.len {
            if f(&mut self[index]) {
                self.swap(kept, index);
                kept += 1;
            }
        }
        self.truncate(kept);
    }
}

impl<T> Vec<T, KVmalloc> {
    /// Shrinks the memory to what the values need, but to no less than `min_capacity` of them.
    ///
    /// Memory of more than a page is only shrunk if that frees a page.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory for a copy. The vector stays as it is.
    ///
    /// # Context
    ///
    /// May sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::prelude::*;
    ///
    /// let mut values = KVVec::with_capacity(100, GFP_KERNEL)?;
    /// values.push(1, GFP_KERNEL)?;
    /// values.shrink_to(10, GFP_KERNEL)?;
    /// assert_eq!(values.capacity(), 10);
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn shrink_to(&mut self, min_capacity: usize, flags: Flags) -> Result<(), AllocError> {
        use crate::page::PAGE_SIZE;

        let capacity = self.len.max(min_capacity);
        if Self::IS_ZST || self.capacity <= capacity {
            return Ok(());
        }

        let pages = |capacity: usize| (capacity * size_of::<T>()).div_ceil(PAGE_SIZE);
        if pages(self.capacity) > 1 && pages(capacity) == pages(self.capacity) {
            return Ok(());
        }
        self.resize_memory(capacity, flags)
    }
}

impl<T: Clone, A: Allocator> Vec<T, A> {
    /// Appends `n` values, which are clones of `value` and at last itself.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory. The vector stays as it is.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL).
    #[track_caller]
    pub fn extend_with(&mut self, n: usize, value: T, flags: Flags) -> Result<(), AllocError> {
        self.reserve(n, flags)?;
        if n == 0 {
            return Ok(());
        }

        for _ in 1..n {
            // SAFETY: There is room for `n`.
            unsafe { self.push_within_capacity_unchecked(value.clone()) };
        }
        // SAFETY: There is room for `n`.
        unsafe { self.push_within_capacity_unchecked(value) };
        Ok(())
    }

    /// Appends clones of the values of a slice.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory. The vector stays as it is.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL).
    #[track_caller]
    pub fn extend_from_slice(&mut self, other: &[T], flags: Flags) -> Result<(), AllocError> {
        self.reserve(other.len(), flags)?;
        for value in other {
            // SAFETY: There is room for all of them.
            unsafe { self.push_within_capacity_unchecked(value.clone()) };
        }
        Ok(())
    }

    /// Makes a vector of `n` values, which are clones of `value` and at last itself.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL).
    #[track_caller]
    pub fn from_elem(value: T, n: usize, flags: Flags) -> Result<Self, AllocError> {
        let mut this = Self::new();
        this.extend_with(n, value, flags)?;
        Ok(this)
    }

    /// Changes the number of values: drops the last ones, or appends clones of `value`.
    ///
    /// # Errors
    ///
    /// [`AllocError`] if there is no memory. The vector stays as it is.
    ///
    /// # Context
    ///
    /// May sleep with [`GFP_KERNEL`](super::flags::GFP_KERNEL), if there is no room.
    #[track_caller]
    pub fn resize(&mut self, new_len: usize, value: T, flags: Flags) -> Result<(), AllocError> {
        match new_len.checked_sub(self.len) {
            Some(more) => self.extend_with(more, value, flags),
            None => {
                self.truncate(new_len);
                Ok(())
            }
        }
    }
}

impl<T, A: Allocator> Drop for Vec<T, A> {
    #[track_caller]
    fn drop(&mut self) {
        /// Frees memory, also if the destructor of a value panics.
        struct Free<A: Allocator>(NonNull<u8>, Layout, PhantomData<A>);

        impl<A: Allocator> Drop for Free<A> {
            #[track_caller]
            fn drop(&mut self) {
                // SAFETY: By the type invariants of `Vec` the memory was allocated by `A` with this
                // layout, and the values in it are dropped.
                unsafe { A::free(self.0, self.1) };
            }
        }

        let _free = Free::<A>(self.ptr.cast(), self.layout(), PhantomData);
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        alloc::flags::*,
        error::{code::*, Error},
        page::PAGE_SIZE,
        sync::rcu,
        testing::fail_nth,
    };
    use std::{
        panic::{catch_unwind, AssertUnwindSafe},
        rc::Rc,
    };

    fn counted(n: usize) -> (Rc<()>, KVec<Rc<()>>) {
        let value = Rc::new(());
        let values = KVec::from_elem(value.clone(), n, GFP_KERNEL).unwrap();
        assert_eq!(Rc::strong_count(&value), n + 1);
        (value, values)
    }

    #[test]
    fn grows_and_keeps_its_values() {
        fn check<A: Allocator>() {
            let mut values = Vec::<usize, A>::new();
            assert_eq!((values.capacity(), values.len()), (0, 0));
            for value in 0..1000 {
                values.push(value, GFP_KERNEL).unwrap();
            }
            assert!(values.iter().copied().eq(0..1000));
            assert!(values.capacity() >= 1000);
        }

        check::<Kmalloc>();
        check::<Vmalloc>();
        check::<KVmalloc>();
    }

    #[test]
    fn allocates_a_constant_number_of_times_per_doubling() {
        let fault = fail_nth(0);
        let mut values = KVec::new();
        for value in 0..1024 {
            values.push(value, GFP_KERNEL).unwrap();
        }
        assert_eq!(fault.allocations(), 11);
    }

    #[test]
    fn a_failure_changes_nothing() {
        let (value, mut values) = counted(2);
        let capacity = values.capacity();
        values.reserve(capacity - 2, GFP_KERNEL).unwrap();
        while values.push_within_capacity(value.clone()).is_ok() {}
        let len = values.len();

        for nth in [1, 1, 1, 1] {
            let fault = fail_nth(nth);
            assert!(values.push(value.clone(), GFP_KERNEL).is_err());
            assert!(fault.tripped());
            drop(fault);

            let _fault = fail_nth(nth);
            assert!(values.resize(len + 1, value.clone(), GFP_KERNEL).is_err());
        }
        let _fault = fail_nth(1);
        assert!(values
            .extend_from_slice(core::slice::from_ref(&value), GFP_KERNEL)
            .is_err());
        assert_eq!(values.len(), len);
        assert_eq!(Rc::strong_count(&value), len + 1);
        assert_eq!(values.reserve(usize::MAX, GFP_KERNEL), Err(AllocError));
        assert!(KVec::<u64>::with_capacity(usize::MAX / 4, GFP_KERNEL).is_err());
    }

    #[test]
    fn values_come_and_go() {
        let mut values = kvec![1, 2, 3, 4, 5].unwrap();
        assert_eq!(values.remove(1).unwrap(), 2);
        assert_eq!(values.remove(4).map_err(Error::from), Err(EINVAL));
        assert_eq!(values.pop(), Some(5));
        assert_eq!(values, [1, 3, 4]);

        values.insert_within_capacity(3, 6).unwrap();
        values.insert_within_capacity(0, 0).unwrap();
        assert_eq!(values, [0, 1, 3, 4, 6]);
        assert!(matches!(
            values.insert_within_capacity(6, 9),
            Err(InsertError::IndexOutOfBounds(9))
        ));
        assert!(matches!(
            values.insert_within_capacity(0, 9),
            Err(InsertError::OutOfCapacity(9))
        ));

        values.resize(2, 0, GFP_KERNEL).unwrap();
        values.resize(4, 8, GFP_KERNEL).unwrap();
        assert_eq!(values, [0, 1, 8, 8]);
        assert_eq!(KVec::<u32>::zeroed(3, GFP_KERNEL).unwrap(), [0, 0, 0]);
        assert_eq!(KVec::<u32>::new().pop(), None);
    }

    #[test]
    fn values_are_dropped_once() {
        let (value, mut values) = counted(8);
        values.truncate(6);
        assert_eq!(Rc::strong_count(&value), 7);
        drop(values.pop());
        drop(values.remove(0));
        assert_eq!(Rc::strong_count(&value), 5);

        let mut all = true;
        values.retain(|_| {
            all = !all;
            all
        });
        assert_eq!(Rc::strong_count(&value), 3);

        drop(values.drain_all().next());
        assert_eq!(Rc::strong_count(&value), 1);
        assert!(values.is_empty());

        values.extend_with(4, value.clone(), GFP_KERNEL).unwrap();
        let mut iter = values.into_iter();
        drop(iter.next());
        assert_eq!(iter.size_hint(), (3, Some(3)));
        assert_eq!(Rc::strong_count(&value), 4);

        let mut values = iter.collect(GFP_KERNEL);
        assert_eq!((values.len(), values.capacity()), (3, 3));
        values.push(value.clone(), GFP_KERNEL).unwrap();
        let mut iter = values.into_iter();
        drop(iter.next());
        drop(iter);
        assert_eq!(Rc::strong_count(&value), 1);
    }

    #[test]
    fn raw_parts_and_back() {
        let (value, values) = counted(3);
        let (ptr, length, capacity) = values.into_raw_parts();
        assert_eq!(Rc::strong_count(&value), 4);
        // SAFETY: They come from `into_raw_parts()`.
        drop(unsafe { KVec::from_raw_parts(ptr, length, capacity) });
        assert_eq!(Rc::strong_count(&value), 1);
    }

    #[test]
    fn values_without_a_size_need_no_memory() {
        let fault = fail_nth(1);
        let mut values = VVec::from_elem((), 5, GFP_KERNEL).unwrap();
        values.push((), GFP_KERNEL).unwrap();
        assert_eq!((values.len(), values.capacity()), (6, usize::MAX));
        assert_eq!(values.into_iter().count(), 6);
        assert_eq!(kvec![(), ()].unwrap().len(), 2);
        assert!(!fault.tripped());
    }

    #[test]
    fn shrinks_by_pages() {
        let mut values = KVVec::<u8>::with_capacity(4 * PAGE_SIZE, GFP_KERNEL).unwrap();
        values.extend_with(10, 7, GFP_KERNEL).unwrap();

        values.shrink_to(4 * PAGE_SIZE - 1, GFP_KERNEL).unwrap();
        assert_eq!(values.capacity(), 4 * PAGE_SIZE);
        values.shrink_to(3 * PAGE_SIZE, GFP_KERNEL).unwrap();
        assert_eq!(values.capacity(), 3 * PAGE_SIZE);
        values.shrink_to(0, GFP_KERNEL).unwrap();
        assert_eq!(values.capacity(), 10);
        assert_eq!(values, [7; 10]);

        values.clear();
        values.shrink_to(0, GFP_KERNEL).unwrap();
        assert_eq!(values.capacity(), 0);
    }

    #[test]
    fn a_panic_of_a_destructor_or_a_clone_leaves_a_vector() {
        struct Fragile(Rc<()>, bool);
        impl Drop for Fragile {
            fn drop(&mut self) {
                assert!(!self.1, "destructor");
            }
        }
        impl Clone for Fragile {
            fn clone(&self) -> Self {
                assert!(Rc::strong_count(&self.0) < 4, "clone");
                Self(self.0.clone(), self.1)
            }
        }

        let value = Rc::new(());
        let mut values = KVec::new();
        let cloned = catch_unwind(AssertUnwindSafe(|| {
            values.extend_with(8, Fragile(value.clone(), false), GFP_KERNEL)
        }));
        assert!(cloned.is_err());
        assert_eq!((values.len(), Rc::strong_count(&value)), (2, 3));

        values[0].1 = true;
        assert!(catch_unwind(AssertUnwindSafe(|| drop(values))).is_err());
        assert_eq!(Rc::strong_count(&value), 1);
    }

    #[test]
    fn growing_in_atomic_context_is_loud() {
        let mut values = KVec::with_capacity(1, GFP_KERNEL).unwrap();
        let _atomic = rcu::read_lock();

        values.push(1, GFP_KERNEL).unwrap();
        values.push(2, GFP_ATOMIC).unwrap();
        let report = catch_unwind(AssertUnwindSafe(|| values.reserve(100, GFP_KERNEL)));
        let report = *report.unwrap_err().downcast::<String>().unwrap();
        assert!(report.contains("kmalloc() may sleep"), "{report}");
        assert_eq!(values, [1, 2]);
    }
}
