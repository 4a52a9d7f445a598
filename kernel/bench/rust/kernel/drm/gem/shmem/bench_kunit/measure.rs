// SPDX-License-Identifier: GPL-2.0

//! Clocks, counters, and how what they say is printed.

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

/// How many rows were printed.
static ROWS: Atomic<i32> = Atomic::new(0);

/// Prints a value: a `unit` of `what`, done like `how` with `n` of them, for the time `round`.
///
/// Rows are numbered, so that who reads them sees whether one is missing.
pub(super) fn row(unit: &str, what: &str, how: &str, n: usize, round: usize, value: i64) {
    let number = ROWS.fetch_add(1, Relaxed);
    crate::kunit::info(fmt!(
        "    # bench: {number},{unit},{what},{how},{n},{round},{value}\n"
    ));
}

/// Prints how long something took, in parts: when each of them was done.
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

/// Says that there are no more rows.
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

/// Waits until what was freed by way of other threads and of RCU is gone, so that nothing of it
/// runs while something is measured.
pub(super) fn settle() {
    for _ in 0..2 {
        // SAFETY: There are no requirements, but that it may sleep.
        unsafe { bindings::flush_delayed_fput() };

        // SAFETY: `rcu_barrier()` only requires that it may sleep.
        unsafe { bindings::rcu_barrier() };
    }
}

/// A number that grows by one with each grace period of the system.
pub(super) fn grace_periods() -> i64 {
    // SAFETY: There are no requirements.
    let state = unsafe { bindings::get_state_synchronize_rcu() };

    // `RCU_SEQ_CTR_SHIFT`: below is what state a grace period is in.
    (state >> 2) as i64
}

/// How many bytes there are in slabs, exactly: with what CPUs count for themselves.
#[cfg(not(CONFIG_NUMA))]
pub(super) fn slab_bytes() -> i64 {
    let items = [
        bindings::node_stat_item_NR_SLAB_RECLAIMABLE_B,
        bindings::node_stat_item_NR_SLAB_UNRECLAIMABLE_B,
    ];
    let mut pages = 0;

    for item in items.map(|item| item as usize) {
        // SAFETY: There is one node, and its counters are only ever accessed atomically.
        let shared = unsafe { &raw mut bindings::contig_page_data.vm_stat[item].counter };
        // SAFETY: The counter is valid, and only ever accessed atomically.
        pages += unsafe { Atomic::from_ptr(shared) }.load(Relaxed);

        // SAFETY: The pointer was set at boot.
        let all = unsafe { bindings::contig_page_data.per_cpu_nodestats };
        // SAFETY: The array is not written any more after boot.
        for offset in unsafe { bindings::__per_cpu_offset } {
            let own = all.wrapping_byte_add(offset);
            // SAFETY: It is the variable of a CPU, all of which are up.
            let own = unsafe { &raw const (*own).vm_node_stat_diff[item] };
            // SAFETY: It is one byte, which is written whole if another CPU writes it.
            pages += i64::from(unsafe { own.read_volatile() });
        }
    }

    pages * crate::page::PAGE_SIZE as i64
}

/// As above; with several nodes it is not known.
#[cfg(CONFIG_NUMA)]
pub(super) fn slab_bytes() -> i64 {
    0
}

/// The same numbers each time.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// By xorshift.
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
