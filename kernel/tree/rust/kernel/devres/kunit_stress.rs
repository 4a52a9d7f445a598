// SPDX-License-Identifier: GPL-2.0

//! The length of the stress of `stress_kunit`, and its measurement of memory.
//!
//! The suite also runs on the host, which has its own version of this file.

use crate::{
    bindings,
    prelude::*,
    str::CStr,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// The number of bindings, unless [`PARAMETER`] is given. With fewer bindings, lost memory cannot
/// be told from the variation between runs.
const BINDINGS: i64 = 1000;

/// The kernel parameter that asks for more bindings.
const PARAMETER: &str = "rust_lazy_stress.bindings=";

/// Returns how often the device is bound and unbound.
///
/// # Errors
///
/// `EINVAL` if the parameter is not a number, or less than the default.
pub(crate) fn bindings() -> Result<i64> {
    // SAFETY: The string is made early at boot, never freed, and not written again.
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

/// The number of pages that are in use, and that are free.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// In the caches of `kmalloc()`, and in others.
    slab: i64,
    /// In the files behind objects.
    shmem: i64,
    free: i64,
}

impl Usage {
    /// Returns how many more pages may be in use after so many bindings. The number is less than
    /// the objects take if one is lost for each binding, and more than the variation between runs.
    fn slack(bindings: i64) -> Self {
        Self {
            slab: bindings / 8,
            shmem: bindings / 8,
            free: bindings,
        }
    }

    /// Measures the usage, after all freed memory was returned.
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

    /// Returns whether no more pages are in use than before so many bindings.
    pub(crate) fn is_back_to(self, before: Self, bindings: i64) -> bool {
        let slack = Self::slack(bindings);
        // KASAN keeps freed memory in quarantine, up to a thirty-second of the memory. With KASAN,
        // kmemleak has to find lost memory.
        let is_slab_back = cfg!(CONFIG_KASAN_GENERIC) || self.slab <= before.slab + slack.slab;
        // KASAN also keeps the shadow of kernel mappings, which are unmapped lazily.
        let is_all_back = cfg!(CONFIG_KASAN_VMALLOC)
            || self.free + self.slab + slack.free >= before.free + before.slab;

        is_slab_back && self.shmem <= before.shmem + slack.shmem && is_all_back
    }
}

/// Shrinks the caches of `kmalloc()`, which frees empty slabs and KASAN's quarantine.
fn shrink_caches() {
    // SAFETY: The caches are made early at boot, and never freed.
    let caches = unsafe { (&raw const bindings::kmalloc_caches).read() };

    for cache in caches.as_flattened().iter().filter(|it| !it.is_null()) {
        // SAFETY: `cache` is one of the caches of `kmalloc()`.
        unsafe { bindings::kmem_cache_shrink(*cache) };
    }
}

fn node_stat(item: bindings::node_stat_item) -> i64 {
    // SAFETY: The index of an item is within the array.
    let stat = unsafe { &raw mut bindings::vm_node_stat[item as usize].counter };

    // SAFETY: The counter is never freed, and only accessed atomically.
    let stat = unsafe { Atomic::from_ptr(stat) }.load(Relaxed);

    // CPUs add their own counts now and then, so the sum may be negative.
    stat.max(0)
}

fn zone_stat(item: bindings::zone_stat_item) -> i64 {
    // SAFETY: The index of an item is within the array.
    let stat = unsafe { &raw mut bindings::vm_zone_stat[item as usize].counter };

    // SAFETY: The counter is never freed, and only accessed atomically.
    unsafe { Atomic::from_ptr(stat) }.load(Relaxed)
}
