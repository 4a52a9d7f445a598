// SPDX-License-Identifier: GPL-2.0

//! The functions in which accesses are measured, and functions that keep the compiler from
//! optimising the accesses away.
//!
//! `cargo xtask kernel bench` finds the functions by their names, and counts the instructions that
//! are executed between two calls of [`mark()`].

use super::Gem;
use crate::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    scatterlist::SGTable, //
};
use core::{
    arch::asm,
    ptr, //
};

/// Begins or ends a section of the executed instructions.
#[inline(never)]
pub(super) fn mark() {
    // SAFETY: The assembly contains no instruction.
    unsafe { asm!("/* mark */", options(nostack, preserves_flags)) };
}

/// Accesses `obj` once, in a function that does nothing else.
#[inline(never)]
fn out_of_line<'a>(obj: &'a Gem, dev: &'a Device<Bound>) -> Result<&'a SGTable> {
    obj.sg_table(dev)
}

/// Calls [`out_of_line()`] `n` times.
#[inline(never)]
pub(super) fn call(mut obj: &Gem, mut dev: &Device<Bound>, n: usize) -> Result {
    for _ in 0..n {
        obj = hide(obj);
        dev = hide(dev);
        consume(out_of_line(obj, dev)?);
    }
    Ok(())
}

/// Accesses `obj` `n` times, as a driver does in a loop of its own. Whether the accessor is inlined
/// is the compiler's decision, as it is in a driver.
#[inline(never)]
pub(super) fn in_loop(mut obj: &Gem, mut dev: &Device<Bound>, n: usize) -> Result {
    for _ in 0..n {
        obj = hide(obj);
        dev = hide(dev);
        consume(obj.sg_table(dev)?);
    }
    Ok(())
}

/// Accesses nothing, to measure the loop by itself.
#[inline(never)]
pub(super) fn nothing(mut obj: &Gem, mut dev: &Device<Bound>, n: usize) -> Result {
    for _ in 0..n {
        obj = hide(obj);
        dev = hide(dev);
        consume(obj);
    }
    Ok(())
}

/// Returns `value`, without the compiler knowing. The compiler also has to assume that all memory
/// has changed. Stands for `OPTIMIZER_HIDE_VAR()` and `barrier()`.
#[inline(always)]
fn hide<T>(value: &T) -> &T {
    let mut value = ptr::from_ref(value);

    // SAFETY: The assembly contains no instruction, and does not change `value`.
    unsafe { asm!("/* {0} */", inout(reg) value, options(nostack, preserves_flags)) };

    // SAFETY: `value` comes from a reference of the same lifetime.
    unsafe { &*value }
}

/// Uses the reference, so that it has to be in a register.
#[inline(always)]
pub(super) fn consume<T>(value: &T) {
    // SAFETY: The assembly contains no instruction.
    unsafe { asm!("/* {0} */", in(reg) value, options(nostack, preserves_flags)) };
}
