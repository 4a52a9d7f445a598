// SPDX-License-Identifier: GPL-2.0

//! How long the stress of `stress_kunit` is, and how it measures memory.
//!
//! The suite runs on the host as well, which has a file of its own in place of this one.

use crate::{
    bindings,
    prelude::*,
    str::CStr,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// How often the device is bound and unbound, unless [`PARAMETER`] is given. With fewer bindings,
/// lost memory cannot be told from what one run differs from the next.
const BINDINGS: i64 = 1000;

/// The parameter of the kernel that asks for more bindings.
const PARAMETER: &str = "rust_lazy_stress.bindings=";

/// Returns how often the device is bound and unbound.
///
/// # Errors
///
/// `EINVAL` if the kernel was booted with something else than such a number.
pub(crate) fn bindings() -> Result<i64> {
    // SAFETY: The string is made early at boot, is there for good, and is not written again.
    let line = unsafe { CStr::from_char_ptr(bindings::saved_command_line) };

    line.to_str()?
        .split_whitespace()
        .find_map(|argument| argument.strip_prefix(PARAMETER))
        .map_or(Ok(BINDINGS), |number| number.parse().map_err(|_| EINVAL))
        .and_then(|number| {
            if number >= BINDINGS {
                Ok(number)
            } else {
                Err(EINVAL)
            }
        })
}

/// Runs `function`, during which no other stress uses memory: tests run one after the other.
pub(crate) fn alone<R>(function: impl FnOnce() -> R) -> R {
    function()
}

/// How many pages of memory are in use, or free.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// In the caches of `kmalloc()`, and in others.
    slab: i64,
    /// In the files behind objects.
    shmem: i64,
    free: i64,
}

impl Usage {
    /// How much more may be in use after so many bindings. It is less than objects take if one is
    /// lost for each binding, and more than one run differs from the next.
    fn slack(bindings: i64) -> Self {
        Self {
            slab: bindings / 8,
            shmem: bindings / 8,
            free: bindings,
        }
    }

    /// Measures, after all freed memory was given back.
    pub(crate) fn now() -> Self {
        // SAFETY: This thread may sleep.
        unsafe { bindings::rcu_barrier() };
        // SAFETY: This thread may sleep.
        unsafe { bindings::flush_delayed_fput() };
        // SAFETY: This thread may sleep.
        unsafe { bindings::rcu_barrier() };
        // SAFETY: This thread may sleep.
        unsafe { bindings::kvfree_rcu_barrier() };
        // SAFETY: This thread may sleep.
        unsafe { bindings::lru_add_drain_all() };
        shrink_caches();

        Self {
            slab: node_stat(bindings::node_stat_item_NR_SLAB_RECLAIMABLE_B)
                + node_stat(bindings::node_stat_item_NR_SLAB_UNRECLAIMABLE_B),
            shmem: node_stat(bindings::node_stat_item_NR_SHMEM),
            free: zone_stat(bindings::zone_stat_item_NR_FREE_PAGES),
        }
    }

    /// Returns whether no more is in use than before so many bindings.
    pub(crate) fn is_back_to(self, before: Self, bindings: i64) -> bool {
        let slack = Self::slack(bindings);
        // KASAN keeps freed memory in quarantine, up to a thirty-second of the memory. There,
        // kmemleak has to find lost memory.
        let is_slab_back = cfg!(CONFIG_KASAN_GENERIC) || self.slab <= before.slab + slack.slab;

        is_slab_back
            && self.shmem <= before.shmem + slack.shmem
            && self.free + self.slab + slack.free >= before.free + before.slab
    }
}

/// Gives back what the caches of `kmalloc()` keep: empty slabs, and KASAN's quarantine.
fn shrink_caches() {
    // SAFETY: The caches are made early at boot, and there for good.
    let caches = unsafe { (&raw const bindings::kmalloc_caches).read() };

    for cache in caches.as_flattened().iter().filter(|it| !it.is_null()) {
        // SAFETY: It is a cache.
        unsafe { bindings::kmem_cache_shrink(*cache) };
    }
}

fn node_stat(item: bindings::node_stat_item) -> i64 {
    // SAFETY: The index is that of an item.
    let stat = unsafe { &raw mut bindings::vm_node_stat[item as usize].counter };

    // SAFETY: The counter is there for good, and only ever accessed atomically.
    let stat = unsafe { Atomic::from_ptr(stat) }.load(Relaxed);

    // CPUs add what they have counted now and then, so it may seem to be less than none.
    stat.max(0)
}

fn zone_stat(item: bindings::zone_stat_item) -> i64 {
    // SAFETY: The index is that of an item.
    let stat = unsafe { &raw mut bindings::vm_zone_stat[item as usize].counter };

    // SAFETY: The counter is there for good, and only ever accessed atomically.
    unsafe { Atomic::from_ptr(stat) }.load(Relaxed)
}
