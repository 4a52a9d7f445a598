// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A shrinker for the KUnit suites, and allocations until memory runs short.
//!
//! Stands for a file of the same name that is added to the kernel. Memory does not run short here:
//! each allocation of [`Pages`] calls all shrinkers, on the thread that allocates, as direct reclaim
//! does.

use crate::{prelude::*, sync::Arc};
use std::{
    cell::Cell,
    sync::{Mutex, PoisonError},
};

/// An object that can give memory back when it runs short.
pub(crate) trait Shrink: Send + Sync + 'static {
    /// Returns the number of objects that may be freed.
    fn count(&self) -> usize;

    /// Frees objects, and returns their number.
    fn scan(&self) -> usize;
}

/// An object's address, and the function that is called for it when memory is reclaimed.
type Entry = (usize, Box<dyn Fn() + Send + Sync>);

/// All shrinkers.
static SHRINKERS: Mutex<Vec<std::sync::Arc<Entry>>> = Mutex::new(Vec::new());

/// A registered shrinker.
pub(crate) struct Shrinker<T: Shrink>(Arc<T>);

impl<T: Shrink> Shrinker<T> {
    /// Registers a shrinker.
    pub(crate) fn register(of: Arc<T>) -> Result<Self> {
        let theirs = of.clone();
        let give_back = move || {
            if theirs.count() > 0 {
                theirs.scan();
            }
        };
        let entry = (Arc::as_ptr(&of).addr(), Box::new(give_back) as Box<_>);
        let mut shrinkers = SHRINKERS.lock().unwrap_or_else(PoisonError::into_inner);
        shrinkers.push(std::sync::Arc::new(entry));

        Ok(Self(of))
    }
}

impl<T: Shrink> Drop for Shrinker<T> {
    fn drop(&mut self) {
        let address = Arc::as_ptr(&self.0).addr();
        let mut shrinkers = SHRINKERS.lock().unwrap_or_else(PoisonError::into_inner);
        shrinkers.retain(|entry| entry.0 != address);
    }
}

thread_local! {
    /// Whether this thread is reclaiming memory. Meanwhile the thread does not begin another
    /// reclaim, as the kernel ensures by `PF_MEMALLOC`.
    static IS_RECLAIMING: Cell<bool> = const { Cell::new(false) };
}

/// Calls all shrinkers.
fn reclaim() {
    if IS_RECLAIMING.replace(true) {
        return;
    }

    let shrinkers = SHRINKERS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    for entry in shrinkers {
        entry.1();
    }
    IS_RECLAIMING.set(false);
}

/// Memory, the allocation of which reclaims other memory.
pub(crate) struct Pages(Box<[usize]>);

impl Pages {
    /// Allocates memory.
    #[allow(clippy::unnecessary_wraps, reason = "in the kernel it may fail")]
    pub(crate) fn new() -> Result<Self> {
        reclaim();

        Ok(Self(Box::new([0; 4096])))
    }

    /// Writes to the first word.
    pub(crate) fn write(&mut self, word: usize) {
        self.0[0] = word;
    }

    /// Returns what was written to the first word.
    pub(crate) fn read(&self) -> usize {
        self.0[0]
    }
}

/// Allocates memory until `is_enough` returns `true`.
pub(crate) fn exhaust(is_enough: impl Fn() -> bool) {
    while !is_enough() {
        let _ = Pages::new();
    }
}
