// SPDX-License-Identifier: Apache-2.0 OR MIT

//! The functions that an access is measured in, and what keeps the compiler from seeing through
//! them.
//!
//! `cargo xtask bench` tells the instruction counter to look at two of them by their names.

use kernel::{
    device::{Bound, Device},
    error::Result,
};
use std::{arch::asm, ptr};

/// Something with a fast path.
pub(crate) trait Access: Sync {
    /// The target of an access.
    type Lent;

    /// One access.
    ///
    /// Implementations are inlined, so that what is measured is the accessor that they call.
    fn access<'a>(&'a self, dev: &'a Device<Bound>) -> Result<&'a Self::Lent>;
}

/// Accesses `object` `n` times, as a driver does in a loop of its own.
///
/// Whether the accessor is inlined is the compiler's decision, as it is in a driver.
#[inline(never)]
pub(crate) fn in_loop<A: Access>(mut object: &A, mut dev: &Device<Bound>, n: u64) -> Result {
    for _ in 0..n {
        object = hide(object);
        dev = hide(dev);
        consume(object.access(dev)?);
    }

    Ok(())
}

/// Accesses `object` once, in a function that does nothing else: what a driver pays that is
/// compiled by itself, and what an instruction listing of the accessor shows.
#[inline(never)]
pub(crate) fn out_of_line<'a, A: Access>(
    object: &'a A,
    dev: &'a Device<Bound>,
) -> Result<&'a A::Lent> {
    object.access(dev)
}

/// Accesses `object` `n` times, each time as late as the table of the access before is there.
///
/// The chain takes two instructions more, for [`Nothing`] as well.
#[inline(never)]
pub(crate) fn chained<A: Access>(object: &A, dev: &Device<Bound>, n: u64) -> Result {
    let zero = *hide(&0_usize);
    let first = ptr::from_ref(object);
    let mut object = first;

    for _ in 0..n {
        // SAFETY: It is `first`, as the compiler does not know.
        let current = unsafe { &*object };
        let lent = hide(hide(current).access(hide(dev))?);
        object = first.wrapping_byte_add(ptr::from_ref(lent).addr() & zero);
    }

    Ok(())
}

/// Calls [`out_of_line()`] `n` times.
#[inline(never)]
pub(crate) fn call<A: Access>(mut object: &A, mut dev: &Device<Bound>, n: u64) -> Result {
    for _ in 0..n {
        object = hide(object);
        dev = hide(dev);
        consume(out_of_line(object, dev)?);
    }

    Ok(())
}

/// Returns the reference it is given, without the compiler knowing, which also has to assume that
/// all memory has changed: the kernel's `OPTIMIZER_HIDE_VAR()` and `barrier()`.
///
/// [`std::hint::black_box()`] says the same by way of memory: it stores the reference on the stack
/// and loads it again, which is more than some of the accesses are. This takes no instruction.
#[inline(always)]
fn hide<T>(value: &T) -> &T {
    let mut value = ptr::from_ref(value);

    // SAFETY: There is no instruction in it, and `value` is what it was.
    unsafe { asm!("/* {0} */", inout(reg) value, options(nostack, preserves_flags)) };

    // SAFETY: `value` comes from a reference of the same lifetime.
    unsafe { &*value }
}

/// Uses the reference: it has to be in a register.
#[inline(always)]
fn consume<T>(value: &T) {
    // SAFETY: There is no instruction in it.
    unsafe { asm!("/* {0} */", in(reg) value, options(nostack, preserves_flags)) };
}

/// Accesses nothing: what the loops take by themselves.
pub(crate) struct Nothing;

impl Access for Nothing {
    type Lent = Self;

    #[inline(always)]
    fn access<'a>(&'a self, _dev: &'a Device<Bound>) -> Result<&'a Self> {
        Ok(self)
    }
}
