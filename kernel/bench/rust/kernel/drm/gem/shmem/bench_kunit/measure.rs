// SPDX-License-Identifier: GPL-2.0

//! Clocks, counters, and the output of measurements.

use crate::{
    bindings,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

/// The number of rows that were printed.
static ROWS: Atomic<i32> = Atomic::new(0);

/// Prints a row: the value of a measurement, in `unit`. `what` and `how` name the measurement,
/// which has `n` objects.
///
/// Rows are numbered, so that the reader sees whether one is missing.
pub(super) fn row(unit: &str, what: &str, how: &str, n: usize, round: usize, value: i64) {
    let number = ROWS.fetch_add(1, Relaxed);
    crate::kunit::info(fmt!(
        "    # bench: {number},{unit},{what},{how},{n},{round},{value}\n"
    ));
}

/// Prints the time of a measurement and of its parts. `times` are the times at which each part was
/// done.
///
/// Parts are numbered through all rounds.
pub(super) fn parts(what: &str, how: &str, n: usize, round: usize, times: &[Delta]) {
    let mut before = Delta::from_nanos(0);
    for (part, &time) in times.iter().enumerate() {
        let number = round * times.len() + part;
        let taken = (time - before).as_nanos();
        row("part_ns", what, how, n, number, taken);
        before = time;
    }
    row("ns", what, how, n, round, before.as_nanos());
}

/// Prints the last row.
pub(super) fn end() {
    row("end", "bench", "plain", 0, 0, 0);
}

/// Measures time.
pub(super) struct Stopwatch(Instant<Monotonic>);

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(&self) -> Delta {
        self.0.elapsed()
    }
}

/// Waits for pending frees by other threads and by RCU callbacks, so that none runs during a
/// measurement.
pub(super) fn settle() {
    for _ in 0..2 {
        // SAFETY: This thread may sleep.
        unsafe { bindings::flush_delayed_fput() };

        // SAFETY: This thread may sleep.
        unsafe { bindings::rcu_barrier() };
    }
}

/// Returns a number that grows by one with each grace period of the system.
pub(super) fn grace_periods() -> i64 {
    // SAFETY: `get_state_synchronize_rcu()` may be called in any context.
    let state = unsafe { bindings::get_state_synchronize_rcu() };

    // `RCU_SEQ_CTR_SHIFT`: the lower bits have the state of a grace period.
    (state >> 2) as i64
}

/// Returns the exact number of bytes in slabs, including the counts that CPUs have not added yet.
#[cfg(not(CONFIG_NUMA))]
pub(super) fn slab_bytes() -> i64 {
    let items = [
        bindings::node_stat_item_NR_SLAB_RECLAIMABLE_B,
        bindings::node_stat_item_NR_SLAB_UNRECLAIMABLE_B,
    ];
    let mut pages = 0;

    for item in items.map(|item| item as usize) {
        // SAFETY: There is one node, and its counters are only accessed atomically.
        let shared = unsafe { &raw mut bindings::contig_page_data.vm_stat[item].counter };
        // SAFETY: The counter is valid, and only accessed atomically.
        pages += unsafe { Atomic::from_ptr(shared) }.load(Relaxed);

        // SAFETY: The pointer was set at boot.
        let all = unsafe { bindings::contig_page_data.per_cpu_nodestats };
        // SAFETY: The array is not written any more after boot.
        for offset in unsafe { bindings::__per_cpu_offset } {
            let own = all.wrapping_byte_add(offset);
            // SAFETY: `own` points to the variable of a CPU, and all CPUs are up.
            let own = unsafe { &raw const (*own).vm_node_stat_diff[item] };
            // SAFETY: The count is one byte, which another CPU writes whole.
            pages += i64::from(unsafe { own.read_volatile() });
        }
    }

    pages * crate::page::PAGE_SIZE as i64
}

/// Returns 0, as the number is not known with several nodes.
#[cfg(CONFIG_NUMA)]
pub(super) fn slab_bytes() -> i64 {
    0
}

/// A generator of pseudo-random numbers, which always starts with the same seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// Returns the next number, by xorshift.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Brings a slice into a random order.
    pub(super) fn shuffle<T>(&mut self, slice: &mut [T]) {
        for last in (1..slice.len()).rev() {
            let other = self.next() % (last as u64 + 1);
            slice.swap(last, other as usize);
        }
    }
}
